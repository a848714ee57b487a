"""Convert TensorFlow ops with weights or windows to layers of Keras."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kerasviz.export.keras.graph import Build, converter, is_keras
from kerasviz.export.keras.ops import binary, operand
from kerasviz.export.keras.shapes import padded, text
from kerasviz.importers.tensorflow.node import GraphNode
from kerasviz.types import Array, Tensor


def _bias(build: Build, node: GraphNode, count: int) -> tuple[Array | None, str]:
    """Return the bias if it is all that uses a node's output, and the key of the sum."""
    key = f"{node.name}:0"
    user = build.sole_user(key)
    if user is not None and user.op in ("BiasAdd", "BiasAddV1", "AddV2", "Add"):
        first = build.graph.source(user.inputs[0]) == key
        other = build.value(user.inputs[1 if first else 0])
        if not is_keras(other) and np.size(other) == count == np.shape(other)[-1]:
            return np.reshape(other, -1), f"{user.name}:0"
    return None, key


def _weighted(
    build: Build,
    node: GraphNode,
    x: Tensor,
    kernel: Array,
    bias: Array | None,
    key: str,
    layer: Any,
) -> Tensor:
    """Apply a layer and set its weights; the result stands for the sum with the bias too."""
    y = layer(x)
    layer.set_weights([kernel] if bias is None else [kernel, bias])
    build.tensors[key] = y
    return y


