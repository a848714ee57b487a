"""Convert DynamicQuantizeLSTM of the domain com.microsoft, an LSTM with quantized products."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kerasviz.importers.onnx.layout import Constant, LayoutTensor
from kerasviz.importers.onnx.ops.quantization import dequantized, dynamic_codes
from kerasviz.importers.onnx.ops.recurrent import long_short
from kerasviz.importers.onnx.registry import MICROSOFT, Call, operator
from kerasviz.types import Tensor


@operator("DynamicQuantizeLSTM", domain=MICROSOFT)
def dynamic_quantize_lstm(call: Call) -> list[LayoutTensor]:
    """Compute an LSTM with quantized weights; input and states are quantized by their range."""
    x = LayoutTensor(_rounded(call.tensor(0)))
    kernel, recurrent = _weights(call, 1, 8), _weights(call, 2, 10)
    rest = call.inputs[3:8]
    return long_short(replace(call, inputs=(x, kernel, recurrent, *rest)), _rounded)


def _rounded(x: Tensor) -> Tensor:
    """Quantize ``x`` by its range, and dequantize it again."""
    codes, scale, zero = dynamic_codes(LayoutTensor(x))
    return dequantized(codes, scale, zero).tensor


def _weights(call: Call, index: int, scale: int) -> Constant:
    """Return weights [directions, inputs, gates] in float32, transposed as for an LSTM.

    There is one scale and zero point per direction, or per gate of each direction.
    """
    codes = call.constant(index, "the weights").astype(np.float32)
    factor, zero = (call.constant(k, "the scale") for k in (scale, scale + 1))
    shape = (codes.shape[0], 1, -1)
    real = (codes - zero.astype(np.float32).reshape(shape)) * factor.reshape(shape)
    return Constant(real.transpose(0, 2, 1))
