"""Convert products with block-quantized weights of the domain com.microsoft, unpacked once."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import Constant, LayoutTensor
from kerasviz.importers.onnx.ops.linear import multiplied
from kerasviz.importers.onnx.registry import MICROSOFT, Call, operator
from kerasviz.types import Array

#: The numbers of the 4-bit types of bitsandbytes; of FP4 those with a positive sign.
_FP4 = (0.0, 5.208333333e-03, 0.66666667, 1.0, 0.33333333, 0.5, 0.16666667, 0.25)
_NF4 = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)


def _unpacked(packed: Array, bits: int) -> Array:
    """Unpack the bytes of the last axis into numbers of a few bits, the lowest bits first."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    parts = packed.view(np.uint8)[..., np.newaxis] >> shifts & np.uint8(2**bits - 1)
    return parts.reshape(*packed.shape[:-1], -1)


def _bits(call: Call) -> int:
    bits = int(call.attribute("bits", 4))
    if bits not in (2, 4, 8):
        raise call.error(f"weights of {bits} bits; expected 2, 4 or 8")
    return bits


@operator("MatMulNBits", domain=MICROSOFT)
def matmul_nbits(call: Call) -> LayoutTensor:
    """Compute ``x @ (codes - zero) * scale`` with weights of 2, 4 or 8 bits in blocks.

    The input is not quantized, whatever the attribute ``accuracy_level`` allows.
    """
    rows, columns = int(call.attribute("K")), int(call.attribute("N"))
    block, bits = int(call.attribute("block_size")), _bits(call)
    blocks = -(-rows // block)
    scales = call.constant(2, "scales")
    codes = _unpacked(call.constant(1, "B").reshape(columns, blocks, -1), bits)
    zeros: Any = np.float32(2 ** (bits - 1))
    if call.has(3):
        zeros = call.constant(3, "zero_points")
        if zeros.dtype == np.uint8:
            zeros = _unpacked(zeros.reshape(columns, -1), bits)[:, :blocks]
        zeros = zeros.reshape(columns, blocks, 1).astype(np.float32)
    factor = scales.reshape(columns, blocks, 1).astype(np.float32)
    weights = ((codes - zeros) * factor).reshape(columns, -1)[:, :rows]
    if call.has(4):  # the input lists the block of each row
        groups = call.constant(4, "g_idx")[:rows]
        flat = np.broadcast_to(zeros, factor.shape)[:, groups, 0]
        weights = (codes.reshape(columns, -1)[:, :rows] - flat) * factor[:, groups, 0]
    return _product(call, weights.T, 5)


def _product(call: Call, weights: Array, bias: int) -> LayoutTensor:
    """Multiply input 0 by weights, which are cached for the next run, and add a bias."""
    x = call.tensor(0)
    kept = call.inputs[1]
    assert isinstance(kept, Constant)
    y = multiplied(x, kept.tensor("unpacked", lambda _: weights.astype(x.dtype.as_numpy_dtype)))
    return LayoutTensor(y + call.tensor(bias) if call.has(bias) else y)


@operator("MatMulBnb4", domain=MICROSOFT)
def matmul_bnb4(call: Call) -> LayoutTensor:
    """Compute ``x @ w`` with 4-bit weights, FP4 or NF4, scaled by the maximum of each block."""
    rows, columns = int(call.attribute("K")), int(call.attribute("N"))
    block = int(call.attribute("block_size"))
    kinds = {0: np.array([*_FP4, *(-v for v in _FP4)]), 1: np.array(_NF4)}
    if call.attribute("quant_type") not in kinds or not call.attribute("transB", 1):
        raise call.error("expected quant_type 0 (FP4) or 1 (NF4), and transB 1")
    packed = call.constant(1, "B").reshape(-1)
    halves = np.stack([packed >> 4, packed & 15], -1).reshape(-1)  # the high bits first
    numbers = kinds[call.attribute("quant_type")][halves][: rows * columns]
    largest = np.repeat(call.constant(2, "absmax").astype(np.float64), block)[: rows * columns]
    return _product(call, (numbers * largest).reshape(columns, rows).T, 3)


@operator("GatherBlockQuantized", domain=MICROSOFT)
def gather_block_quantized(call: Call) -> LayoutTensor:
    """Compute entries of ``(codes - zero) * scale``, whose blocks lie along another axis."""
    data, scales = call.constant(0, "data"), call.constant(2, "scales")
    block = int(call.attribute("block_size", 128))
    packed = data.dtype == np.uint8
    codes = _unpacked(data, _bits(call)) if packed else data
    axis = int(call.attribute("quantize_axis", 1)) % codes.ndim
    zeros: Any = np.float32(2 ** (_bits(call) - 1) if packed else 0)

    def spread(array: Array) -> Array:
        wide = np.repeat(array.astype(np.float32), block, axis)
        return np.take(wide, np.arange(codes.shape[axis]), axis)

    if call.has(3):
        given = call.constant(3, "zero_points")
        given = _unpacked(given, _bits(call)) if packed else given
        zeros = spread(np.take(given, np.arange(scales.shape[axis]), axis))
    table = ((codes.astype(np.float32) - zeros) * spread(scales)).astype(scales.dtype)
    kept = call.inputs[0]
    assert isinstance(kept, Constant)
    unpacked = kept.tensor("unpacked", lambda _: table)
    places = call.tensor(1)
    axis = int(call.attribute("gather_axis", 0)) % codes.ndim
    length = tf.cast(codes.shape[axis], places.dtype)
    return LayoutTensor(
        tf.gather(unpacked, tf.where(places < 0, places + length, places), axis=axis)
    )
