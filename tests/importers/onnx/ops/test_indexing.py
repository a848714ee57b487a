"""Slices, gathers and scatters, against onnxruntime, numpy and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from onnx import helper

from kerasviz.importers.onnx import read_onnx


def after_conv(*nodes: Any) -> list[Any]:
    """The nodes behind a convolution, whose output is stored channels last."""
    return [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), *nodes]


@pytest.fixture
def kernel(image: Any) -> dict[str, Any]:
    return {"w": image(4, 3, 3, 3, seed=1)}


def ints(*numbers: int) -> Any:
    return np.array(numbers, np.int64)


def places(high: int, *shape: int) -> Any:
    """Indices, some of them negative; no two of one column are the same."""
    rng = np.random.default_rng(4)
    count = int(np.prod(shape[1:]))
    columns = [rng.permutation(high)[: shape[0]] for _ in range(count)]
    found = np.stack(columns, 1).reshape(shape).astype(np.int64)
    return np.where(rng.random(shape) < 0.3, found - high, found)


@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (4, 3, 4, 4)])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_gather_and_scatter_elements(
    parity: Any, image: Any, kernel: Any, shape: Any, axis: int
) -> None:
    n, _, h, w = shape
    size = (n, 4, h, w)
    high = size[axis]
    taken = np.moveaxis(places(high, min(2, high), *np.delete(size, axis)), 0, axis)
    nodes = after_conv(
        helper.make_node("GatherElements", ["c", "p"], ["g"], axis=axis),
        helper.make_node("Mul", ["g", "g"], ["u"]),
        helper.make_node("ScatterElements", ["c", "p", "u"], ["y"], axis=axis),
    )
    program = parity(nodes, {"x": image(*shape)}, {**kernel, "p": taken})
    assert program.values["y"].shape[-1] == 4  # the channels stay behind all others


@pytest.mark.parametrize("reduction", ["add", "mul", "max", "min"])
def test_scatter_elements_with_reductions(
    parity: Any, image: Any, kernel: Any, reduction: str
) -> None:
    """Several updates meet in one entry; the updates may be smaller than the value."""
    p = np.random.default_rng(0).integers(-5, 5, (2, 3, 2, 4))
    nodes = after_conv(
        helper.make_node("ScatterElements", ["c", "p", "u"], ["y"], axis=2, reduction=reduction)
    )
    constants = {**kernel, "p": p, "u": image(2, 3, 2, 4, seed=7)}
    parity(nodes, {"x": image(2, 3, 5, 4)}, constants, opset=18)


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_scatter_nd(parity: Any, image: Any, kernel: Any, reduction: str, depth: int) -> None:
    size = (2, 4, 5, 4)
    index = np.array([[1, -1, 2, 0], [0, 2, -5, 3]], np.int64)[:, :depth]
    if reduction != "none":
        index = np.concatenate([index, index[:1]])
    nodes = after_conv(
        helper.make_node("ScatterND", ["c", "p", "u"], ["y"], reduction=reduction),
    )
    updates = image(len(index), *size[depth:], seed=7)
    constants = {**kernel, "p": index, "u": updates}
    parity(nodes, {"x": image(2, 3, 5, 4)}, constants, opset=18)


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
def test_gradient_of_the_updates(parity: Any, image: Any, reduction: str) -> None:
    nodes = [
        helper.make_node("Mul", ["x", "x"], ["u"]),
        helper.make_node("ScatterElements", ["d", "p", "u"], ["y"], axis=0, reduction=reduction),
    ]
    constants = {"d": image(5, 3, seed=2), "p": places(5, 4, 3)}
    parity(nodes, {"x": image(4, 3)}, constants, opset=18)


@pytest.mark.parametrize("batch", [0, 1, 2])
def test_gather_nd(parity: Any, image: Any, kernel: Any, batch: int) -> None:
    shapes = {0: (3, 2), 1: (2, 3, 2), 2: (2, 4, 3, 1)}
    p = np.random.default_rng(1).integers(-2, 2, shapes[batch])
    nodes = after_conv(helper.make_node("GatherND", ["c", "p"], ["y"], batch_dims=batch))
    parity(nodes, {"x": image(2, 3, 5, 4)}, {**kernel, "p": p})


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_gather_of_one_place_and_of_a_batch_of_equal_lengths(
    parity: Any, image: Any, kernel: Any, axis: int
) -> None:
    nodes = after_conv(helper.make_node("Gather", ["c", "p"], ["y"], axis=axis))
    parity(nodes, {"x": image(4, 3, 4, 4)}, {**kernel, "p": np.int64(-2)})
    parity(nodes, {"x": image(4, 3, 4, 4)}, {**kernel, "p": ints(-2, 1)})


@pytest.mark.parametrize("batch", [0, 1])
def test_reverse_sequence(parity: Any, image: Any, kernel: Any, batch: int) -> None:
    nodes = after_conv(
        helper.make_node(
            "ReverseSequence", ["c", "n"], ["y"], batch_axis=batch, time_axis=1 - batch
        )
    )
    lengths = ints(3, 1) if batch == 0 else ints(2, 1, 2, 1)
    parity(nodes, {"x": image(2, 3, 5, 4)}, {**kernel, "n": lengths})


def test_slices_with_everything_computed(write: Any, image: Any, tmp_path: Any) -> None:
    """The bounds, the axes and the steps are inputs, also inside a traced function."""
    path = write(
        tmp_path / "m.onnx",
        after_conv(helper.make_node("Slice", ["c", "b", "e", "a", "s"], ["y"])),
        {
            "x": (np.float32, ("n", 3, "h", "w")),
            **dict.fromkeys(("b", "e", "a", "s"), (np.int64, ("k",))),
        },
        {"w": image(4, 3, 3, 3, seed=1)},
        outputs=["y"],
    )
    program = read_onnx(path).program
    assert program.values["y"].shape == (None, None, None, None)
    far = 2**63 - 1
    spec = [tf.TensorSpec([None, 3, None, None]), *[tf.TensorSpec([None], tf.int64)] * 4]

    @tf.function(autograph=False, input_signature=spec)
    def traced(x: Any, b: Any, e: Any, a: Any, s: Any) -> Any:
        fed = {"x": x, "b": b, "e": e, "a": a, "s": s}
        return program.compute(fed, ["y"], channels_last=False)["y"]

    x = image(2, 3, 6, 5)
    whole = program.compute({"x": x}, ["c"], channels_last=False)["c"].numpy()
    for bounds, cut in [
        ((ints(far), ints(-far), ints(-1), ints(-1)), np.s_[:, :, :, ::-1]),
        ((ints(1, -1), ints(3, -far), ints(1, 2), ints(1, -2)), np.s_[:, 1:3, ::-2]),
        ((ints(-2, 0), ints(far, 1), ints(-2, 0), ints(1, 1)), np.s_[:1, :, -2:]),
        ((ints(4), ints(0), ints(2), ints(-3)), np.s_[:, :, 4:0:-3]),
        ((ints(4), ints(2), ints(2), ints(1)), np.s_[:, :, 4:2]),
    ]:
        fed = {"x": x, **dict(zip("beas", bounds, strict=True))}
        eager = program.compute(fed, ["y"], channels_last=False)["y"].numpy()
        np.testing.assert_allclose(eager, whole[cut], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(traced(x, *bounds).numpy(), whole[cut], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "int8", "uint16", "uint64", "bool"])
def test_types_are_kept(write: Any, tmp_path: Any, dtype: str) -> None:
    nodes = [
        helper.make_node("GatherElements", ["x", "p"], ["g"], axis=1),
        helper.make_node("ScatterElements", ["x", "p", "g"], ["y"], axis=1),
    ]
    path = write(tmp_path / "m.onnx", nodes, {"x": (dtype, (2, 3))}, {"p": np.array([[2], [-3]])})
    x = np.array([[0, 1, 1], [1, 0, 0]], dtype)
    found = read_onnx(path).program.compute({"x": x}, ["g", "y"])
    assert found["g"].numpy().dtype == dtype
    np.testing.assert_array_equal(found["g"], [[x[0, 2]], [x[1, 0]]])
    np.testing.assert_array_equal(found["y"], x)
