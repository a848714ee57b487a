"""Resize and Upsample against onnxruntime and finite differences."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from onnx import helper

from kerasviz.importers.onnx import read_onnx

TRANSFORMS = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
)
KINDS: tuple[dict[str, Any], ...] = (
    *({"mode": "nearest", "nearest_mode": f"round_prefer_{n}"} for n in ("floor", "ceil")),
    *({"mode": "nearest", "nearest_mode": n} for n in ("floor", "ceil")),
    {"mode": "linear"},
    {"mode": "cubic"},
    {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1},
    {"mode": "linear", "antialias": 1},
    {"mode": "cubic", "antialias": 1},
    {"mode": "cubic", "antialias": 1, "exclude_outside": 1},
)


def resize(inputs: list[str], **attributes: Any) -> Any:
    return helper.make_node("Resize", inputs, ["y"], **attributes)


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("target", ["scales", "sizes"])
def test_all_modes_up_and_down(
    tmp_path: Any, write: Any, tap_errors: Any, image: Any, transform: str, target: str
) -> None:
    """Every mode at once, in one model per pair of scales."""
    x = image(1, 2, 7, 10)
    pairs = [(2.0, 2.0), (0.6, 0.7), (1.5, 2.3), (3.0, 0.5), (0.3, 1.7)]
    for index, pair in enumerate(pairs[:3] if target == "scales" else pairs[1::3]):
        scales = np.array([1, 1, *pair], np.float32)
        sizes = np.floor(scales * np.array(x.shape, np.float32)).astype(np.int64)
        nodes = []
        for k, kind in enumerate(KINDS):
            if kind.get("antialias") and transform == "align_corners":
                continue
            names = ["x", "", "t"] if target == "scales" else ["x", "", "", "t"]
            node = resize(names, coordinate_transformation_mode=transform, **kind)
            node.output[0] = f"y{k}"
            nodes.append(node)
        constants = {"t": scales if target == "scales" else sizes}
        path = write(
            tmp_path / f"{index}.onnx", nodes, {"x": (np.float32, x.shape)}, constants, opset=18
        )
        errors = tap_errors(path, {"x": x})
        assert max(errors.values()) < 1e-5, (pair, errors)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("scales", [(2, 2), (2, 3), (0.5, 0.5), (0.7, 1.6)])
def test_gradient_behind_a_convolution(
    parity: Any, image: Any, mode: str, scales: tuple[float, float]
) -> None:
    """With free sizes too: the matrices are computed in the run then."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        resize(["c", "", "s"], mode=mode),
        helper.make_node("Conv", ["y", "v"], ["z"]),
    ]
    constants = {
        "w": image(4, 3, 3, 3, seed=1),
        "v": image(2, 4, 2, 2, seed=2),
        "s": np.array([1, 1, *scales], np.float32),
    }
    program = parity(nodes, {"x": image(2, 3, 6, 9)}, constants, gradient=False)
    assert program.values["y"].shape[-1] == 4  # channels last
    sizes = np.array([2, 4, int(6 * scales[0]), int(9 * scales[1])])
    nodes[1] = resize(["c", "", "", "s"], mode=mode)
    parity(nodes, {"x": image(2, 3, 6, 9)}, {**constants, "s": sizes}, free=False)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_equal_lengths(parity: Any, image: Any, mode: str) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        resize(["c", "", "", "s"], mode=mode, coordinate_transformation_mode="align_corners"),
    ]
    sizes = np.array([3, 3, 5, 4])
    parity(nodes, {"x": image(3, 3, 3, 3)}, {"w": image(3, 3, 1, 1, seed=1), "s": sizes})


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_crop(parity: Any, image: Any, mode: str) -> None:
    roi = np.array([0, 0, 0.1, -0.2, 1, 1, 0.8, 1.1], np.float32)
    node = resize(
        ["x", "roi", "", "s"],
        mode=mode,
        coordinate_transformation_mode="tf_crop_and_resize",
        extrapolation_value=3.0,
    )
    constants = {"roi": roi, "s": np.array([1, 3, 5, 11])}
    parity(node, {"x": image(1, 3, 7, 8)}, constants, gradient=False)


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
@pytest.mark.parametrize("free", [False, True])
def test_aspect_ratio(parity: Any, image: Any, policy: str, free: bool) -> None:
    node = resize(["x", "", "", "s"], mode="linear", axes=[3, 2], keep_aspect_ratio_policy=policy)
    constants = {"s": np.array([12, 10])}
    parity(node, {"x": image(1, 3, 7, 5)}, constants, opset=18, free=free)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_sizes_from_another_value(parity: Any, image: Any, mode: str) -> None:
    """As feature pyramids do: the size of one map is that of another."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("MaxPool", ["a"], ["b"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Shape", ["a"], ["s"]),
        helper.make_node("Slice", ["s", "two", "four"], ["tail"]),
        helper.make_node("Shape", ["b"], ["t"]),
        helper.make_node("Slice", ["t", "zero", "two"], ["head"]),
        helper.make_node("Concat", ["head", "tail"], ["size"], axis=0),
        resize(["b", "", "", "size"], mode=mode),
        helper.make_node("Add", ["a", "y"], ["z"]),
    ]
    constants = {
        "w": image(4, 3, 3, 3, seed=1),
        **{n: np.array([v]) for n, v in (("zero", 0), ("two", 2), ("four", 4))},
    }
    program = parity(nodes, {"x": image(2, 3, 7, 10)}, constants)
    assert program.values["y"].shape[-1] == 4


def test_scales_that_are_computed(parity: Any, image: Any) -> None:
    nodes = [
        helper.make_node("ReduceMax", ["k"], ["m"], keepdims=1, axes=[0]),
        helper.make_node("Concat", ["one", "one", "m", "m"], ["s"], axis=0),
        resize(["x", "", "s"], mode="linear"),
    ]
    feeds = {"x": image(2, 3, 5, 7), "k": np.array([0.5, 1.7], np.float32)}
    parity(nodes, feeds, {"one": np.ones(1, np.float32)}, free=False, gradient=False)


@pytest.mark.parametrize("shape", [(2, 3, 9), (1, 2, 3, 5, 4), (4, 6)])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_other_numbers_of_axes(parity: Any, image: Any, shape: tuple[int, ...], mode: str) -> None:
    head = shape[:2] if len(shape) > 2 else ()
    sizes = np.array([*head, *(2 * n - 1 for n in shape[len(head) :])])
    node = resize(["x", "", "", "s"], mode=mode)
    parity(node, {"x": image(*shape)}, {"s": sizes}, free=False)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("scales", [(2.0, 3.0), (1.5, 2.25), (0.5, 0.75)])
def test_before_opset_11(parity: Any, image: Any, mode: str, scales: tuple[float, ...]) -> None:
    x, both = {"x": image(1, 3, 7, 10)}, np.array([1, 1, *scales], np.float32)
    parity(
        helper.make_node("Resize", ["x", "s"], ["y"], mode=mode),
        x,
        {"s": both},
        opset=10,
        gradient=False,
    )
    if min(scales) < 1:
        return
    old = helper.make_node("Upsample", ["x", "s"], ["y"], mode=mode)
    parity(old, x, {"s": both}, opset=9, gradient=False)
    oldest = helper.make_node("Upsample", ["x"], ["y"], mode=mode, scales=[float(s) for s in both])
    parity(oldest, x, opset=7)


@pytest.mark.parametrize(
    ("dtype", "mode"),
    list(product([np.uint8, np.int8, np.int32, np.float16], ["nearest", "linear"])),
)
def test_types(tmp_path: Any, write: Any, tap_errors: Any, dtype: Any, mode: str) -> None:
    x = np.random.default_rng(0).integers(0, 100, (1, 3, 5, 6)).astype(dtype)
    if dtype == np.float16 and mode == "linear":
        path = write(
            tmp_path / "m.onnx",
            [resize(["x", "", "s"], mode=mode)],
            {"x": (dtype, x.shape)},
            {"s": np.array([1, 1, 2, 1.5], np.float32)},
        )
        y = read_onnx(path).program.compute({"x": x}, ["y"], channels_last=False)["y"].numpy()
        assert y.dtype == dtype
        assert y.shape == (1, 3, 10, 9)
        assert x.min() <= y.min() <= y.max() <= x.max()
        return
    path = write(
        tmp_path / "m.onnx",
        [resize(["x", "", "s"], mode=mode)],
        {"x": (dtype, x.shape)},
        {"s": np.array([1, 1, 2, 2], np.float32)},
    )
    assert tap_errors(path, {"x": x}) == {"y": 0.0}
