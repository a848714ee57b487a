"""GroupQueryAttention against onnxruntime and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

from kerasviz.errors import ModelError
from kerasviz.importers.onnx import read_onnx

F = np.float32


@pytest.fixture
def angles(image: Any) -> dict[str, Any]:
    found = image(12, 8, seed=7)
    return {"cos": np.cos(found), "sin": np.sin(found)}


def attention(inputs: Any, outputs: Any = ("y", "k_all", "v_all"), **given: Any) -> Any:
    """Four heads of queries of 16 features, two of keys."""
    return helper.make_node(
        "GroupQueryAttention",
        list(inputs),
        list(outputs),
        domain="com.microsoft",
        num_heads=4,
        kv_num_heads=2,
        **given,
    )


def counted(last: list[int], total: int) -> dict[str, Any]:
    return {"last": np.array(last, np.int32), "total": np.array(total, np.int32)}


@pytest.mark.parametrize(
    ("given", "turned"),
    [
        ({}, ""),
        ({"scale": 0.3}, "halves"),
        ({"softcap": 1.5}, ""),
        ({"local_window_size": 2}, "pairs"),
        ({"smooth_softmax": 1}, ""),
    ],
)
def test_new_tokens(parity: Any, image: Any, angles: Any, given: Any, turned: str) -> None:
    fixed = {"k": image(2, 5, 32, seed=1), "v": image(2, 5, 32, seed=2), **counted([4, 4], 5)}
    inputs = ["x", "k", "v", "", "", "last", "total"]
    if turned:
        fixed.update(angles)
        inputs += ["cos", "sin"]
        given = {**given, "do_rotary": 1, "rotary_interleaved": int(turned == "pairs")}
    tail = helper.make_node("Tanh", ["y"], ["z"])
    parity([attention(inputs, **given), tail], {"x": image(2, 5, 64)}, fixed, free=False)


def test_all_in_one_input(parity: Any, image: Any, angles: Any) -> None:
    fixed = {**counted([4, 4], 5), **angles}
    node = attention(["x", "", "", "", "", *fixed], do_rotary=1)
    parity([node, helper.make_node("Tanh", ["y"], ["z"])], {"x": image(2, 5, 128)}, fixed)


def test_bias_and_sinks(parity: Any, image: Any) -> None:
    fixed = {
        "k": image(2, 5, 32, seed=1),
        "v": image(2, 5, 32, seed=2),
        **counted([4, 4], 5),
        "bias": image(2, 4, 5, 5, seed=3),
        "sink": image(4, seed=4),
    }
    inputs = ["x", "k", "v", "", "", "last", "total", "", "", "", "bias", "sink"]
    tail = helper.make_node("Tanh", ["y"], ["z"])
    parity([attention(inputs), tail], {"x": image(2, 5, 64)}, fixed, free=False)


@pytest.mark.parametrize("rotary", [0, 1])
def test_a_cache(parity: Any, image: Any, angles: Any, rotary: int) -> None:
    """One new token after three."""
    fixed = {
        "k": image(2, 1, 32, seed=1),
        "v": image(2, 1, 32, seed=2),
        "pk": image(2, 2, 3, 16, seed=3),
        "pv": image(2, 2, 3, 16, seed=4),
        **counted([3, 3], 4),
        **(angles if rotary else {}),
    }
    tail = helper.make_node("Tanh", ["y"], ["z"])
    node = attention(["x", *fixed], do_rotary=rotary)
    parity([node, tail], {"x": image(2, 1, 64)}, fixed, free=False)


def test_rows_that_end_before_others(write: Any, image: Any, tmp_path: Any) -> None:
    """What stands behind the end of a row is not seen by its tokens."""
    fixed = {"k": image(2, 5, 32, seed=1), "v": image(2, 5, 32, seed=2)}
    inputs = ["x", "k", "v", "", "", "last", "total"]
    shapes = {"x": (F, (2, 5, 64))}
    made = []
    for last in ([4, 4], [4, 2]):
        path = write(
            tmp_path / "m.onnx", [attention(inputs)], shapes, {**fixed, **counted(last, 5)}
        )
        program = read_onnx(path).program
        made.append(program.compute({"x": image(2, 5, 64)}, ["y"])["y"].numpy())
    np.testing.assert_allclose(made[1][0], made[0][0], atol=1e-6)
    np.testing.assert_allclose(made[1][1, :3], made[0][1, :3], atol=1e-6)
    assert np.abs(made[1][1, 3:] - made[0][1, 3:]).max() > 0.01


def test_a_quantized_cache_is_refused(write: Any, image: Any, tmp_path: Any) -> None:
    fixed = {"k": image(2, 5, 32), "v": image(2, 5, 32), **counted([4, 4], 5), "s": image(1)}
    inputs = ["x", "k", "v", "", "", "last", "total", "", "", "", "", "", "s", "s"]
    path = write(tmp_path / "m.onnx", [attention(inputs)], {"x": (F, (2, 5, 64))}, fixed)
    with pytest.raises(ModelError, match="input k_scale is not supported"):
        read_onnx(path)
