"""Run operators that only rearrange entries on the floating-point codes of quantized values.

Integers have no gradient. A :class:`Quantized` value therefore has its codes in floating point too,
and an operator that only rearranges entries is run on those. Its result is quantized again, so that
the gradient passes every node between two quantized operators.
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

_ALL_INPUTS = range(2**16)
_INTERPOLATING = ("Resize", "Upsample")  # results are truncated to integers
#: Domains whose operators are listed below.
_DOMAINS = ("", MICROSOFT)

#: Operators whose outputs consist of entries of their inputs, with the indices of these inputs.
#: The other inputs say which entries, and where to.
_REARRANGING: Mapping[str, Collection[int]] = {
    **dict.fromkeys(
        (
            *("CenterCropPad", "Compress", "DepthToSpace", "Dropout", "Expand", "Flatten"),
            *("Gather", "GatherElements", "GatherND", "Identity", "MaxPool"),
            "NhwcMaxPool",
            *("ReduceMax", "ReduceMin", "Relu", "Reshape", "ReverseSequence", "Slice"),
            *("SpaceToDepth", "Split", "Squeeze", "Tile", "TopK", "Transpose", "Unsqueeze"),
            *_INTERPOLATING,
        ),
        (0,),
    ),
    **dict.fromkeys(("Clip", "Concat", "Max", "Min"), _ALL_INPUTS),
    **dict.fromkeys(("Pad", "ScatterElements", "ScatterND"), (0, 2)),
    "Where": (1, 2),
}
#: Arithmetic on whole numbers that types of 32 bits or more do not cut off.
_ARITHMETIC = ("Abs", "Add", "Mul", "Neg", "Sub", "Sum")


def from_codes(
    codes: LayoutTensor,
    kind: np.dtype[Any],
    scale: Tensor | None = None,
    zero: Tensor | None = None,
) -> Quantized:
    """Return the quantized value of codes, which are numbers of type ``kind``.

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


def codes_of(value: LayoutTensor | Constant, dtype: Any = tf.float32) -> LayoutTensor:
    """Return the codes of a value in floating point, in its stored layout, with their gradient."""
    if isinstance(value, Quantized):
        return LayoutTensor(tf.cast(value.float_codes, dtype), value.channels_last)
    kind = type_of(tf.zeros([], dtype))
    if isinstance(value, Constant):
        return LayoutTensor(value.tensor(("codes", kind), lambda array: array.astype(kind)))
    return LayoutTensor(converted(value.tensor, kind), value.channels_last)


def with_layout(
    value: Quantized, change: Callable[[LayoutTensor], Tensor], *, is_last: bool
) -> Quantized:
    """Return a quantized value in another layout; integers of a few bits cannot be transposed."""
    codes = LayoutTensor(change(LayoutTensor(value.float_codes, value.channels_last)), is_last)
    return from_codes(codes, type_of(value.tensor), value.scale, value.zero)


def run_on_codes(convert: Converter, call: Call) -> Any:
    """Run a converter; one that rearranges quantized numbers receives their codes."""
    indices = _REARRANGING.get(call.node.op, ()) if call.node.domain in _DOMAINS else ()
    values = [v for k, v in enumerate(call.inputs) if k in indices and isinstance(v, Quantized)]
    if call.node.op in _ARITHMETIC and not call.node.domain:
        indices = _ALL_INPUTS
        values = [v for v in call.inputs if isinstance(v, Quantized) and _is_wide(v)]
    if not values:
        return convert(call)
    dtype = values[0].float_codes.dtype

    def unwrapped(value: OnnxValue | None) -> OnnxValue | None:
        if isinstance(value, Constant):
            return Constant(value.array.astype(dtype.as_numpy_dtype))
        return codes_of(value, dtype) if isinstance(value, LayoutTensor) else value

    inputs = tuple(unwrapped(v) if k in indices else v for k, v in enumerate(call.inputs))
    result = convert(replace(call, inputs=inputs, interleaves=False))
    same_scale = all(v.scale is values[0].scale and v.zero is values[0].zero for v in values)
    scale, zero = (values[0].scale, values[0].zero) if same_scale else (None, None)

    def rewrapped(result: OnnxValue | None) -> OnnxValue | None:
        if not isinstance(result, LayoutTensor) or result.tensor.dtype != dtype:
            return result
        kind, numbers = values[0].tensor.dtype, result.tensor
        mixes = call.node.op in _INTERPOLATING and call.attribute("mode", "nearest") != "nearest"
        if mixes and kind.is_integer:
            numbers = _truncate(tf.clip_by_value(numbers, float(kind.min), float(kind.max)))
        return from_codes(
            LayoutTensor(numbers, result.channels_last), type_of(values[0].tensor), scale, zero
        )

    return [rewrapped(r) for r in result] if isinstance(result, Sequence) else rewrapped(result)


def _is_wide(value: Quantized) -> bool:
    return value.scale is None and value.tensor.dtype in (tf.int32, tf.int64)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _truncate(x: Tensor) -> Any:
    """Truncate towards zero, as a cast does; the gradient passes unchanged."""
    return tf.cast(tf.cast(x, tf.int32), x.dtype), lambda upstream: upstream
