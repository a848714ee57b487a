"""Codes: the numbers that stand for quantized values, and the operators that move them.

Whole numbers have no gradient. A :class:`Quantized` value therefore has its codes in floating
point too, and an operator that only moves entries is run on those. What it makes is quantized
again, so that the gradient passes everything between two quantized operators.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.element_types import converted, is_small_float, type_of
from kerasviz.importers.onnx.layout import Constant, LayoutTensor, OnnxValue, Quantized
from kerasviz.importers.onnx.registry import MICROSOFT, Call, Converter
from kerasviz.types import Tensor

__all__ = ["coded", "codes_of", "relaid", "run_on_codes"]


_EVERY = range(2**16)
_BETWEEN = ("Resize", "Upsample")  # what they interpolate is cut to whole numbers
_DOMAINS = ("", MICROSOFT)

#: The operators whose outputs are entries of their inputs, each with the inputs that have the
#: entries. The others say which, and where to.
_MOVING: Mapping[str, Collection[int]] = {
    **dict.fromkeys(
        (
            *("CenterCropPad", "Compress", "DepthToSpace", "Dropout", "Expand", "Flatten"),
            *("Gather", "GatherElements", "GatherND", "Identity", "MaxPool"),
            "NhwcMaxPool",
            *("ReduceMax", "ReduceMin", "Relu", "Reshape", "ReverseSequence", "Slice"),
            *("SpaceToDepth", "Split", "Squeeze", "Tile", "TopK", "Transpose", "Unsqueeze"),
            *_BETWEEN,
        ),
        (0,),
    ),
    **dict.fromkeys(("Clip", "Concat", "Max", "Min"), _EVERY),
    **dict.fromkeys(("Pad", "ScatterElements", "ScatterND"), (0, 2)),
    "Where": (1, 2),
}


def coded(
    codes: LayoutTensor,
    kind: np.dtype[Any],
    scale: Tensor | None = None,
    zero: Tensor | None = None,
) -> Quantized:
    """The quantized value with the given codes, which are numbers of type ``kind``.

    ``scale`` and ``zero`` are kept where they are single numbers.
    """
    known = scale is not None and scale.shape.rank == 0
    known = known and (zero is None or zero.shape.rank == 0)
    numbers = codes.tensor if is_small_float(kind) else tf.cast(codes.tensor, tf.int32)
    return Quantized(
        converted(numbers, kind, saturate=False),
        codes.channels_last,
        float_codes=codes.tensor,
        scale=scale if known else None,
        zero=zero if known else None,
    )


def codes_of(operand: LayoutTensor | Constant, dtype: Any = tf.float32) -> LayoutTensor:
    """The codes of an operand in floating point, as it is laid, with their gradient."""
    if isinstance(operand, Quantized):
        return LayoutTensor(tf.cast(operand.float_codes, dtype), operand.channels_last)
    kind = type_of(tf.zeros([], dtype))
    if isinstance(operand, Constant):
        return LayoutTensor(operand.tensor(("codes", kind), lambda array: array.astype(kind)))
    return LayoutTensor(converted(operand.tensor, kind), operand.channels_last)


def relaid(value: Quantized, change: Callable[[LayoutTensor], Tensor], *, moved: bool) -> Quantized:
    """A quantized value in another layout; integers of a few bits cannot be transposed."""
    codes = LayoutTensor(change(LayoutTensor(value.float_codes, value.channels_last)), moved)
    return coded(codes, type_of(value.tensor), value.scale, value.zero)


def run_on_codes(convert: Converter, call: Call) -> Any:
    """What a converter makes of a call; one that moves quantized numbers is given their codes."""
    places = _MOVING.get(call.node.op, ()) if call.node.domain in _DOMAINS else ()
    values = [v for k, v in enumerate(call.inputs) if k in places and isinstance(v, Quantized)]
    if not values:
        return convert(call)
    dtype = values[0].float_codes.dtype

    def opened(given: OnnxValue | None) -> OnnxValue | None:
        if isinstance(given, Constant):
            return Constant(given.array.astype(dtype.as_numpy_dtype))
        return codes_of(given, dtype) if isinstance(given, LayoutTensor) else given

    inputs = tuple(opened(v) if k in places else v for k, v in enumerate(call.inputs))
    made = convert(replace(call, inputs=inputs, interleaves=False))
    alike = all(v.scale is values[0].scale and v.zero is values[0].zero for v in values)
    scale, zero = (values[0].scale, values[0].zero) if alike else (None, None)

    def closed(result: OnnxValue | None) -> OnnxValue | None:
        if not isinstance(result, LayoutTensor) or result.tensor.dtype != dtype:
            return result
        kind, numbers = values[0].tensor.dtype, result.tensor
        if call.node.op in _BETWEEN and kind.is_integer:
            numbers = _cut(tf.clip_by_value(numbers, float(kind.min), float(kind.max)))
        return coded(
            LayoutTensor(numbers, result.channels_last), type_of(values[0].tensor), scale, zero
        )

    return [closed(r) for r in made] if isinstance(made, Sequence) else closed(made)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _cut(x: Tensor) -> Any:
    """Towards zero to a whole number, as a cast does it; the gradient passes unchanged."""
    return tf.cast(tf.cast(x, tf.int32), x.dtype), lambda upstream: upstream
