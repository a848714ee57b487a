"""Sampling at computed places against onnxruntime and finite differences."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from onnx import helper

from kerasviz.importers.onnx import read_onnx

MODES = list(product(["nearest", "linear", "cubic"], ["zeros", "border", "reflection"], [0, 1]))


def grid_of(*shape: int) -> Any:
    """Places well outside of the image too."""
    return np.random.default_rng(5).uniform(-2.3, 2.3, shape).astype(np.float32)


@pytest.mark.parametrize(("mode", "padding", "corners"), MODES)
def test_grid(parity: Any, image: Any, mode: str, padding: str, corners: int) -> None:
    node = helper.make_node(
        "GridSample", ["x", "g"], ["y"], mode=mode, padding_mode=padding, align_corners=corners
    )
    x, grid = image(2, 3, 5, 7), grid_of(2, 4, 6, 2)
    light = mode == "linear" or padding == "reflection"
    parity(node, {"x": x}, {"g": grid}, opset=20, free=False, gradient=light and corners == 1)
    if mode != "nearest" and light and corners == 0:  # the places have slopes too
        parity(node, {"g": grid}, {"x": x}, opset=20, free=False)


@pytest.mark.parametrize(
    ("mode", "padding", "corners"), [m for m in MODES if m[0] != "cubic" and m[2]]
)
def test_grid_with_three_axes(
    parity: Any, image: Any, mode: str, padding: str, corners: int
) -> None:
    node = helper.make_node(
        "GridSample", ["x", "g"], ["y"], mode=mode, padding_mode=padding, align_corners=corners
    )
    grid = grid_of(1, 2, 3, 4, 3)
    parity(node, {"x": image(1, 2, 4, 5, 3)}, {"g": grid}, opset=20, free=False, gradient=False)


def test_grid_between_convolutions(parity: Any, image: Any) -> None:
    """With free sizes, in opset 16, where the modes have other names."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("GridSample", ["c", "g"], ["y"], mode="bilinear"),
        helper.make_node("Conv", ["y", "v"], ["z"]),
    ]
    constants = {
        "w": image(3, 3, 3, 3, seed=1),
        "v": image(2, 3, 1, 1, seed=2),
        "g": grid_of(3, 3, 3, 2),
    }
    program = parity(nodes, {"x": image(3, 3, 3, 3)}, constants, opset=16)
    assert program.values["y"].shape[-1] == 3


@pytest.mark.parametrize("size", [(2, 3, 5, 7), (1, 2, 3, 4, 5)])
@pytest.mark.parametrize("corners", [0, 1])
def test_affine(parity: Any, image: Any, size: tuple[int, ...], corners: int) -> None:
    count = len(size) - 2
    node = helper.make_node("AffineGrid", ["t", "s"], ["y"], align_corners=corners)
    parity(
        node, {"t": image(size[0], count, count + 1)}, {"s": np.array(size)}, opset=20, free=False
    )


ROIS = np.array([[0, 0, 6, 4], [2.2, 1.1, 9.7, 6.3], [-3, -2, 3, 12], [5, 5, 5.2, 5.1]], np.float32)
INDEX = np.array([0, 1, 1, 0])


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("ratio", [0, 2])
@pytest.mark.parametrize("place", ["half_pixel", "output_half_pixel"])
def test_regions(parity: Any, image: Any, mode: str, ratio: int, place: str) -> None:
    node = helper.make_node(
        "RoiAlign",
        ["x", "r", "i"],
        ["y"],
        mode=mode,
        sampling_ratio=ratio,
        output_height=3,
        output_width=2,
        spatial_scale=0.8,
        coordinate_transformation_mode=place,
    )
    constants = {"r": ROIS, "i": INDEX}
    parity(node, {"x": image(2, 3, 7, 9)}, constants, opset=16, free=mode == "avg")


def test_regions_before_opset_16(parity: Any, image: Any) -> None:
    node = helper.make_node("RoiAlign", ["x", "r", "i"], ["y"], output_height=2, output_width=3)
    parity(node, {"x": image(2, 3, 7, 9)}, {"r": ROIS, "i": INDEX}, opset=10)


def test_largest_of_regions(parity: Any, image: Any) -> None:
    rois = np.concatenate([INDEX[:, None], ROIS], 1).astype(np.float32)
    node = helper.make_node("MaxRoiPool", ["x", "r"], ["y"], pooled_shape=[3, 2], spatial_scale=0.8)
    parity(node, {"x": image(2, 3, 7, 9)}, {"r": rois})


DEFORMED: dict[str, dict[str, Any]] = {
    "plain": {},
    "padded": {"pads": [1, 0, 2, 1], "strides": [2, 1]},
    "dilated": {"dilations": [2, 1]},
    "groups": {"group": 2},
    "groups of offsets": {"offset_group": 2},
    "both": {"group": 2, "offset_group": 4, "pads": [1, 1, 1, 1]},
}


def deformed(image: Any, case: str) -> tuple[Any, dict[str, Any], tuple[int, int]]:
    """The node, its constants and the size of its output for images of 7 x 8."""
    attributes = DEFORMED[case]
    pads, strides = attributes.get("pads", [0] * 4), attributes.get("strides", [1, 1])
    gaps = attributes.get("dilations", [1, 1])
    size = tuple(
        (n + pads[k] + pads[2 + k] - gaps[k] * (m - 1) - 1) // strides[k] + 1
        for k, (n, m) in enumerate(zip((7, 8), (3, 2), strict=True))
    )
    groups = attributes.get("offset_group", 1)
    constants = {
        "w": image(6, 4 // attributes.get("group", 1), 3, 2, seed=1),
        "o": 0.7 * image(2, groups * 12, *size, seed=2),
        "b": image(6, seed=3),
        "m": image(2, groups * 6, *size, seed=4),
    }
    node = helper.make_node("DeformConv", ["x", "w", "o", "b", "m"], ["y"], **attributes)
    return node, constants, size


@pytest.mark.parametrize("case", DEFORMED)
@pytest.mark.parametrize("towards", ["x", "o", "m"])
def test_deformed_window(parity: Any, image: Any, case: str, towards: str) -> None:
    node, constants, _ = deformed(image, case)
    values = {"x": image(2, 4, 7, 8), **constants}
    feeds = {towards: values.pop(towards)}
    parity(node, feeds, values, opset=19, free=False)


def test_window_that_is_not_deformed(tmp_path: Any, write: Any, image: Any) -> None:
    """Without offsets it is a convolution."""
    x, w = image(1, 2, 5, 6), image(3, 2, 3, 3, seed=1)
    found = []
    for operator, more in (
        ("Conv", {}),
        ("DeformConv", {"o": np.zeros((1, 18, 3, 4), np.float32)}),
    ):
        node = helper.make_node(operator, ["x", "w", *more], ["y"])
        path = write(
            tmp_path / "m.onnx", [node], {"x": (np.float32, x.shape)}, {"w": w, **more}, opset=19
        )
        found.append(read_onnx(path).program.compute({"x": x}, ["y"], channels_last=False)["y"])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-5)
