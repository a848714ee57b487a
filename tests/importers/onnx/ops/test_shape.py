"""Shapes and axes that are known in a run only, eagerly and in traced functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from onnx import helper

from kerasviz.importers.onnx import read_onnx


def ints(*numbers: int) -> Any:
    return np.array(numbers, np.int64)


C = (4, 3, 4, 4)  # N, H and W are equal: a wrong order is not seen from the shape
CASES = [
    ("Squeeze", 1, ints(-1, 0), lambda c: c[:1, :, :, :1].squeeze((0, 3))),
    ("Unsqueeze", 1, ints(-1, 1), lambda c: c[:, None, ..., None]),
    ("Expand", 1, ints(1, 1, 4, 1), lambda c: c),
    ("Expand", 1, ints(2, 1, 4, 1, 1), lambda c: np.broadcast_to(c, (2, *c.shape))),
    ("Tile", 1, ints(1, 2, 1, 3), lambda c: np.tile(c, (1, 2, 1, 3))),
    ("Reshape", 1, ints(0, 2, 0, -1), lambda c: c.reshape(c.shape[0], 2, c.shape[2], -1)),
    ("Split", 2, ints(1, 3), lambda c: c[:, :, :1]),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_computed_shapes(write: Any, image: Any, tmp_path: Any, case: int) -> None:
    op, outputs, given, expected = CASES[case]
    names = ["y", "z"][:outputs]
    options = {"axis": 2} if op == "Split" else {}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Slice", ["c", "from", "to", "at"], ["s"]),
        helper.make_node(op, ["s", "n"], names, **options),
    ]
    ones = op == "Squeeze"
    path = write(
        tmp_path / "m.onnx",
        nodes,
        {"x": (np.float32, ("n", 3, "h", "w")), "n": (np.int64, given.shape)},
        {
            "w": image(4, 3, 3, 3, seed=1),
            "from": ints(0, 0),
            "to": ints(1, 1) if ones else ints(99, 99),
            "at": ints(0, 3),
        },
        outputs=names,
    )
    program = read_onnx(path).program
    x = image(*C)
    spec = [tf.TensorSpec([None, 3, None, None]), tf.TensorSpec(given.shape, tf.int64)]

    def run(x: Any, n: Any) -> Any:
        return program.compute({"x": x, "n": n}, ["c", "y"], channels_last=False)

    traced = tf.function(run, autograph=False, input_signature=spec)
    assert program.values["y"].shape is not None
    for found in (run(x, given), traced(x, given)):
        np.testing.assert_allclose(found["y"], expected(found["c"].numpy()), rtol=1e-6)
    last = program.compute({"x": np.moveaxis(x, 1, -1), "n": given}, ["y"])["y"].numpy()
    own = found["y"].numpy()
    traced_rank = len(program.values["y"].shape)
    assert last.ndim == own.ndim == traced_rank


@pytest.mark.parametrize("whole", [5, 7, 8])
@pytest.mark.parametrize("free", [False, True])
def test_uneven_parts(parity: Any, image: Any, whole: int, free: bool) -> None:
    node = helper.make_node("Split", ["x"], ["a", "b", "c"], axis=2, num_outputs=3)
    parity(node, {"x": image(2, 3, whole)}, opset=18, free=free)


def test_the_first_tile(write: Any, image: Any, tmp_path: Any) -> None:
    node = helper.make_node("Tile", ["x", "n", "a"], ["y"])
    constants = {"n": np.float32(3), "a": np.float32(1)}
    path = write(tmp_path / "m.onnx", [node], {"x": (np.float32, (2, 3))}, constants, opset=1)
    x = image(2, 3)
    found = read_onnx(path).program.compute({"x": x}, ["y"])["y"]
    np.testing.assert_array_equal(found, np.tile(x, (1, 3)))


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1])
def test_flatten_of_nothing(write: Any, tmp_path: Any, axis: int) -> None:
    node = helper.make_node("Flatten", ["x"], ["y"], axis=axis)
    path = write(tmp_path / "m.onnx", [node], {"x": (np.float32, ("n", 0, 4))})
    x = np.zeros((2, 0, 4), np.float32)
    found = read_onnx(path).program.compute({"x": x}, ["y"], channels_last=False)["y"]
    head = x.shape[:axis] if axis else ()
    assert found.shape == (int(np.prod(head)), int(np.prod(x.shape[len(head) :])))


def test_allowzero(write: Any, tmp_path: Any) -> None:
    node = helper.make_node("Reshape", ["x", "s"], ["y"], allowzero=1)
    path = write(
        tmp_path / "m.onnx", [node], {"x": (np.float32, (0, 3)), "s": (np.int64, (3,))}, opset=14
    )
    fed = {"x": np.zeros((0, 3), np.float32), "s": ints(3, 4, 0)}
    found = read_onnx(path).program.compute(fed, ["y"], channels_last=False)
    assert found["y"].shape == (3, 4, 0)


@pytest.mark.parametrize("target", [(0, 6, -1), (0, 0, -1), (0, 6, 2, 5, -1)])
def test_a_reshape_behind_the_channels_moves_nothing(parity: Any, image: Any, target: Any) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Reshape", ["c", "s"], ["y"]),
    ]
    constants = {"w": image(6, 3, 3, 3, seed=1), "s": ints(*target)}
    program = parity(nodes, {"x": image(2, 3, 5, 4)}, constants)
    assert program.values["y"].shape[-1] == 6


def test_unsqueeze_keeps_the_channels_last(parity: Any, image: Any) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Unsqueeze", ["c", "a"], ["y"]),
    ]
    constants = {"w": image(6, 3, 2, seed=1), "a": ints(2, -1)}
    program = parity(nodes, {"x": image(2, 3, 5)}, constants)
    assert program.values["y"].shape[-1] == 6


@pytest.mark.parametrize("free", [False, True])
def test_a_constant_is_expanded_to_the_shape_of_a_value(
    parity: Any, image: Any, free: bool
) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Expand", ["c", "s"], ["e"]),
        helper.make_node("Mul", ["x", "e"], ["y"]),
    ]
    parity(nodes, {"x": image(2, 3, 5)}, {"c": image(1, 3, 1, seed=1)}, free=free)
