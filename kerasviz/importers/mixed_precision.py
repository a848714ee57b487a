"""Decide which operations of a float32 model are computed in a type of fewer bits.

Convolutions and matrix products are, since processors have units for them that sum in float32.
Operations behind them that do not sum many numbers keep the type, which halves the memory traffic.
All others are computed in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import tensorflow as tf

T = TypeVar("T")

#: Operators of ONNX and ops of TensorFlow that are computed in the type of fewer bits.
COMPUTED = frozenset(
    {"Conv", "ConvTranspose", "Gemm"}
    | {"Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "BatchMatMul", "BatchMatMulV2"}
    | {"MatMul"}
)
#: Those that keep that type if one of their inputs has it.
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
#: Those whose first input alone is cast: the others are statistics in float32.
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
    """Cast the inputs of an operation to the types in which it is computed.

    ``type_of`` gives the type of an input, ``None`` for one that keeps its type.
    """
    types = [type_of(value) for value in inputs]
    follows = op in FOLLOWING and narrow in types
    if op in FIRST_ONLY:
        follows = types[0] == narrow
        types[1:] = [None] * len(types[1:])
    before, after = (tf.float32, narrow) if op in COMPUTED or follows else (narrow, tf.float32)
    pairs = zip(inputs, types, strict=True)
    return [cast(value, after) if dtype == before else value for value, dtype in pairs]
