"""The way of a module of PyTorch, with a small stand-in for the package: it is too large for CI."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import kerasviz
from kerasviz.errors import ModelError, UsageError
from kerasviz.network.live_weights import WeightsChangedWarning


@dataclass
class Weight:
    """A tensor that counts its changes, as PyTorch's does."""

    shape: tuple[int, ...] = (1, 3, 8, 8)
    _version: int = 0

    def data_ptr(self) -> int:
        return id(self)

    def dim(self) -> int:
        return len(self.shape)


class Module:
    """What the class of PyTorch's modules gives, under its name."""

    def __init__(self) -> None:
        self.training = True
        self.weight = Weight()
        self.dropout = types.SimpleNamespace(training=False)

    def modules(self) -> list[Any]:
        return [self, self.dropout]

    def eval(self) -> None:
        self.training = False

    def state_dict(self) -> dict[str, Weight]:
        return {"weight": self.weight}


Module.__module__ = "torch.nn.modules.module"


class Net(Module):
    """A module of a user."""


def exported_proto(batch: str | int) -> onnx.ModelProto:
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [batch, 3, 8, 8]) for n in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", value[:1], value[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


class Exporter:
    """``torch.onnx.export`` of the stand-in; it records its calls."""

    def __init__(self, fixed: bool = False, broken: bool = False):
        self.fixed, self.broken = fixed, broken
        self.calls: list[dict[str, Any]] = []

    def __call__(self, module: Any, inputs: tuple[Any, ...], **options: Any) -> Any:
        self.calls.append({"training": module.training, "inputs": inputs, **options})
        if self.broken or (self.fixed and "dynamic_shapes" in options):
            raise RuntimeError("the shape is fixed\nand a long explanation")
        batch = "batch" if "dynamic_shapes" in options else inputs[0].shape[0]
        return types.SimpleNamespace(model_proto=exported_proto(batch))


@contextmanager
def installed(exporter: Exporter) -> Iterator[None]:
    torch = types.ModuleType("torch")
    torch.onnx = types.SimpleNamespace(export=exporter)  # type: ignore[attr-defined]
    torch.no_grad = nullcontext  # type: ignore[attr-defined]
    torch.export = types.SimpleNamespace(Dim=str)  # type: ignore[attr-defined]
    torch.cat = lambda parts: Weight((2, *parts[0].shape[1:]))  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torch", torch)
        patch.setitem(sys.modules, "onnxscript", types.ModuleType("onnxscript"))
        yield


def test_without_an_example_it_says_how() -> None:
    line = r"with an example of its input: kerasviz.load\(net, torch.zeros\(1, 3, 224, 224\)\)$"
    with pytest.raises(UsageError, match=line):
        kerasviz.load(Net())


def test_without_the_package_it_says_how() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torch", None)
        with pytest.raises(
            UsageError, match=r"^to export Net run: pip install 'kerasviz\[torch\]'"
        ):
            kerasviz.load(Net(), Weight())


def test_it_is_exported_for_inference_with_a_free_batch() -> None:
    module, exporter = Net(), Exporter()
    with installed(exporter):
        net = kerasviz.load(module, Weight(), preprocess="unit")
        again = kerasviz.load(module, Weight())
    assert [call["training"] for call in exporter.calls] == [False, False]
    assert (module.training, module.dropout.training) == (True, False)  # as it was
    assert exporter.calls[0]["inputs"][0].shape == (2, 3, 8, 8)  # 1 would be taken for fixed
    assert (net.name, net.identity.format) == ("Net", "onnx")
    assert net.image_port.batch is None
    assert net.identity.sha256 == again.identity.sha256
    images = np.random.default_rng(0).random((3, 8, 8, 3), np.float32)
    np.testing.assert_array_equal(net.activations(images, ["y"])["y"], images)
    module.weight._version += 1
    with pytest.warns(WeightsChangedWarning, match="the weights of Net have changed"):
        net.activations(images, ["y"])


def test_a_module_of_one_batch_is_exported_with_that() -> None:
    exporter = Exporter(fixed=True)
    with installed(exporter):
        net = kerasviz.load(Net(), Weight())
    assert "dynamic_shapes" not in exporter.calls[-1] and net.image_port.batch == 1


def test_a_failed_export_is_one_line() -> None:
    with installed(Exporter(broken=True)), pytest.raises(ModelError) as failed:
        kerasviz.load(Net(), (Weight(), Weight()))
    assert str(failed.value) == "Net cannot be exported to ONNX: the shape is fixed"
