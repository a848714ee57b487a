"""Operators that move, join, cut and reduce axes, against onnxruntime and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper


def after_conv(*nodes: Any) -> list[Any]:
    """The nodes behind a convolution, whose output is stored channels last."""
    return [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), *nodes]


@pytest.fixture
def kernel(image: Any) -> dict[str, Any]:
    return {"w": image(6, 3, 3, 3, seed=1)}


def ints(*numbers: int) -> Any:
    return np.array(numbers, np.int64)


@pytest.mark.parametrize(
    "target", [(0, -1), (-1, 6), (2, 3, 2, 5, 4), (0, 0, -1), (0, 2, 3, 0, -1), (2, -1, 4)]
)
@pytest.mark.parametrize("free", [False, True])
def test_reshape(parity: Any, image: Any, kernel: Any, target: Any, free: bool) -> None:
    nodes = after_conv(helper.make_node("Reshape", ["c", "s"], ["y"]))
    if len(target) == 5 and target[0] == 0:  # 0 copies the length at the same place
        target = (0, 0, 1, 5, 4)
    parity(nodes, {"x": image(2, 3, 5, 4)}, {**kernel, "s": ints(*target)}, free=free)


def test_reshape_by_a_computed_shape(parity: Any, image: Any, kernel: Any) -> None:
    """What PyTorch writes for ``x.view(x.size(0), -1)`` and ``x.view(n, 2, c // 2, h, w)``."""
    nodes = after_conv(
        helper.make_node("Shape", ["c"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
        helper.make_node("Unsqueeze", ["n", "axis"], ["n1"]),
        helper.make_node("Concat", ["n1", "minus"], ["to"], axis=0),
        helper.make_node("Reshape", ["c", "to"], ["flat"]),
        helper.make_node("Slice", ["s", "two", "four"], ["hw"]),
        helper.make_node("Concat", ["n1", "groups", "hw"], ["split"], axis=0),
        helper.make_node("Reshape", ["c", "split"], ["five"]),
        helper.make_node("Transpose", ["five"], ["turned"], perm=[0, 2, 1, 3, 4]),
        helper.make_node("Reshape", ["turned", "s"], ["y"]),
    )
    constants = {
        "zero": np.int64(0),
        "axis": ints(0),
        "minus": ints(-1),
        "two": ints(2),
        "four": ints(4),
        "groups": ints(2, 3),
    }
    for free in (True, False):
        parity(nodes, {"x": image(2, 3, 5, 4)}, {**kernel, **constants}, free=free)


def test_reshape_of_a_model_for_one_image(
    write: Any, image: Any, kernel: Any, tmp_path: Any
) -> None:
    """A model exported with batch 1 takes several images: row k is that of image k."""
    from kerasviz.importers.onnx import read_onnx

    nodes = after_conv(
        helper.make_node("Reshape", ["c", "s"], ["y"]), helper.make_node("Relu", ["y"], ["z"])
    )
    x = image(3, 3, 5, 4)
    # The last one keeps the channels, which then stay behind all other axes.
    shapes = {(1, 120): (None, 120), (1, -1): (None, 120), (1, 6, 20): (None, 20, 6)}
    for target, shape in shapes.items():
        path = write(
            tmp_path / "m.onnx",
            nodes,
            {"x": (np.float32, (1, 3, 5, 4))},
            {**kernel, "s": ints(*target)},
        )
        program = read_onnx(path).program
        assert program.values["z"].shape == shape
        every = program.compute({"x": x}, ["z"], channels_last=False)["z"].numpy()
        for k in range(3):
            one = program.compute({"x": x[k : k + 1]}, ["z"], channels_last=False)["z"].numpy()
            np.testing.assert_allclose(every[k : k + 1], one, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("free", [False, True])
def test_one_as_the_first_length_that_is_not_the_batch(
    parity: Any, image: Any, kernel: Any, free: bool
) -> None:
    """The pixels of one image as rows, then as tokens: 1 is no batch here."""
    nodes = after_conv(
        helper.make_node("Transpose", ["c"], ["t"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["t", "rows"], ["r"]),
        helper.make_node("Reshape", ["r", "tokens"], ["y"]),
    )
    constants = {**kernel, "rows": ints(-1, 6), "tokens": ints(1, -1, 6)}
    program = parity(nodes, {"x": image(1, 3, 5, 4)}, constants, free=free)
    assert program.values["y"].shape == (1, None, 6)


@pytest.mark.parametrize("axis", [0, 1, 2, 4, -1, None])
def test_flatten(parity: Any, image: Any, kernel: Any, axis: Any) -> None:
    attributes = {} if axis is None else {"axis": axis}
    nodes = after_conv(helper.make_node("Flatten", ["c"], ["y"], **attributes))
    parity(nodes, {"x": image(2, 3, 5, 4)}, kernel)


@pytest.mark.parametrize(
    "order", [None, (0, 2, 3, 1), (0, 3, 1, 2), (0, 2, 1, 3), (1, 0, 2, 3), (0, 1, 3, 2)]
)
def test_transpose(parity: Any, image: Any, kernel: Any, order: Any) -> None:
    attributes = {} if order is None else {"perm": order}
    nodes = after_conv(
        helper.make_node("Transpose", ["c"], ["t"], **attributes),
        helper.make_node("Relu", ["t"], ["y"]),
    )
    parity(nodes, {"x": image(2, 3, 5, 4)}, kernel)


def transposes(program: Any, shape: Any, names: list[str]) -> int:
    """How many transposes run for values ``names`` of images [N, H, W, C]."""
    import tensorflow as tf

    (port,) = program.inputs

    @tf.function(autograph=False)
    def run(x: Any) -> Any:
        return list(program.compute({port: x}, names).values())

    concrete = run.get_concrete_function(tf.TensorSpec(shape, tf.float32))
    return sum(op.type == "Transpose" for op in concrete.graph.get_operations())


def test_transposes_between_layouts_are_only_tags(parity: Any, image: Any, kernel: Any) -> None:
    """A channels-last model in ONNX (tf2onnx): its own transposes around convolutions vanish."""
    nodes = [
        helper.make_node("Sub", ["x", "mean"], ["m"]),
        helper.make_node("Transpose", ["m"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["first", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Transpose", ["r"], ["y"], perm=[0, 2, 3, 1]),
    ]
    feeds = {"x": image(2, 5, 4, 3)}
    program = parity(nodes, feeds, {**kernel, "mean": image(3)}, free=False)
    assert not program.inputs["x"].channels_first
    assert program.values["y"].shape == (None, 5, 4, 6)
    assert transposes(program, (2, 5, 4, 3), ["y"]) == 0


@pytest.mark.parametrize("axes", [(2, 3), (-1, -2), (2,), None])
@pytest.mark.parametrize("opset", [11, 13])
def test_squeeze(parity: Any, image: Any, kernel: Any, axes: Any, opset: int) -> None:
    node = helper.make_node("Squeeze", ["g"], ["y"])
    constants = dict(kernel)
    if axes is not None and opset < 13:
        node = helper.make_node("Squeeze", ["g"], ["y"], axes=axes)
    elif axes is not None:
        node, constants["a"] = helper.make_node("Squeeze", ["g", "a"], ["y"]), ints(*axes)
    nodes = after_conv(helper.make_node("GlobalAveragePool", ["c"], ["g"]), node)
    parity(nodes, {"x": image(2, 3, 5, 4)}, constants, opset=opset)


@pytest.mark.parametrize("axes", [(0,), (2,), (-1, 1), (5, 0)])
@pytest.mark.parametrize("opset", [11, 13])
def test_unsqueeze(parity: Any, image: Any, kernel: Any, axes: Any, opset: int) -> None:
    node = helper.make_node("Unsqueeze", ["c"], ["y"], axes=axes)
    constants = dict(kernel)
    if opset == 13:
        node, constants["a"] = helper.make_node("Unsqueeze", ["c", "a"], ["y"]), ints(*axes)
    parity(after_conv(node), {"x": image(2, 3, 5, 4)}, constants, opset=opset)


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1, -3])
def test_concat(parity: Any, image: Any, kernel: Any, axis: int) -> None:
    nodes = after_conv(
        helper.make_node("Tanh", ["c"], ["t"]),
        helper.make_node("Concat", ["c", "t"], ["y"], axis=axis),
    )
    program = parity(nodes, {"x": image(2, 3, 5, 4)}, kernel)
    assert program.values["y"].parts == (("c", "t") if axis in (1, -3) else ())


def test_concat_with_a_constant_and_another_layout(parity: Any, image: Any, kernel: Any) -> None:
    nodes = after_conv(
        helper.make_node("Reshape", ["c", "s"], ["r"]),
        helper.make_node("Concat", ["c", "k", "r"], ["y"], axis=1),
    )
    constants = {**kernel, "k": image(2, 2, 5, 4), "s": ints(2, 6, 5, 4)}
    program = parity(nodes, {"x": image(2, 3, 5, 4)}, constants, free=False)
    assert program.values["y"].parts == ()


@pytest.mark.parametrize("axis", [1, 2, -1])
@pytest.mark.parametrize(
    ("opset", "lengths"), [(11, (1, 5)), (11, None), (13, (4, 2)), (13, None), (18, None)]
)
def test_split(parity: Any, image: Any, kernel: Any, axis: int, opset: int, lengths: Any) -> None:
    attributes: dict[str, Any] = {"axis": axis}
    inputs, constants = ["c"], dict(kernel)
    if lengths and opset < 13:
        attributes["split"] = lengths
    elif lengths:
        inputs, constants["s"] = ["c", "s"], ints(*lengths)
    elif opset >= 18:
        attributes["num_outputs"] = 2
    nodes = after_conv(helper.make_node("Split", inputs, ["a", "b"], **attributes))
    nodes.append(helper.make_node("Exp", ["b"], ["y"]))
    parity(nodes, {"x": 0.1 * image(2, 3, 6, 6)}, constants, opset=opset)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
@pytest.mark.parametrize("opset", [9, 13])
def test_pad(parity: Any, image: Any, kernel: Any, mode: str, opset: int) -> None:
    pads = (0, 1, 2, 0, 0, 2, 1, 3)
    constants = dict(kernel)
    if opset < 11:
        value = {"value": 1.5} if mode == "constant" else {}
        node = helper.make_node("Pad", ["c"], ["y"], mode=mode, pads=pads, **value)
    else:
        constants.update(p=ints(*pads), v=np.float32(1.5))
        node = helper.make_node("Pad", ["c", "p", "v"], ["y"], mode=mode)
    parity(after_conv(node), {"x": image(2, 3, 5, 4)}, constants, opset=opset)


def test_pad_some_axes_and_crop(parity: Any, image: Any, kernel: Any) -> None:
    node = helper.make_node("Pad", ["c", "p", "", "a"], ["y"])
    constants = {**kernel, "p": ints(-1, 2, 1, -3), "a": ints(3, 1)}
    parity(after_conv(node), {"x": image(2, 3, 5, 4)}, constants, opset=18)


SLICES = {
    "channels": ((1,), (5,), (1,), (2,)),
    "far ends": ((0, -3), (2**62, 2**62), (2, 3), (1, 1)),
    "backwards": ((-1,), (-(2**62),), (3,), (-1,)),
    "backwards to the first": ((4, 5), (0, 1), (2, 1), (-2, -1)),
    "negative axis": ((1,), (-1,), (-1,), (1,)),
}


@pytest.mark.parametrize("case", SLICES)
def test_slice(parity: Any, image: Any, kernel: Any, case: str) -> None:
    names = ("starts", "ends", "axes", "steps")
    constants = {**kernel, **{n: ints(*v) for n, v in zip(names, SLICES[case], strict=True)}}
    parity(
        after_conv(helper.make_node("Slice", ["c", *names], ["y"])),
        {"x": image(2, 3, 5, 4)},
        constants,
    )


def test_old_slice(parity: Any, image: Any, kernel: Any) -> None:
    node = helper.make_node("Slice", ["c"], ["y"], starts=[1, 0], ends=[4, -1], axes=[1, 3])
    parity(after_conv(node), {"x": image(2, 3, 5, 4)}, kernel, opset=9)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("places", [1, [1, -1, 0], [[0, 1], [1, 0]]])
def test_gather(parity: Any, image: Any, kernel: Any, axis: int, places: Any) -> None:
    constants = {**kernel, "p": np.array(places, np.int64)}
    node = helper.make_node("Gather", ["c", "p"], ["y"], axis=axis)
    parity(after_conv(node), {"x": image(2, 3, 5, 4)}, constants)


@pytest.mark.parametrize(
    "name", ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceLogSumExp"]
)
@pytest.mark.parametrize("axes", [(2, 3), (1,), (-1, 0), (2,), (0, 1, 2, 3), None])
@pytest.mark.parametrize("keep", [0, 1])
def test_reduce(parity: Any, image: Any, kernel: Any, name: str, axes: Any, keep: int) -> None:
    attributes: dict[str, Any] = {"keepdims": keep}
    opset = 11
    constants = dict(kernel)
    inputs = ["c"]
    if name in ("ReduceSum", "ReduceMean") and axes is not None:
        opset, constants["a"], inputs = 18, ints(*axes), ["c", "a"]
    elif axes is not None:
        attributes["axes"] = axes
    nodes = after_conv(helper.make_node(name, inputs, ["y"], **attributes))
    parity(nodes, {"x": image(2, 3, 5, 4)}, constants, opset=opset)


@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("keep", [0, 1])
def test_arg_max(parity: Any, image: Any, kernel: Any, axis: int, keep: int) -> None:
    nodes = after_conv(helper.make_node("ArgMax", ["c"], ["y"], axis=axis, keepdims=keep))
    parity(nodes, {"x": image(2, 3, 5, 4)}, kernel, gradient=False)


def test_expand_and_tile(parity: Any, image: Any, kernel: Any) -> None:
    nodes = after_conv(
        helper.make_node("GlobalAveragePool", ["c"], ["g"]),
        helper.make_node("Shape", ["c"], ["s"]),
        helper.make_node("Expand", ["g", "s"], ["e"]),
        helper.make_node("Tile", ["e", "t"], ["y"]),
    )
    parity(nodes, {"x": image(2, 3, 5, 4)}, {**kernel, "t": ints(1, 2, 1, 3)})


@pytest.mark.parametrize("trans_a", [0, 1])
@pytest.mark.parametrize("trans_b", [0, 1])
@pytest.mark.parametrize("bias", [None, (7,), (1, 7), (4, 7), ()])
def test_gemm(parity: Any, image: Any, trans_a: int, trans_b: int, bias: Any) -> None:
    constants = {"b": image(*((7, 5) if trans_b else (5, 7)), seed=1)}
    if bias is not None:
        constants["c"] = image(*bias, seed=2).astype(np.float32)
    node = helper.make_node(
        "Gemm", ["x", *constants], ["y"], alpha=0.7, beta=1.3, transA=trans_a, transB=trans_b
    )
    parity(node, {"x": image(*((5, 4) if trans_a else (4, 5)))}, constants)


@pytest.mark.parametrize(
    ("a", "b"), [((4, 5), (5, 3)), ((2, 4, 5), (5, 3)), ((2, 1, 4, 5), (3, 5, 2)), ((2, 5), (5,))]
)
def test_matmul(parity: Any, image: Any, a: Any, b: Any) -> None:
    node = helper.make_node("MatMul", ["x", "b"], ["y"])
    parity(node, {"x": image(*a)}, {"b": image(*b, seed=1)}, free=False)


def test_tokens_stay_as_they_are(parity: Any, image: Any, kernel: Any) -> None:
    """A vision transformer: an image, then tokens [N, tokens, C], which are not moved."""
    nodes = after_conv(
        helper.make_node("Reshape", ["c", "s"], ["r"]),
        helper.make_node("Transpose", ["r"], ["tokens"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["tokens", "m"], ["y"]),
    )
    constants = {**kernel, "s": ints(0, 6, -1), "m": image(6, 8, seed=5)}
    program = parity(nodes, {"x": image(2, 3, 5, 4)}, constants)
    assert program.values["y"].shape == (None, None, 8)
    assert program.values["tokens"].shape == (None, None, 6)