@converter("Conv2D", "DepthwiseConv2dNative")
def convolution(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute a convolution with a constant kernel and the bias added to it."""
    x, kernel = values[0], values[1]
    if is_keras(kernel):
        raise build.error(node, "has a kernel that depends on the data")
    depthwise = node.op != "Conv2D"
    count = kernel.shape[-1] * (kernel.shape[2] if depthwise else 1)
    bias, key = _bias(build, node, count)
    x, padding = _padding(build, node, x, key)
    options = {
        "kernel_size": kernel.shape[:2],
        "strides": tuple(node.attributes["strides"][1:3]),
        "padding": padding,
        "dilation_rate": tuple(node.attributes["dilations"][1:3]),
        "use_bias": bias is not None,
        "name": build.name(node, key=key),
        "dtype": x.dtype,
    }
    layer = (
        keras.layers.DepthwiseConv2D(depth_multiplier=kernel.shape[-1], **options)
        if depthwise
        else keras.layers.Conv2D(count, **options)
    )
    return _weighted(build, node, x, kernel, bias, key, layer)


def _padding(
    build: Build, node: GraphNode, x: Tensor, key: str = "", fill: float = 0.0
) -> tuple[Tensor, str]:
    """Return ``x`` with explicit padding applied, and the padding left for the layer."""
    padding = text(node.attributes["padding"]).lower()
    if padding != "explicit":
        return x, padding
    flat = node.attributes["explicit_paddings"]
    pairs = [list(map(int, flat[k : k + 2])) for k in range(0, 8, 2)]
    if fill == 0:
        name = build.name(node, "_pad", key=key or None)
        return keras.layers.ZeroPadding2D(pairs[1:3], name=name, dtype=x.dtype)(x), "valid"
    return padded(build, node, x, pairs, fill), "valid"


@converter("Conv2DBackpropInput")
def transposed_convolution(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute a transposed convolution whose size is the one that Keras gives."""
    size, kernel, x = values
    padding = text(node.attributes["padding"]).lower()
    strides = tuple(node.attributes["strides"][1:3])
    dilations = tuple(node.attributes["dilations"][1:3])
    if is_keras(kernel) or padding not in ("same", "valid") or dilations != (1, 1):
        raise build.error(node, "is a transposed convolution that Keras does not have")
    bias, key = _bias(build, node, kernel.shape[2])
    layer = keras.layers.Conv2DTranspose(
        kernel.shape[2],
        kernel.shape[:2],
        strides,
        padding,
        use_bias=bias is not None,
        name=build.name(node, key=key),
        dtype=x.dtype,
    )
    wanted = build.lengths(node, size)[1:3]
    given = list(layer.compute_output_shape(x.shape))[1:3]
    if None in wanted or wanted != given:
        raise build.error(node, f"is a transposed convolution to {wanted}, in Keras {given}")
    return _weighted(build, node, x, kernel, bias, key, layer)


@converter("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
def product(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute a matrix product, as a Dense layer if the second matrix is constant."""
    a, b = values
    flags = node.attributes
    left = bool(flags.get("transpose_a") or flags.get("adj_x"))
    right = bool(flags.get("transpose_b") or flags.get("adj_y"))
    if is_keras(a) and not is_keras(b) and not left:
        matrix = build.numbers(node, b)
        if matrix.ndim == 2:
            matrix = matrix.T if right else matrix
            bias, key = _bias(build, node, matrix.shape[1])
            layer = keras.layers.Dense(
                matrix.shape[1],
                use_bias=bias is not None,
                name=build.name(node, key=key),
                dtype=a.dtype,
            )
            return _weighted(build, node, a, matrix, bias, key, layer)
    a, b = (operand(build, node, v) for v in (a, b))
    a = ops.swapaxes(a, -1, -2) if left else a
    b = ops.swapaxes(b, -1, -2) if right else b
    return ops.matmul(a, b)


@converter("Mul")
def scale(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute a product; together with a sum it may be a batch normalization in inference."""
    user = build.sole_user(f"{node.name}:0")
    norm = build.norms.get(f"{user.name}:0") if user is not None else None
    images = [v for v in values if is_keras(v)]
    if user is None or norm is None or len(images) != 1:
        return binary(build, node, values)
    key = f"{user.name}:0"
    name, dtype = build.name(node, key=key), images[0].dtype
    layer = keras.layers.BatchNormalization(epsilon=norm.epsilon, name=name, dtype=dtype)
    y = layer(images[0])
    layer.set_weights([norm.scale, norm.offset, norm.mean, norm.variance])
    build.tensors[key] = y
    return y


@converter("MaxPool", "AvgPool")
def pool(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute the largest entry or the average of every window."""
    largest = node.op == "MaxPool"
    x, padding = _padding(build, node, values[0], fill=-np.inf if largest else 0.0)
    kind = keras.layers.MaxPooling2D if largest else keras.layers.AveragePooling2D
    ksize, strides = node.attributes["ksize"], node.attributes["strides"]
    if ksize[0] != 1 or ksize[3] != 1:
        raise build.error(node, "pools over channels or images, which Keras does not")
    layer = kind(ksize[1:3], strides[1:3], padding, name=build.name(node), dtype=x.dtype)
    return layer(x)


@converter("LRN")
def lrn(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute ``x / (bias + alpha * sum of x^2 over near channels) ^ beta``."""
    x, flags = values[0], node.attributes
    radius = int(flags["depth_radius"])
    # Channels become the last of three spatial axes, which an unpadded pool averages.
    squares = ops.expand_dims(ops.square(x), -1)
    squares = ops.pad(squares, [[0, 0]] * 3 + [[radius, radius], [0, 0]])
    size = 2 * radius + 1
    mean = ops.average_pool(squares, (1, 1, size), strides=1, padding="valid")
    sums = ops.add(
        ops.multiply(ops.squeeze(mean, -1), float(flags["alpha"]) * size), float(flags["bias"])
    )
    return ops.multiply(x, ops.power(sums, -float(flags["beta"])))


@converter("ResizeNearestNeighbor", "ResizeBilinear")
def resize(build: Build, node: GraphNode, values: list[Any]) -> Tensor:
    """Compute another height and width, keeping the centres of pixels."""
    height, width = (int(n) for n in build.numbers(node, values[1]))
    if node.attributes.get("align_corners") or not node.attributes.get("half_pixel_centers"):
        raise build.error(node, "resizes with corners in place, which Keras does not")
    kind = "nearest" if node.op == "ResizeNearestNeighbor" else "bilinear"
    made = keras.layers.Resizing(
        height, width, interpolation=kind, name=build.name(node), dtype=values[0].dtype
    )
    return made(values[0])
