"""Small networks whose derivatives and weights are known, as Keras models and ONNX files."""

from __future__ import annotations

import keras
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import kerasviz
from kerasviz.network.network import Network

#: Kernels [height, width, in, out] of the first and the second convolution.
RANDOM = np.random.default_rng(0)
FIRST = RANDOM.normal(0, 0.4, (3, 3, 3, 4)).astype(np.float32)
SECOND = RANDOM.normal(0, 0.4, (3, 3, 4, 5)).astype(np.float32)
DENSE = RANDOM.normal(0, 0.4, (5, 6)).astype(np.float32)


def of_keras(activation: str = "relu", pool: bool = False, side: int | None = None) -> Network:
    """Two convolutions with an activation, a pool of windows between, and classes of the mean."""
    image = keras.Input((side, side, 3), name="image")
    x = keras.layers.Conv2D(4, 3, use_bias=False, activation=activation, name="first")(image)
    if pool:
        x = keras.layers.MaxPooling2D(2, name="pool")(x)
    x = keras.layers.Conv2D(5, 3, use_bias=False, activation=activation, name="second")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pooled")(x)
    x = keras.layers.Dense(6, use_bias=False, name="logits")(x)
    model = keras.Model(image, keras.layers.Softmax(name="prob")(x))
    for name, kernel in (("first", FIRST), ("second", SECOND), ("logits", DENSE)):
        model.get_layer(name).set_weights([kernel])
    return kerasviz.load(model, preprocess="unit")


def onnx_model() -> onnx.ModelProto:
    """The same network with ReLUs, channels first."""
    nodes = [
        helper.make_node("Conv", ["image", "k1"], ["c1"]),
        helper.make_node("Relu", ["c1"], ["first"]),
        helper.make_node("Conv", ["first", "k2"], ["c2"]),
        helper.make_node("Relu", ["c2"], ["second"]),
        helper.make_node("GlobalAveragePool", ["second"], ["gap"]),
        helper.make_node("Flatten", ["gap"], ["pooled"]),
        helper.make_node("MatMul", ["pooled", "dense"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["prob"]),
    ]
    weights = {"k1": FIRST.transpose(3, 2, 0, 1), "k2": SECOND.transpose(3, 2, 0, 1)}
    weights["dense"] = DENSE
    graph = helper.make_graph(
        nodes,
        "two",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("prob", TensorProto.FLOAT, ["n", 6])],
        [numpy_helper.from_array(np.ascontiguousarray(w), n) for n, w in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def of_onnx() -> Network:
    """The same network from ONNX."""
    return kerasviz.load(onnx_model(), preprocess="unit")


#: Patches [height, width, in, out] and the layers of a row of tokens.
PATCHES = RANDOM.normal(0, 0.4, (4, 4, 3, 6)).astype(np.float32)
MIXING = RANDOM.normal(0, 0.4, (6, 7)).astype(np.float32)
HEAD = RANDOM.normal(0, 0.4, (7, 6)).astype(np.float32)
BIAS = RANDOM.normal(0, 0.4, 7).astype(np.float32)


def tokens_of_keras() -> Network:
    """4 x 4 patches in a row behind a special token, a layer of tokens, classes of their mean."""
    image = keras.Input((16, 16, 3), name="image")
    x = keras.layers.Conv2D(6, 4, 4, use_bias=False, activation="relu", name="patches")(image)
    x = keras.layers.Reshape((16, 6), name="rows")(x)
    x = keras.layers.ZeroPadding1D((1, 0), name="tokens")(x)
    x = keras.layers.Dense(7, activation="relu", name="block")(x)
    x = keras.layers.GlobalAveragePooling1D(name="pooled")(x)
    model = keras.Model(image, keras.layers.Dense(6, use_bias=False, name="logits")(x))
    weights = {"patches": [PATCHES], "block": [MIXING, BIAS], "logits": [HEAD]}
    for name, arrays in weights.items():
        model.get_layer(name).set_weights(arrays)
    return kerasviz.load(model, preprocess="unit")


def tokens_of_onnx() -> Network:
    """The same network of tokens from ONNX."""
    nodes = [
        helper.make_node("Conv", ["image", "patch"], ["c"], strides=[4, 4]),
        helper.make_node("Relu", ["c"], ["patches"]),
        helper.make_node("Reshape", ["patches", "shape"], ["flat"]),
        helper.make_node("Transpose", ["flat"], ["rows"], perm=[0, 2, 1]),
        helper.make_node("Pad", ["rows", "pads"], ["tokens"]),
        helper.make_node("MatMul", ["tokens", "mixing"], ["mixed"]),
        helper.make_node("Add", ["mixed", "bias"], ["added"]),
        helper.make_node("Relu", ["added"], ["block"]),
        helper.make_node("ReduceMean", ["block"], ["pooled"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["pooled", "head"], ["logits"]),
    ]
    weights = {
        "patch": PATCHES.transpose(3, 2, 0, 1),
        "shape": np.array([-1, 6, 16], np.int64),
        "pads": np.array([0, 1, 0, 0, 0, 0], np.int64),
        "mixing": MIXING,
        "bias": BIAS,
        "head": HEAD,
    }
    graph = helper.make_graph(
        nodes,
        "tokens",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 16, 16])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 6])],
        [numpy_helper.from_array(np.ascontiguousarray(w), n) for n, w in weights.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    return kerasviz.load(
        helper.make_model(graph, opset_imports=opset, ir_version=8), preprocess="unit"
    )
