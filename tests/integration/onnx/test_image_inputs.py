"""Image inputs of ONNX files that are no floats [N, C, H, W]."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper
from support.onnx_models import session

import kerasviz
from kerasviz.network.input_spec import preset

DRAW = np.random.default_rng(0)
WEIGHT = (DRAW.standard_normal((4, 3, 3, 3)) * 0.2).astype(np.float32)
TAIL = [
    helper.make_node("Conv", ["x", "w"], ["conv"], pads=[1, 1, 1, 1]),
    helper.make_node("Relu", ["conv"], ["relu"]),
    helper.make_node("GlobalAveragePool", ["relu"], ["pool"]),
    helper.make_node("Flatten", ["pool"], ["logits"]),
]
CAST = helper.make_node("Cast", ["moved"], ["x"], to=TensorProto.FLOAT)
Nodes = list[onnx.NodeProto]


def saved(
    path: Path, nodes: Nodes, kind: int, shape: list[Any], constants: dict[str, Any]
) -> kerasviz.Network:
    graph = helper.make_graph(
        [*nodes, *TAIL],
        "g",
        [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(a, n) for n, a in {"w": WEIGHT, **constants}.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return kerasviz.load(path)


def node(op: str, *inputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, ["image", *inputs], ["moved"], **attributes)


#: What files do to an image of whole numbers before they convert it, and the constants for it.
HEADS: dict[str, tuple[Nodes, dict[str, Any]]] = {
    "nothing": ([node("Identity"), CAST], {}),
    "another order of the colours": (
        [node("Slice", "start", "end", "axis", "step"), CAST],
        {"start": np.array([2]), "end": np.array([-9]), "axis": np.array([1])}
        | {"step": np.array([-1])},
    ),
    "a margin": (
        [node("Pad", "pads", "margin"), CAST],
        {"pads": np.array([0, 0, 1, 2, 0, 0, 0, 1]), "margin": np.array(7, np.uint8)},
    ),
    "a larger size": (
        [node("Resize", "", "scales", mode="nearest"), CAST],
        {"scales": np.array([1, 1, 2, 2], np.float32)},
    ),
    "wider numbers and an offset": (
        [
            helper.make_node("Cast", ["image"], ["wide"], to=TensorProto.INT32),
            helper.make_node("Sub", ["wide", "offset"], ["moved"]),
            CAST,
        ],
        {"offset": np.array(12, np.int32)},
    ),
    "quantized numbers": (
        [helper.make_node("DequantizeLinear", ["image", "scale", "zero"], ["x"])],
        {"scale": np.array(0.5, np.float32), "zero": np.array(3, np.uint8)},
    ),
}


@pytest.mark.parametrize("head", HEADS)
def test_whole_numbers_are_fed_as_floats(head: str, tmp_path: Path) -> None:
    nodes, constants = HEADS[head]
    path = tmp_path / "m.onnx"
    net = saved(path, nodes, TensorProto.UINT8, ["n", 3, "h", "w"], constants)
    assert net.image_port.dtype == tf.uint8 and net.image_port.as_floats
    assert net.input_spec is not None and net.input_spec.range == (0, 255)
    pixels = DRAW.integers(0, 256, (2, 9, 7, 3), np.uint8)
    feeds = {"image": pixels.transpose(0, 3, 1, 2)}
    (wanted,) = session(path, []).run(["logits"], feeds)
    np.testing.assert_allclose(net.run(feeds)["logits"], wanted, rtol=1e-5, atol=1e-4)
    images = tf.constant(pixels / 255, tf.float32)
    found = net.activations(images, ["logits"])["logits"]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-4)
    # The gradient is that of the floats: a step that is less than one level changes the score.
    direction = tf.constant(DRAW.standard_normal(pixels.shape), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(net.activations(images, ["conv"])["conv"][..., 1])
    slope = tf.reduce_sum(tape.gradient(total, images) * direction)
    step = net.activations(images + 1e-3 * direction, ["conv"])["conv"][..., 1]
    np.testing.assert_allclose((tf.reduce_sum(step) - total) / 1e-3, slope, rtol=0.02, atol=1)


def test_what_has_no_gradient_is_said(tmp_path: Path) -> None:
    nodes = [node("Greater", "half"), CAST]
    constants = {"half": np.array(100, np.uint8)}
    net = saved(tmp_path / "m.onnx", nodes, TensorProto.UINT8, ["n", 3, "h", "w"], constants)
    with pytest.raises(kerasviz.KerasvizError, match=r"conv has no gradient .*image \(uint8\)"):
        kerasviz.render(net, "conv:1", steps=1, size=16, precision="float32")


#: Shapes of the input, the nodes that make [N, 3, H, W] of it, and its axes of [N, H, W, C].
SHAPES: dict[str, tuple[list[Any], Nodes, Any]] = {
    "no batch": ([3, "h", "w"], [node("Unsqueeze", "zero")], lambda x: x[0].transpose(2, 0, 1)),
    "no batch, channels last": (
        [16, 20, 3],
        [
            node("Transpose", perm=[2, 0, 1]),
            helper.make_node("Unsqueeze", ["moved", "zero"], ["moved2"]),
        ],
        lambda x: x[0],
    ),
    "no channels": (
        ["n", 16, 20],
        [
            node("Unsqueeze", "one"),
            helper.make_node("Concat", ["moved", "moved", "moved"], ["moved2"], axis=1),
        ],
        lambda x: x[..., 0],
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_images_without_batch_or_channels(shape: str, tmp_path: Path) -> None:
    lengths, nodes, feed = SHAPES[shape]
    last = helper.make_node("Identity", [nodes[-1].output[0]], ["x"])
    constants = {"zero": np.array([0]), "one": np.array([1])}
    path = tmp_path / "m.onnx"
    net = saved(path, [*nodes, last], TensorProto.FLOAT, lengths, constants)
    net = net.with_input_spec(preset("unit"))
    assert net.channels == (1 if shape == "no channels" else 3)
    images = DRAW.random((3, 16, 20, net.channels), np.float32)
    found = net.activations(images, ["relu", "logits"])
    rows = [session(path, ["relu"]).run(["relu", "logits"], {"image": feed(x[None])})
            for x in images]  # fmt: skip
    relu, logits = (np.concatenate(part) for part in zip(*rows, strict=True))
    np.testing.assert_allclose(found["relu"], relu.transpose(0, 2, 3, 1), atol=1e-5)
    np.testing.assert_allclose(found["logits"], logits, atol=1e-5)
    result = kerasviz.render(net, ["relu:1", "logits:2"], steps=2, size=(16, 20))
    assert result.images.shape == (2, 16, 20, net.channels)


@pytest.mark.parametrize(
    ("first", "last", "opset"), [(0, 0, 9), (0, -1, 9), (-1, 0, 17), (0, 6, 17)]
)
def test_zeros_in_a_computed_target_keep_lengths(
    first: int, last: int, opset: int, tmp_path: Path
) -> None:
    make = helper.make_node
    ends = (
        (["narrow", "one", "two"], {}) if opset > 9 else (["narrow"], {"starts": [1], "ends": [2]})
    )
    nodes = [
        make("Conv", ["x", "w"], ["conv"], strides=[8, 2]),  # [N, 6, 1, T]
        make("Squeeze", ["conv", "two"] if opset > 9 else ["conv"], ["row"],
             **({} if opset > 9 else {"axes": [2]})),
        make("Transpose", ["row"], ["steps"], perm=[0, 2, 1]),  # [N, T, 6]
        make("Shape", ["steps"], ["lengths"]),
        make("Cast", ["lengths"], ["narrow"], to=TensorProto.INT32),
        make("Slice", ends[0], ["middle"], **ends[1]),
        make("Cast", ["middle"], ["wide"], to=TensorProto.INT64),
        make("Concat", ["first", "wide", "last"], ["target"], axis=0),
        make("Reshape", ["steps", "target"], ["again"]),
        make("MatMul", ["again", "head"], ["scores"]),
    ]  # fmt: skip
    constants = {
        "w": (DRAW.standard_normal((6, 3, 8, 2)) * 0.1).astype(np.float32),
        "head": DRAW.standard_normal((6, 5)).astype(np.float32),
        "first": np.array([first]), "last": np.array([last]),
        "one": np.array([1]), "two": np.array([2]),
    }  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 8, "W"])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", "T", 5])],
        [numpy_helper.from_array(a, n) for n, a in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=6)
    onnx.save(model, tmp_path / "m.onnx")
    net = kerasviz.load(tmp_path / "m.onnx").with_input_spec(preset("unit"))
    assert net.taps["again"].shape == (None, None, None if last == -1 else 6)
    for count, width in ((1, 12), (3, 26)):
        x = DRAW.random((count, 8, width, 3), np.float32)
        feeds = {"x": x.transpose(0, 3, 1, 2)}
        (wanted,) = session(tmp_path / "m.onnx", []).run(["scores"], feeds)
        traced = tf.function(lambda x: net.activations(x, ["scores"])["scores"])
        np.testing.assert_allclose(traced(x), wanted, atol=1e-5)
        np.testing.assert_allclose(net.run(feeds)["scores"], wanted, atol=1e-5)


def test_a_free_number_of_axes_is_that_of_the_convolution(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    net = saved(path, [helper.make_node("Identity", ["image"], ["x"])], 1, ["n", 3, 9, 7], {})
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.ClearField("shape")
    onnx.save(model, path)
    free = kerasviz.load(path)
    assert free.image_port.shape == (None, 3, None, None) and free.channels == 3
    assert free.taps["relu"].shape == (None, None, None, 4)
    x = DRAW.random((2, 3, 9, 7), np.float32)
    np.testing.assert_array_equal(free.run({"image": x})["logits"], net.run({"image": x})["logits"])


def test_quantized_convolutions_take_the_image_itself(tmp_path: Path) -> None:
    constants = {
        "kernel": DRAW.integers(-50, 50, (4, 3, 3, 3), np.int8),
        "in scale": np.array(1 / 255, np.float32),
        "scale": np.array(0.02, np.float32),
        "out scale": np.array(0.05, np.float32),
        "zero": np.array(0, np.uint8),
        "no": np.array(0, np.int8),
    }
    inputs = ["image", "in scale", "zero", "kernel", "scale", "no", "out scale", "zero"]
    nodes = [
        helper.make_node("QLinearConv", inputs, ["codes"]),
        helper.make_node("DequantizeLinear", ["codes", "out scale", "zero"], ["real"]),
        helper.make_node("Concat", ["real", "real", "real"], ["many"], axis=1),
        helper.make_node("Slice", ["many", "from", "to", "axis"], ["x"]),
    ]
    constants |= {"from": np.array([0]), "to": np.array([3]), "axis": np.array([1])}
    path = tmp_path / "m.onnx"
    net = saved(path, nodes, TensorProto.UINT8, ["n", 3, "h", "w"], constants)
    pixels = DRAW.integers(0, 256, (2, 9, 7, 3), np.uint8)
    (wanted,) = session(path, []).run(["logits"], {"image": pixels.transpose(0, 3, 1, 2)})
    images = tf.constant(pixels / 255, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        found = net.activations(images, ["logits"])["logits"]
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)
    assert np.count_nonzero(tape.gradient(found, images)) > images.shape.num_elements() // 2
