"""Transposed convolutions against onnxruntime and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

from kerasviz.importers.onnx import read_onnx

SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...], int]] = {
    "dense": ((2, 3, 5, 4), (3, 4, 3, 2), 1),
    "groups": ((2, 4, 5, 4), (4, 3, 3, 3), 2),
    "depthwise": ((1, 4, 5, 4), (4, 1, 3, 3), 4),
    "depthwise multiplied": ((1, 3, 5, 4), (3, 2, 2, 4), 3),
    "one channel": ((1, 1, 5, 4), (1, 1, 3, 3), 1),
    "one axis": ((2, 3, 6), (3, 2, 3), 1),
    "one axis in groups": ((2, 2, 6), (2, 1, 3), 2),
    "three axes": ((1, 2, 3, 4, 3), (2, 2, 2, 3, 2), 1),
}
CASES: dict[str, dict[str, list[int] | str]] = {
    "plain": {},
    "unequal strides": {"strides": [1, 2, 3]},
    "padded": {"strides": [2, 2, 2], "pads": [1, 1, 1, 1, 1, 1]},
    "more at the end": {"strides": [3, 3, 3], "output_padding": [2, 1, 0]},
    "dilated": {
        "strides": [2, 2, 2],
        "dilations": [2, 3, 2],
        "output_padding": [1, 1, 1],
        "pads": [1, 0, 1, 0, 2, 1],
    },
    "upper": {"strides": [2, 2, 2], "auto_pad": "SAME_UPPER"},
    "lower": {"strides": [2, 2, 2], "auto_pad": "SAME_LOWER"},
    "shape": {"strides": [2, 2, 2], "output_shape": [10, 9, 8]},
    "shape upper": {"strides": [2, 2, 2], "output_shape": [9, 7, 5], "auto_pad": "SAME_UPPER"},
}


def fitted(attributes: dict[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:
    """The attributes for as many axes as ``shape`` has."""
    count = len(shape) - 2
    made = {}
    for name, value in attributes.items():
        if name == "pads":
            made[name] = [*value[:count], *value[3 : 3 + count]]
        elif name == "output_shape":
            made[name] = [2 * n - (k % 2) for k, n in enumerate(shape[2:])]
        else:
            made[name] = value if isinstance(value, str) else value[:count]
    return made


@pytest.mark.parametrize("kernel", SHAPES)
@pytest.mark.parametrize("case", CASES)
def test_adjoint(parity: Any, image: Any, kernel: str, case: str) -> None:
    shape, weights, group = SHAPES[kernel]
    node = helper.make_node(
        "ConvTranspose", ["x", "w", "b"], ["y"], group=group, **fitted(CASES[case], shape)
    )
    constants = {"w": image(*weights, seed=1), "b": image(weights[1] * group, seed=2)}
    free = list(CASES).index(case) % 2 == 0
    gradient = (list(SHAPES).index(kernel) + list(CASES).index(case)) % 3 == 0
    program = parity(node, {"x": image(*shape)}, constants, free=free, gradient=gradient)
    assert program.inputs["x"].channels_first
    assert program.values["y"].shape[-1] == weights[1] * group


def test_equal_lengths_behind_a_convolution(parity: Any, image: Any) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("ConvTranspose", ["c", "v"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1]),
    ]
    constants = {"w": image(3, 3, 3, 3, seed=1), "v": image(3, 3, 3, 3, seed=2)}
    parity(nodes, {"x": image(3, 3, 3, 3)}, constants)


def test_more_behind_the_last_window_than_a_stride(tmp_path: Any, write: Any, image: Any) -> None:
    """The kernel's gaps allow it; onnxruntime refuses it. What is added holds zeros."""
    x, w = image(1, 2, 3, 4), image(2, 3, 2, 2, seed=1)
    made = []
    for added in ([0, 0], [2, 2]):
        node = helper.make_node(
            "ConvTranspose", ["x", "w"], ["y"], dilations=[3, 3], output_padding=added
        )
        path = write(tmp_path / "m.onnx", [node], {"x": (np.float32, x.shape)}, {"w": w})
        found = read_onnx(path).program.compute({"x": x}, ["y"], channels_last=False)
        made.append(found["y"].numpy())
    small, large = made
    assert large.shape == (1, 3, 8, 9)
    np.testing.assert_array_equal(large[..., :6, :7], small)
    assert not large[..., 6:, :].any()
    assert not large[..., 7:].any()


@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_types(tmp_path: Any, write: Any, image: Any, operator: str, dtype: Any) -> None:
    """The same numbers as in single precision, in the type of the model."""
    x, w, b = image(1, 4, 6, 5), image(4, 2, 3, 3, seed=1), image(4, seed=2)
    node = helper.make_node(operator, ["x", "w", "b"], ["y"], group=2)
    found = []
    for kind in (dtype, np.float32):
        constants = {"w": w.astype(kind), "b": b.astype(kind)}
        path = write(tmp_path / "m.onnx", [node], {"x": (kind, x.shape)}, constants)
        program = read_onnx(path).program
        made = program.compute({"x": x.astype(kind)}, ["y"], channels_last=False)
        found.append(made["y"].numpy())
    assert found[0].dtype == dtype
    np.testing.assert_allclose(found[0], found[1], rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("shape", [(2, 3, 9, 12), (2, 3, 11)])
def test_convolution_that_cuts_its_image(tmp_path: Any, write: Any, image: Any, shape: Any) -> None:
    """Negative pads take entries away; onnxruntime refuses them."""
    count = len(shape) - 2
    x, w = image(*shape), image(4, 3, *[3] * count, seed=1)
    cut = x[:, :, 1:, 2:] if count == 2 else x[:, :, 1:]
    found = []
    for pads, given in (([-1, -2, 1, 0], x), ([0, 0, 1, 0], cut)):
        flat = pads if count == 2 else [pads[0], pads[2]]
        node = helper.make_node("Conv", ["x", "w"], ["y"], pads=flat)
        path = write(tmp_path / "m.onnx", [node], {"x": (np.float32, given.shape)}, {"w": w})
        found.append(read_onnx(path).program.compute({"x": given}, ["y"], channels_last=False)["y"])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-5)
