"""Narrow types: which operations of a float32 model are computed in fewer bits, and which not.

Convolutions and matrix products are, because processors have units for them, which add up in
float32. What follows them without adding up many numbers keeps their type, so that half as much is
moved. Everything else is in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import tensorflow as tf

__all__ = ["COMPUTED", "FIRST_ONLY", "FOLLOWING", "narrowed"]

T = TypeVar("T")

#: Operators of ONNX and ops of TensorFlow that are computed in the narrow type.
COMPUTED = frozenset(
    {"Conv", "ConvTranspose", "Gemm"}
    | {"Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "BatchMatMul", "BatchMatMulV2"}
    | {"MatMul"}
)
#: Those that keep it, if one of their inputs has it.
FOLLOWING = frozenset(
    {"Relu", "Relu6", "LeakyRelu", "PRelu", "Elu", "Selu", "Clip", "Sigmoid", "Tanh", "HardSwish"}
    | {"Add", "AddN", "AddV2", "BiasAdd", "Mul", "Sub", "Sum", "Max", "Min", "Maximum", "Minimum"}
    | {"AveragePool", "AvgPool", "MaxPool", "LRN"}
    | {"BatchNormalization", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"}
    | {"Concat", "ConcatV2", "Split", "SplitV", "Slice", "StridedSlice", "Pad", "PadV2"}
    | {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "ExpandDims", "Transpose"}
    | {"DepthToSpace", "SpaceToDepth", "BatchToSpaceND", "SpaceToBatchND"}
    | {"Dropout", "Identity", "IdentityN", "Snapshot", "CheckNumerics", "PreventGradient"}
)
#: Of these only the first input: the others are statistics, which stay as they are.
FIRST_ONLY = frozenset(
    {"BatchNormalization", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"}
)


def narrowed(
    op: str,
    inputs: Sequence[T],
    narrow: Any,
    type_of: Callable[[T], Any],
    cast: Callable[[T, Any], T],
) -> list[T]:
    """The inputs of an operation in the types in which it is to be computed.

    ``type_of`` gives the type of an input, ``None`` for one that is to be left alone.
    """
    types = [type_of(given) for given in inputs]
    follows = op in FOLLOWING and narrow in types
    if op in FIRST_ONLY:
        follows = types[0] == narrow
        types[1:] = [None] * len(types[1:])
    before, after = (tf.float32, narrow) if op in COMPUTED or follows else (narrow, tf.float32)
    pairs = zip(inputs, types, strict=True)
    return [cast(given, after) if dtype == before else given for given, dtype in pairs]
