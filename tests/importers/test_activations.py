"""Activation functions that are written out in several operations."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from kerasviz.importers.activations import Operation, activation_inputs

CONSTANTS: dict[str, Any] = {
    "half": np.float32(0.5),
    "one": np.array([1.0]),
    "root": np.float32(math.sqrt(2)),
    "third": np.array([[1 / 3]]),
    "three": np.float32(3),
    "six": np.array(6),
    "slopes": np.array([0.1, 0.2, 0.4]),
    "ones": np.ones(3),
    "tiny": np.float32(1e-12),
}


def search(*operations: Operation) -> dict[str, str]:
    arrays = {name: np.asarray(array) for name, array in CONSTANTS.items()}
    return activation_inputs(operations, arrays.get)


def op(output: str, name: str, *inputs: str, **numbers: float) -> Operation:
    return Operation(output, name, inputs, numbers)


@pytest.mark.parametrize("order", list(itertools.permutations(["x", "half", "gate"])))
@pytest.mark.parametrize("swapped", [False, True])
def test_a_gelu_in_any_order_of_its_products(order: tuple[str, ...], swapped: bool) -> None:
    a, b, c = order
    second = ("first", c) if swapped else (c, "first")
    found = search(
        op("scaled", "Div", "x", "root"),
        op("erf", "Erf", "scaled"),
        op("gate", "Add", "one", "erf"),
        op("first", "Mul", a, b),
        op("y", "Mul", *second),
        op("z", "MatMul", "y", "w"),
    )
    assert found == {"y": "x"}


def test_parts_of_a_function_are_none_themselves() -> None:
    found = search(
        op("soft", "Softplus", "x"),
        op("tanh", "Tanh", "soft"),
        op("mish", "Mul", "x", "tanh"),
        op("s", "Sigmoid", "mish"),
        op("silu", "Mul", "s", "mish"),
    )
    assert found == {"mish": "x", "silu": "mish"}


def test_a_gate_of_another_value_is_an_activation_itself() -> None:
    found = search(op("s", "Sigmoid", "x"), op("y", "Mul", "z", "s"))
    assert found == {"s": "x"}


@pytest.mark.parametrize("bounds", ["Clip", "Min"])
def test_hard_swish(bounds: str) -> None:
    clip = [op("c", "Clip", "a", min=0.0, max=6.0)]
    if bounds == "Min":
        clip = [op("r", "Relu", "a"), op("c", "Min", "six", "r")]
    steps = [op("a", "Add", "x", "three"), *clip]
    gated = search(*steps, op("m", "Mul", "c", "x"), op("y", "Div", "m", "six"))
    divided = search(*steps, op("d", "Div", "c", "six"), op("y", "Mul", "d", "x"))
    assert gated == divided == {"y": "x"}


def test_the_nearest_input_counts() -> None:
    """A copy before the function is its input, a copy behind it is no function."""
    found = search(
        op("i", "Identity", "x"),
        op("c", "Cast", "i"),
        op("y", "Relu", "c"),
        op("d", "Dropout", "y"),
        op("z", "Tanh", "d"),
    )
    assert found == {"y": "c", "z": "d"}


def test_casts_inside_of_a_function() -> None:
    found = search(op("w", "Cast", "x"), op("s", "Sigmoid", "w"), op("n", "Cast", "s"))
    assert found == {"s": "w"}
    whole = search(
        *[op("w", "Cast", "x"), op("s", "Sigmoid", "w"), op("n", "Cast", "s")],
        op("y", "Mul", "x", "n"),
    )
    assert whole == {"y": "x"}


def test_slopes_of_channels() -> None:
    found = search(
        op("p", "Relu", "x"),
        op("m", "Neg", "x"),
        op("n", "Relu", "m"),
        op("s", "Mul", "slopes", "n"),
        op("y", "Sub", "p", "s"),
    )
    assert found == {"y": "x"}


@pytest.mark.parametrize(
    "operations",
    [
        [op("y", "Add", "x", "one")],
        [op("y", "Mul", "x", "slopes")],
        [op("y", "Max", "x", "tiny")],
        [op("m", "ReduceMean", "x"), op("y", "Sub", "x", "m")],
        [op("a", "Abs", "x"), op("y", "Div", "x", "a")],
        [op("y", "Pow", "x", "three")],
        [op("y", "Mul", "x", "z")],
        [op("y", "Exp", "x")],
        [op("y", "Relu", "one")],
        [op("y", "Greater", "x", "one")],
    ],
)
def test_what_is_no_activation(operations: list[Operation]) -> None:
    assert search(*operations) == {}


def test_a_scale_for_each_channel_is_not_part_of_it() -> None:
    """Not even scales of 1."""
    found = search(op("s", "Sigmoid", "x"), op("m", "Mul", "s", "x"), op("y", "Mul", "m", "ones"))
    assert found == {"m": "x"}


def test_a_long_chain_is_left_early() -> None:
    chain = [op(f"v{k + 1}", "Add", f"v{k}", "one") for k in range(2000)]
    assert search(*chain) == {}
