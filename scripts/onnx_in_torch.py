"""The nodes of an ONNX file as a PyTorch module: as much as GoogLeNet needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import onnx
import torch
from onnx import numpy_helper
from torch import nn

Weights = dict[str, torch.Tensor]


class Joined(nn.Module):
    """Several inputs side by side, by channel."""

    def forward(self, *parts: torch.Tensor) -> torch.Tensor:
        return torch.cat(parts, 1)


def _settings(node: Any) -> dict[str, Any]:
    found = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    expected = {"auto_pad": b"NOTSET", "ceil_mode": 0, "storage_order": 0}
    for name, value in expected.items():
        if found.get(name, value) != value:
            raise ValueError(f"{node.op_type} {node.name}: {name} is not supported here")
    return found


def _convolution(node: Any, weights: Weights) -> nn.Module:
    settings = _settings(node)
    kernel, bias = weights[node.input[1]], weights[node.input[2]]
    pads = settings.get("pads", [0] * 4)
    if pads[:2] != pads[2:]:
        raise ValueError(f"Conv {node.name}: expected the same padding on both sides, got {pads}")
    groups = settings.get("group", 1)
    made = nn.Conv2d(
        kernel.shape[1] * groups,
        kernel.shape[0],
        tuple(kernel.shape[2:]),
        stride=settings.get("strides", 1),
        padding=pads[:2],
        dilation=settings.get("dilations", 1),
        groups=groups,
    )
    made.load_state_dict({"weight": kernel, "bias": bias})
    return made


def _pool(node: Any) -> nn.Module:
    settings = _settings(node)
    pads = settings.get("pads", [0] * 4)
    # One more pixel at the end is how Caffe's rounding up is written in ONNX.
    return nn.MaxPool2d(
        settings["kernel_shape"],
        settings["strides"],
        padding=pads[:2],
        ceil_mode=pads[:2] != pads[2:],
    )


def _product(settings: dict[str, Any], kernel: torch.Tensor, bias: torch.Tensor) -> nn.Module:
    made = nn.Linear(kernel.shape[1], kernel.shape[0])
    scales = settings.get("alpha", 1.0), settings.get("beta", 1.0)
    made.load_state_dict({"weight": scales[0] * kernel, "bias": scales[1] * bias})
    return made


def _module(node: Any, weights: Weights) -> nn.Module:
    settings = _settings(node)
    if node.op_type == "Conv":
        return _convolution(node, weights)
    if node.op_type == "Relu":
        return nn.ReLU()
    if node.op_type == "MaxPool":
        return _pool(node)
    if node.op_type == "LRN":
        alpha, beta, bias = (settings[name] for name in ("alpha", "beta", "bias"))
        return nn.LocalResponseNorm(settings["size"], alpha, beta, bias)
    if node.op_type == "Concat" and settings["axis"] == 1:
        return Joined()
    if node.op_type == "GlobalAveragePool":
        return nn.AdaptiveAvgPool2d(1)
    if node.op_type == "Flatten" and settings.get("axis", 1) == 1:
        return nn.Flatten()
    if node.op_type == "Gemm" and settings.get("transB") == 1 and not settings.get("transA"):
        return _product(settings, weights[node.input[1]], weights[node.input[2]])
    raise ValueError(f"{node.op_type} {node.name}: not supported here")


class InceptionV1(nn.Module):
    """The network of an ONNX file from its image to ``parts``, joined under the name ``tap``.

    By this class name the library that is measured with it knows the range of the images,
    -117 to 138. The weights ask for no gradient: the library's examples leave that on.
    """

    def __init__(self, path: str, parts: list[str], tap: str):
        super().__init__()
        graph = onnx.load(path).graph
        weights = {
            each.name: torch.from_numpy(numpy_helper.to_array(each).copy())
            for each in graph.initializer
        }
        self.image = next(each.name for each in graph.input if each.name not in weights)
        self.parts, self.tap = parts, tap
        self.steps: list[tuple[str, list[str], str]] = []
        for number, node in enumerate(_needed(graph, parts)):
            name = f"{node.op_type}{number}"
            self.add_module(name, _module(node, weights))
            inputs = [each for each in node.input if each not in weights]
            self.steps.append((name, inputs, node.output[0]))
        self.add_module(tap, Joined())
        self.requires_grad_(False)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        values = {self.image: image}
        for name, inputs, output in self.steps:
            values[output] = getattr(self, name)(*[values[each] for each in inputs])
        joined: torch.Tensor = getattr(self, self.tap)(*[values[each] for each in self.parts])
        return joined


def _needed(graph: Any, parts: list[str]) -> Iterator[Any]:
    """The nodes that ``parts`` depend on, in the order of the file."""
    wanted, found = set(parts), []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            wanted |= set(node.input)
            found.append(node)
    return reversed(found)
