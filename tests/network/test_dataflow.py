"""How data flows between values: roots, joins, activations."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.flows import written

from kerasviz.network.dataflow import Dataflow

SILU = """
conv = Conv(image) 8x8x4
norm = BatchNormalization(conv)
gate = Sigmoid(norm)
silu = Mul(norm, gate)
next = Conv(silu) 4x4x6
"""


def test_an_activation_of_several_operators_is_no_join() -> None:
    flow = written(SILU).flow()
    assert flow.joins == set()
    assert flow.learned == {"conv", "next"}
    assert {name: flow.roots[name] for name in ("norm", "gate", "silu")} == dict.fromkeys(
        ("norm", "gate", "silu"), "conv"
    )


@pytest.mark.parametrize("name", ["conv", "norm"])
def test_a_value_is_followed_to_the_end_of_its_activation(name: str) -> None:
    assert written(SILU).flow().activated(name) == "silu"


def test_what_is_used_elsewhere_is_not_passed() -> None:
    """A pre-activation block uses its input twice: activated, and in the sum."""
    flow = written(
        """
        conv = Conv(image) 8x8x4
        relu = Relu(conv)
        body = Conv(relu) 8x8x4
        sum = Add(conv, body)
        """
    ).flow()
    assert flow.activated("conv") == "conv"
    assert flow.joins == {"sum"}


def test_an_output_is_not_passed() -> None:
    flow = Dataflow(written(SILU).values, ["norm"])
    assert flow.activated("conv") == "norm"


def test_pools_end_an_activation() -> None:
    flow = written(
        """
        conv = Conv(image) 8x8x4
        pool = MaxPool(conv)
        relu = Relu(pool)
        """
    ).flow()
    assert flow.activated("conv") == "conv"


def test_a_gate_with_weights_is_a_join() -> None:
    flow = written(
        """
        conv = Conv(image) 8x8x4
        mean = GlobalAveragePool(conv) 1x1x4
        gate = Conv(mean) 1x1x4
        scaled = Mul(conv, gate)
        """
    ).flow()
    assert flow.joins == {"scaled"}
    assert flow.roots["scaled"] == "scaled"


def test_lengths_are_left_out() -> None:
    values = dict(written(SILU).values)
    values["norm"] = replace(values["norm"], auxiliary=True)
    flow = Dataflow(values)
    assert "norm" not in flow.values
    assert flow.inputs["silu"] == ["gate"]


def test_a_layer_with_an_activation_inside_has_its_weights_before_it() -> None:
    """Keras names the result of a whole layer, and kerasviz the tensor before its ReLU."""
    values = dict(written("before = BiasAdd(image) 8x8x4\nlayer = Conv2D(before)").values)
    values["layer"] = replace(values["layer"], relu_input="before")
    flow = Dataflow(values, ["layer"])
    assert flow.learned == {"before"}
    assert flow.roots["layer"] == "before"


def test_the_first_activation_ends_the_way() -> None:
    """The normalization after it belongs to what follows."""
    values = dict(written("c = Conv(image) 8x8x4\nr = Relu(c)\nn = LayerNorm(r)").values)
    assert Dataflow(values).activated("c") == "n"
    values["r"] = replace(values["r"], activation_input="c")
    assert Dataflow(values).activated("c") == "r"
    assert Dataflow(values).activated("r") == "r"


def test_the_nearest_of_some_values() -> None:
    flow = written(SILU).flow()
    assert flow.nearest(["conv", "norm", "next"]) == {
        "conv": [],
        "norm": ["conv"],
        "next": ["norm"],
    }
