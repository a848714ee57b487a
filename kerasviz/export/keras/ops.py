"""Convert TensorFlow ops without weights to operations of Keras."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasviz.export.keras.graph import Build, converter, is_keras
from kerasviz.importers.tensorflow.node import GraphNode
from kerasviz.types import Tensor

#: Numbers of the largest constant in the description of the model, which is text.
LARGEST = 300_000

_UNARY = {
    "Elu": ops.elu,
    "Selu": ops.selu,
    "Sigmoid": ops.sigmoid,
    "Tanh": ops.tanh,
    "Softplus": ops.softplus,
    "Softsign": ops.softsign,
    "Exp": ops.exp,
    "Expm1": ops.expm1,
    "Log": ops.log,
    "Log1p": ops.log1p,
    "Sqrt": ops.sqrt,
    "Rsqrt": ops.rsqrt,
    "Square": ops.square,
    "Abs": ops.absolute,
    "Neg": ops.negative,
    "Sign": ops.sign,
    "Floor": ops.floor,
    "Ceil": ops.ceil,
    "Round": ops.round,
    "Rint": ops.round,
    "Erf": ops.erf,
    "Reciprocal": ops.reciprocal,
    "Sin": ops.sin,
    "Cos": ops.cos,
    "LogicalNot": ops.logical_not,
    "LogSoftmax": ops.log_softmax,
    "EnsureShape": lambda x: x,
    "StopGradient": lambda x: x,
    "OnesLike": ops.ones_like,
    "ZerosLike": ops.zeros_like,
}
_BINARY = {
    "AddV2": ops.add,
    "Add": ops.add,
    "Sub": ops.subtract,
    "Mul": ops.multiply,
    "RealDiv": ops.divide,
    "Div": ops.divide,
    "Maximum": ops.maximum,
    "Minimum": ops.minimum,
    "Pow": ops.power,
    "FloorDiv": ops.floor_divide,
    "FloorMod": ops.mod,
    "Greater": ops.greater,
    "GreaterEqual": ops.greater_equal,
    "Less": ops.less,
    "LessEqual": ops.less_equal,
    "Equal": ops.equal,
    "NotEqual": ops.not_equal,
    "LogicalAnd": ops.logical_and,
    "LogicalOr": ops.logical_or,
    "BiasAdd": ops.add,
    "BiasAddV1": ops.add,
    "SquaredDifference": lambda a, b: ops.square(ops.subtract(a, b)),
}
_OTHERS = {
    "AddN": lambda *parts: functools.reduce(ops.add, parts),
    "ClipByValue": lambda x, low, high: ops.minimum(ops.maximum(x, low), high),
    "SelectV2": ops.where,
    "Select": ops.where,
}
_REDUCE = {
    "Mean": ops.mean,
    "Sum": ops.sum,
    "Max": ops.max,
    "Min": ops.min,
    "Prod": ops.prod,
    "All": ops.all,
    "Any": ops.any,
}


@converter(*_UNARY)
def unary(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute a function of every entry."""
    return _UNARY[node.op](values[0])


@converter(*_BINARY)
def binary(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute a function of two entries, broadcast."""
    a, b = (operand(build, node, v) for v in values)
    if node.op in ("AddV2", "Mul") and is_keras(a) and is_keras(b) and a.shape == b.shape:
        kind = keras.layers.Multiply if node.op == "Mul" else keras.layers.Add
        return kind(name=build.name(node), dtype=a.dtype)([a, b])
    return _BINARY[node.op](a, b)


@converter(*_OTHERS)
def function(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute a function of several entries."""
    return _OTHERS[node.op](*(operand(build, node, v) for v in values))


def operand(build: Build, node: GraphNode, value: Any) -> Any:
    """Return the input of an elementwise operation: a tensor, or a constant of limited size."""
    if is_keras(value):
        return value
    array = build.numbers(node, value)
    if array.size > LARGEST:
        raise build.error(node, f"takes a constant of {array.size} numbers, too many for Keras")
    return array


@converter("LeakyRelu")
def leaky_relu(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute ``x`` above 0, ``alpha * x`` below."""
    slope = float(node.attributes["alpha"])
    made = keras.layers.LeakyReLU(slope, name=build.name(node), dtype=values[0].dtype)
    return made(values[0])


@converter("Relu", "Relu6")
def relu(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute ``max(x, 0)``, in Relu6 up to 6."""
    most = 6.0 if node.op == "Relu6" else None
    return keras.layers.ReLU(most, name=build.name(node), dtype=values[0].dtype)(values[0])


@converter("Softmax")
def softmax(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute the softmax over the last axis."""
    return keras.layers.Softmax(name=build.name(node), dtype=values[0].dtype)(values[0])


@converter(*_REDUCE)
def reduce(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute a mean, sum, maximum ... over some axes."""
    axes = tuple(int(n) for n in np.reshape(build.numbers(node, values[1]), -1))
    x = values[0]
    if not axes:
        return x
    keep = bool(node.attributes["keep_dims"])
    spatial = sorted(a % len(x.shape) for a in axes) == [1, 2] and len(x.shape) == 4
    if spatial and node.op in ("Mean", "Max"):
        average = keras.layers.GlobalAveragePooling2D
        kind = average if node.op == "Mean" else keras.layers.GlobalMaxPooling2D
        return kind(name=build.name(node), keepdims=keep, dtype=x.dtype)(x)
    return _REDUCE[node.op](x, axis=axes, keepdims=keep)


@converter("ArgMax", "ArgMin")
def extreme_place(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute the index of the largest or smallest entry of an axis."""
    find = ops.argmax if node.op == "ArgMax" else ops.argmin
    found = find(values[0], axis=int(build.numbers(node, values[1]).reshape(())))
    return ops.cast(found, node.outputs[0][0].name)


@converter("Cast")
def cast(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute the value in another type."""
    return ops.cast(values[0], node.outputs[0][0].name)
