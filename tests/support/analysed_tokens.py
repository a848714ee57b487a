"""A small transformer whose classes depend on a row of tokens, as a Keras model and from ONNX."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import kerasviz
from kerasviz.network.network import Network

#: Pixels of a patch, and of the images, which have 4 x 3 patches.
PATCH = 4
SIZE = (16, 12)
WIDTH = 6


def weights() -> dict[str, np.ndarray]:
    """Weights of the patches, of the class token, of a block without attention, of the head."""
    draw = np.random.default_rng(3)
    shapes = {
        "patches": (PATCH, PATCH, 3, WIDTH),
        "token": (1, 1, WIDTH),
        "mix": (13, 13),
        "up": (WIDTH, 8),
        "down": (8, WIDTH),
        "head": (WIDTH, 5),
    }
    return {name: draw.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes.items()}


class ClassToken(keras.layers.Layer):
    """Put a token before a row."""

    def build(self, shape) -> None:
        self.token = self.add_weight(shape=(1, 1, shape[-1]), name="token")

    def call(self, rows):
        token = keras.ops.repeat(self.token, keras.ops.shape(rows)[0], 0)
        return keras.ops.concatenate([token, rows], 1)


def of_keras() -> Network:
    """Patches, a class token, tokens mixed with each other, a GELU, and classes of the first."""
    w, layers = weights(), keras.layers
    image = keras.Input((*SIZE, 3), name="image")
    x = layers.Conv2D(WIDTH, PATCH, PATCH, use_bias=False, name="patches")(image)
    x = layers.Reshape((12, WIDTH), name="rows")(x)
    tokens = ClassToken(name="tokens")(x)
    mixed = layers.Permute((2, 1))(tokens)
    mixed = layers.Dense(13, use_bias=False, name="mix")(mixed)
    block = layers.Add(name="block")([tokens, layers.Permute((2, 1))(mixed)])
    up = layers.Dense(8, use_bias=False, activation="gelu", name="up")(block)
    last = layers.Add(name="last")([block, layers.Dense(WIDTH, use_bias=False, name="down")(up)])
    first = layers.Cropping1D((0, 12), name="first")(last)
    logits = layers.Dense(5, use_bias=False, name="logits")(layers.Flatten()(first))
    model = keras.Model(image, layers.Softmax(name="prob")(logits))
    for layer, name in [("tokens", "token"), ("logits", "head")]:
        model.get_layer(layer).set_weights([w[name]])
    for name in ("patches", "mix", "up", "down"):
        model.get_layer(name).set_weights([w[name]])
    return kerasviz.load(model, preprocess="unit")


def onnx_file(folder: Path) -> Path:
    """A network like it, with a ReLU and the mean of all tokens, as an ONNX file."""
    w = weights()
    node = helper.make_node
    nodes = [
        node("Conv", ["image", "patches_w"], ["patches"], strides=[PATCH, PATCH]),
        node("Reshape", ["patches", "shape"], ["flat"]),
        node("Transpose", ["flat"], ["rows"], perm=[0, 2, 1]),
        node("MatMul", ["mix_w", "rows"], ["mixed"]),
        node("Add", ["rows", "mixed"], ["block"]),
        node("MatMul", ["block", "up_w"], ["hidden"]),
        node("Relu", ["hidden"], ["up"]),
        node("MatMul", ["up", "down_w"], ["down"]),
        node("Add", ["block", "down"], ["last"]),
        node("ReduceMean", ["last"], ["mean"], axes=[1], keepdims=0),
        node("MatMul", ["mean", "head_w"], ["logits"]),
        node("Softmax", ["logits"], ["prob"]),
    ]
    arrays = {
        "patches_w": w["patches"].transpose(3, 2, 0, 1),
        "shape": np.array([0, WIDTH, 12]),
        "mix_w": w["mix"][:12, :12],
        "up_w": w["up"],
        "down_w": w["down"],
        "head_w": w["head"],
    }
    graph = helper.make_graph(
        nodes,
        "tokens",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, *SIZE])],
        [helper.make_tensor_value_info("prob", TensorProto.FLOAT, ["n", 5])],
        [numpy_helper.from_array(np.ascontiguousarray(a), name) for name, a in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / "tokens.onnx"
    onnx.save(model, path)
    return path


def of_onnx(folder: Path) -> Network:
    """The network of :func:`onnx_file`."""
    return kerasviz.load(onnx_file(folder), preprocess="unit")
