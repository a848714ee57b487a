"""Space, channels, crops, pictures and boxes against onnxruntime, Pillow and finite differences."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from onnx import helper
from PIL import Image

from kerasviz.errors import ModelError
from kerasviz.importers.onnx import read_onnx


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
@pytest.mark.parametrize("free", [False, True])
def test_depth_to_space(parity: Any, image: Any, mode: str, free: bool) -> None:
    node = helper.make_node("DepthToSpace", ["x"], ["y"], blocksize=2, mode=mode)
    program = parity(node, {"x": image(2, 12, 3, 5)}, free=free)
    assert program.values["y"].shape[-1] == 3


def test_space_to_depth_and_back(parity: Any, image: Any) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("SpaceToDepth", ["c"], ["d"], blocksize=3),
        helper.make_node("DepthToSpace", ["d"], ["y"], blocksize=3),
    ]
    program = parity(nodes, {"x": image(2, 3, 6, 9)}, {"w": image(2, 3, 1, 1, seed=1)})
    x = image(2, 3, 6, 9)
    found = program.compute({"x": x}, ["c", "y"], channels_last=False)
    np.testing.assert_array_equal(found["c"], found["y"])


@pytest.mark.parametrize(
    ("image_shape", "block", "attributes"),
    [
        ((5, 6), (2, 3), {}),
        ((6, 7), (2, 2), {"strides": [2, 3], "pads": [0, 1, 1, 1]}),
        ((8, 7), (2, 3), {"dilations": [3, 2]}),
        ((9,), (3,), {"strides": [2]}),
        ((4, 5, 3), (2, 2, 1), {}),
    ],
)
def test_columns(
    parity: Any, image: Any, image_shape: Any, block: Any, attributes: dict[str, Any]
) -> None:
    count = len(block)
    strides = attributes.get("strides", [1] * count)
    gaps, pads = attributes.get("dilations", [1] * count), attributes.get("pads", [0] * 2 * count)
    windows = [
        (image_shape[k] + pads[k] + pads[count + k] - gaps[k] * (block[k] - 1) - 1) // strides[k]
        + 1
        for k in range(count)
    ]
    node = helper.make_node("Col2Im", ["x", "s", "b"], ["y"], **attributes)
    constants = {"s": np.array(image_shape), "b": np.array(block)}
    x = image(2, 3 * int(np.prod(block)), int(np.prod(windows)))
    parity(node, {"x": x}, constants, opset=18)


@pytest.mark.parametrize("free", [False, True])
def test_middle(parity: Any, image: Any, free: bool) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("CenterCropPad", ["c", "s"], ["y"], axes=[2, -1]),
    ]
    constants = {"w": image(3, 3, 1, 1, seed=1), "s": np.array([4, 10])}
    program = parity(nodes, {"x": image(2, 3, 7, 5)}, constants, opset=18, free=free)
    assert program.values["y"].shape == (None, 4, 10, 3)


MODES = ("constant", "edge", "reflect", "wrap")
PADS: dict[str, list[int]] = {
    "small": [0, 0, 1, 2, 0, 0, 2, 1],
    "channels": [0, 1, 0, 0, 0, 1, 0, 2],
    "taken away": [0, 0, -1, 2, 0, 0, 1, -2],
}


@pytest.mark.parametrize("pads", PADS)
@pytest.mark.parametrize("mode", MODES)
def test_pads(parity: Any, image: Any, pads: str, mode: str) -> None:
    node = helper.make_node("Pad", ["c", "p"], ["y"], mode=mode)
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), node]
    constants = {"w": image(3, 3, 1, 1, seed=1), "p": np.array(PADS[pads])}
    parity(nodes, {"x": image(2, 3, 5, 6)}, constants, opset=19, free=mode == "constant")


@pytest.mark.parametrize("mode", ["edge", "reflect", "wrap"])
def test_pads_longer_than_the_image(tmp_path: Any, write: Any, image: Any, mode: str) -> None:
    x = image(1, 2, 3, 4)
    node = helper.make_node("Pad", ["x", "p", "", "a"], ["y"], mode=mode)
    constants = {"p": np.array([7, 5, 8, 11]), "a": np.array([-2, 3])}
    path = write(tmp_path / "m.onnx", [node], {"x": (np.float32, x.shape)}, constants, opset=19)
    found = read_onnx(path).program.compute({"x": x}, ["y"], channels_last=False)["y"]
    wanted = np.pad(x, [(0, 0), (0, 0), (7, 8), (5, 11)], mode=mode)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("mode", MODES)
def test_pads_that_are_computed(tmp_path: Any, write: Any, image: Any, mode: str) -> None:
    x = image(1, 2, 5, 4)
    node = helper.make_node("Pad", ["x", "p"], ["y"], mode=mode)
    path = write(
        tmp_path / "m.onnx",
        [node],
        {"x": (np.float32, x.shape), "p": (np.int64, (8,))},
        opset=19,
    )
    program = read_onnx(path).program
    run = tf.function(lambda a, p: program.compute({"x": a, "p": p}, ["y"], channels_last=False))
    pads = tf.constant([0, 0, 2, -1, 0, 0, 1, 1], tf.int64)
    wanted = np.pad(x[..., 1:], [(0, 0), (0, 0), (2, 1), (0, 1)], mode=mode)
    np.testing.assert_array_equal(run(x, pads)["y"], wanted)


def test_pads_of_old_opsets(parity: Any, image: Any) -> None:
    old = helper.make_node("Pad", ["x"], ["y"], pads=[0, 0, 1, 0, 0, 0, 2, 3], value=1.5)
    parity(old, {"x": image(1, 2, 4, 3)}, opset=10)


BOXES = {"plain": 0, "centre": 1}


@pytest.mark.parametrize("kind", BOXES)
@pytest.mark.parametrize("least", [None, 0.0, 0.4])
@pytest.mark.parametrize("most", [0, 2, 20])
def test_boxes(
    tmp_path: Any, write: Any, tap_errors: Any, kind: str, least: float | None, most: int
) -> None:
    rng = np.random.default_rng(most)
    corners = rng.uniform(0, 1, (2, 9, 4)).astype(np.float32)
    scores = rng.normal(size=(2, 3, 9)).astype(np.float32)
    node = helper.make_node(
        "NonMaxSuppression",
        ["b", "s", "m", "o", *([] if least is None else ["l"])],
        ["y"],
        center_point_box=BOXES[kind],
    )
    constants = {"m": np.array([most]), "o": np.array([0.3], np.float32)}
    if least is not None:
        constants["l"] = np.array([least], np.float32)
    shapes = {"b": (np.float32, corners.shape), "s": (np.float32, scores.shape)}
    path = write(tmp_path / "m.onnx", [node], shapes, constants)
    feeds = {"b": corners, "s": scores}
    assert tap_errors(path, feeds) == {"y": 0.0}
    program = read_onnx(path).program
    run = tf.function(lambda b, s: program.compute({"b": b, "s": s}, ["y"])["y"])
    np.testing.assert_array_equal(run(corners, scores), program.compute(feeds, ["y"])["y"])


def picture_model(tmp_path: Any, write: Any, kind: str) -> Any:
    node = helper.make_node("ImageDecoder", ["x"], ["y"], pixel_format=kind)
    path = write(tmp_path / "m.onnx", [node], {"x": (np.uint8, [None])}, opset=20)
    return read_onnx(path).program


@pytest.mark.parametrize("kind", ["RGB", "BGR", "Grayscale"])
@pytest.mark.parametrize("format", ["PNG", "BMP", "PPM", "GIF"])
def test_pictures(tmp_path: Any, write: Any, kind: str, format: str) -> None:
    """What keeps every pixel gives every pixel back."""
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    if format == "GIF":  # as few colours as it can keep
        pixels = (pixels // 128) * 255
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format)
    data = np.frombuffer(file.getvalue(), np.uint8)
    program = picture_model(tmp_path, write, kind)
    found = program.compute({"x": data}, ["y"])["y"].numpy()
    if kind == "Grayscale":
        wanted = np.asarray(Image.fromarray(pixels).convert("L"))[..., None]
    else:
        wanted = pixels if kind == "RGB" else pixels[..., ::-1]
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(
        tf.function(lambda x: program.compute({"x": x}, ["y"])["y"])(data), found
    )


def test_picture_of_another_kind(tmp_path: Any, write: Any) -> None:
    program = picture_model(tmp_path, write, "RGB")
    with pytest.raises(ModelError, match="Unknown image file format"):
        program.compute({"x": np.frombuffer(b"II*\0 no picture at all", np.uint8)}, ["y"])
