"""ONNX models as the tests need them: opened by onnxruntime, or with random weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def session(path: Path, names: Sequence[str]) -> onnxruntime.InferenceSession:
    """An onnxruntime session without optimizations, in which the values ``names`` are outputs."""
    model = onnx.load(path)
    known = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in known)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def narrow(model: onnx.ModelProto, by: int) -> None:
    """Divide the widths of a light model by ``by``, but for its 1000 classes.

    Its nodes stay the same, with a tiny part of the weights: vgg19 has 140 million.
    """

    def width(n: int) -> int:
        return n if n <= 16 or n == 1000 else n // by

    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.int64:  # the shape of weights, or of rows before a dense layer
            array = np.array([width(n) for n in array], np.int64)
        else:
            array = array[tuple(slice(width(n)) for n in array.shape)]
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    known = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    for given in model.graph.input:  # files of these years name their weights there too
        if given.name in known:
            for length, n in zip(given.type.tensor_type.shape.dim, known[given.name], strict=True):
                length.dim_value = n


def randomized(source: Path, target: Path, narrower: int = 1) -> Path:
    """The architecture of a light model with random weights.

    In the file they are one number each, from ConstantOfShape, and a wrong order of the channels
    would go unseen. The scale keeps the size of the activations; variances are positive.
    With ``narrower`` the layers have only a part of their width: see :func:`narrow`.
    """
    model = onnx.load(source)
    if narrower > 1:
        narrow(model, narrower)
    rng = np.random.default_rng(7)
    initial = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    variances = {n.input[4] for n in model.graph.node if n.op_type == "BatchNormalization"}
    nodes = []
    for node in model.graph.node:
        if node.op_type != "ConstantOfShape" or node.input[0] not in initial:
            nodes.append(node)
            continue
        shape = [int(n) for n in initial[node.input[0]]]
        spread = np.sqrt(2 / max(np.prod(shape[1:]), 1)) if len(shape) > 1 else 0.1
        weights = rng.standard_normal(shape, np.float32) * np.float32(spread)
        name = node.output[0]
        if len(shape) == 1:
            weights = weights + np.float32(1)
        if name in variances:
            weights = np.abs(weights) + np.float32(0.5)
        model.graph.initializer.append(numpy_helper.from_array(weights, name))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    target.write_bytes(model.SerializeToString())
    return target


def write_convolutions(path: Path, units: int, seed: int = 0) -> Path:
    """Two convolutions with ReLUs: relu1 has 6 units, relu2 ``units``; no input description."""
    draw = np.random.default_rng(seed)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(draw.normal(0, 0.3, shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["conv1"], pads=[1] * 4, strides=[2, 2]),
        helper.make_node("Relu", ["conv1"], ["relu1"]),
        helper.make_node("Conv", ["relu1", "w2"], ["conv2"], pads=[1] * 4),
        helper.make_node("Relu", ["conv2"], ["relu2"]),
    ]
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("relu2", TensorProto.FLOAT, ["n", units, "i", "j"])],
        [weights("w1", 6, 3, 3, 3), weights("w2", units, 6, 3, 3)],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path
