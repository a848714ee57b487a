"""Tiny ONNX classifiers with what exporters write into and beside their files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MEAN, STD = [0.5, 0.25, 0.125], [0.25, 0.5, 0.2]
NAMES = ("ant", "bee", "cat")


def classifier(
    path: Path,
    metadata: Mapping[str, str] | None = None,
    *,
    channels: int = 3,
    dtype: int = TensorProto.FLOAT,
    seed: int = 0,
) -> Path:
    """Save a network with 3 classes: images -> conv -> pool -> logits -> output0."""
    draw = np.random.default_rng(seed)
    weights = (draw.standard_normal((3, channels, 4, 4)) * 0.3).astype(np.float32)
    node = helper.make_node
    first = [] if dtype == TensorProto.FLOAT else [node("Cast", ["images"], ["cast"], to=1)]
    nodes = [
        *first,
        node("Conv", ["cast" if first else "images", "w"], ["conv"], strides=[4, 4]),
        node("GlobalAveragePool", ["conv"], ["pool"]),
        node("Flatten", ["pool"], ["logits"]),
        node("Softmax", ["logits"], ["output0"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("images", dtype, ["n", channels, "h", "w"])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, dict(metadata or {}))
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


#: What transformers and optimum write beside a model.
PREPROCESSOR = {
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": MEAN,
    "image_processor_type": "ViTImageProcessor",
    "image_std": STD,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 24, "width": 32},
}
CONFIG = {
    "architectures": ["ViTForImageClassification"],
    "id2label": {"0": "ant", "1": "bee", "2": "cat"},
    "image_size": 24,
    "label2id": {"ant": 0, "bee": 1, "cat": 2},
    "model_type": "vit",
}
TIMM = {
    "architecture": "resnet18",
    "num_classes": 3,
    "label_names": list(NAMES),
    "pretrained_cfg": {"input_size": [3, 24, 32], "mean": MEAN, "std": STD, "tag": "mine"},
}
ULTRALYTICS = {
    "author": "Ultralytics",
    "task": "classify",
    "stride": "1",
    "batch": "1",
    "imgsz": "[24, 32]",
    "names": "{0: 'ant', 1: 'bee', 2: \"cat\"}",
}


def write_json(path: Path, data: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))


def optimum_folder(folder: Path, **changes: Any) -> Path:
    """Save a model with the files of optimum beside it; ``changes`` go into the processor's."""
    write_json(folder / "preprocessor_config.json", {**PREPROCESSOR, **changes})
    write_json(folder / "config.json", CONFIG)
    return classifier(folder / "model.onnx")


def timm_folder(folder: Path) -> Path:
    write_json(folder / "config.json", TIMM)
    return classifier(folder / "model.onnx")
