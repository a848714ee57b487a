"""Weights of a few bits in blocks, as onnxruntime unpacks them."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import helper

F = np.float32


def packed(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def node(op: str, inputs: Any, **given: Any) -> Any:
    return helper.make_node(op, list(inputs), ["y"], domain="com.microsoft", **given)


@pytest.mark.parametrize(
    ("bits", "zeros"),
    [(b, z) for b in (2, 4, 8) for z in ("none", "packed", "real") if (b, z) != (8, "real")],
)
@pytest.mark.parametrize("bias", [False, True])
def test_products_with_packed_weights(
    parity: Any, image: Any, bits: int, zeros: str, bias: bool
) -> None:
    """Three blocks of 32 rows, the last one cut."""
    rows, columns, block, blocks = 83, 5, 32, 3
    fixed: dict[str, Any] = {
        "w": packed(columns, blocks, block * bits // 8),
        "s": np.random.default_rng(1).uniform(0.5, 1.5, (columns, blocks)).astype(F),
    }
    inputs = ["x", "w", "s"]
    if zeros == "packed":
        fixed["z"] = packed(columns, -(-blocks * bits // 8), seed=2)
        inputs.append("z")
    if zeros == "real":
        fixed["z"] = np.random.default_rng(2).uniform(0, 2**bits, (columns, blocks)).astype(F)
        inputs.append("z")
    if bias:
        fixed["b"] = image(columns, seed=4)
        inputs += [""] * (5 - len(inputs)) + ["b"]
    fused = node("MatMulNBits", inputs, K=rows, N=columns, bits=bits, block_size=block)
    parity(fused, {"x": image(2, 4, rows)}, fixed, free=False, gradient=False)


@pytest.mark.parametrize("kind", [0, 1])
def test_products_with_weights_of_bitsandbytes(parity: Any, image: Any, kind: int) -> None:
    rows, columns, block = 48, 5, 16
    fixed = {
        "w": packed(rows * columns // 2),
        "s": np.random.default_rng(1).uniform(0.5, 1.5, rows * columns // block).astype(F),
    }
    fused = node("MatMulBnb4", ["x", *fixed], K=rows, N=columns, block_size=block, quant_type=kind)
    parity(fused, {"x": image(2, 4, rows)}, fixed, free=False, gradient=False)


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("kind", [np.uint8, ml_dtypes.int4, ml_dtypes.uint4])
def test_entries_of_packed_tables(
    write: Any, tap_errors: Any, tmp_path: Any, kind: Any, zeros: bool
) -> None:
    codes = np.random.default_rng(0).integers(0, 8, (7, 40)).astype(np.uint8)
    points = np.random.default_rng(2).integers(0, 8, (7, 4)).astype(np.uint8)
    if kind is np.uint8:  # two in a byte
        data, point = (a[:, ::2] | a[:, 1::2] << 4 for a in (codes, points))
    else:
        data, point = codes.astype(kind), points.astype(kind)
    fixed = {"t": data, "s": np.random.default_rng(1).uniform(0.5, 1.5, (7, 3)).astype(F)}
    inputs = ["t", "i", "s"]
    if zeros:
        fixed["z"] = point[:, : 2 if kind is np.uint8 else 3]
        inputs.append("z")
    fused = node("GatherBlockQuantized", inputs, block_size=16, quantize_axis=1)
    places = np.array([[3, 0, -1], [6, 2, 2]], np.int64)
    path = write(tmp_path / "g.onnx", [fused], {"i": (np.int64, (2, 3))}, fixed, opset=21)
    assert max(tap_errors(path, {"i": places}).values()) < 1e-6
