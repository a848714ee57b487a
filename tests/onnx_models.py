"""ONNX models as the tests need them: opened by onnxruntime, or with random weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper


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


def randomized(source: Path, target: Path) -> Path:
    """The architecture of a light model with random weights.

    In the file they are one number each, from ConstantOfShape, and a wrong order of the channels
    would go unseen. The scale keeps the size of the activations; variances are positive.
    """
    model = onnx.load(source)
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
