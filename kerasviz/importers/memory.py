"""Read models that are in memory: of Keras, ONNX, TensorFlow and PyTorch."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasviz.errors import UsageError
from kerasviz.importers.imported import Imported
from kerasviz.network.live_weights import LiveWeights

#: What :func:`kerasviz.load` takes, for the end of an error line.
TAKEN = (
    "a path, the name of a zoo network, hf://user/repo, a keras.Model, an onnx.ModelProto, a "
    "tf.Module, what tf.saved_model.load returns, or a torch.nn.Module with an example of its input"
)


@dataclass(frozen=True)
class MemoryModel:
    """Hold what was read from a model in memory.

    ``file`` is how a file of it would be called; ``weights`` notice that it is trained on.
    """

    imported: Imported
    name: str
    file: str
    weights: LiveWeights | None = None
    signature: str | None = None


@dataclass(frozen=True)
class MemoryOptions:
    """Hold the options on how a model in memory is read, each of which one kind takes.

    ``signature`` is for TensorFlow, ``importer`` and the ``folder`` of external data for ONNX, and
    ``example_input`` for PyTorch.
    """

    signature: str | None = None
    importer: str | None = None
    folder: Path | None = None
    example_input: Any = None

    def only(self, kind: str, *names: str) -> None:
        """Raise :class:`UsageError` for a given option that ``kind`` does not take."""
        for name, value in vars(self).items():
            if value is not None and name not in names:
                raise UsageError(f"{name} is for {_OF_KINDS[name]}, not for {kind}")


_OF_KINDS = {
    "signature": "SavedModels and modules of TensorFlow",
    "importer": "ONNX models",
    "folder": "ONNX models whose weights are in separate files",
    "example_input": "modules of PyTorch",
}


def read_object(model: Any, options: MemoryOptions) -> MemoryModel:
    """Read a model in memory, with its present weights.

    Raises :class:`UsageError` for an object of another kind, and for options that its kind does
    not take; :class:`kerasviz.errors.ModelError` for a model that cannot be read.
    """
    for base, read in _READERS:
        if _is_a(model, base):
            return read(model, options)
    kind = type(model)
    known = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    raise UsageError(f"no model is a {known}; load takes {TAKEN}")


def _is_a(model: Any, base: tuple[str, str]) -> bool:
    """Return whether a class or one above it has this root package and name, importing nothing."""
    root, name = base
    return any(
        kind.__name__ == name and kind.__module__.partition(".")[0] == root
        for kind in type(model).__mro__
    )


def _read_keras(model: Any, options: MemoryOptions) -> MemoryModel:
    from kerasviz.importers.keras.file import imported_model, weights_of

    options.only("a Keras model")
    weights = LiveWeights(model, weights_of)
    name = _plain(model.name)
    return MemoryModel(imported_model(model, name, "keras"), name, f"{name}.keras", weights)


def _read_proto(model: Any, options: MemoryOptions) -> MemoryModel:
    from kerasviz.importers import read_proto

    options.only("an ONNX model", "importer", "folder")
    name = _plain(model.graph.name)
    imported = read_proto(model, name, options.folder, options.importer)
    return MemoryModel(imported, name, f"{name}.onnx")


def _read_program(model: Any, options: MemoryOptions) -> MemoryModel:
    """Read what ``torch.onnx.export`` returns."""
    return _read_proto(model.model_proto, options)


def _read_module(model: Any, options: MemoryOptions) -> MemoryModel:
    from kerasviz.importers.tensorflow.saved_model import read_module

    options.only("a module of TensorFlow", "signature")
    own = getattr(model, "name", None)
    name = _plain(own if isinstance(own, str) else "saved_model")
    imported, variables = read_module(model, name, options.signature)
    weights = LiveWeights(model, lambda _: [variable.read_value() for variable in variables])
    return MemoryModel(imported, name, name, weights, options.signature)


def _read_torch(model: Any, options: MemoryOptions) -> MemoryModel:
    from kerasviz.importers import read_proto
    from kerasviz.importers.torch import exported, versions_of

    options.only("a module of PyTorch", "example_input", "importer")
    name = _plain(type(model).__name__)
    weights = LiveWeights(model, versions_of)
    proto = exported(model, options.example_input)
    return MemoryModel(
        read_proto(proto, name, None, options.importer), name, f"{name}.onnx", weights
    )


def _refuse_layer(layer: Any, options: MemoryOptions) -> MemoryModel:
    raise UsageError(
        f"a layer, {type(layer).__name__}, is no model; give keras.Sequential([keras.Input(shape), "
        "layer])"
    )


#: The root package and the name of a class, and how its objects are read; the first that fits.
_READERS: Sequence[tuple[tuple[str, str], Callable[[Any, MemoryOptions], MemoryModel]]] = (
    (("keras", "Model"), _read_keras),
    (("tf_keras", "Model"), _read_keras),
    (("onnx", "ModelProto"), _read_proto),
    (("torch", "ONNXProgram"), _read_program),
    (("keras", "Layer"), _refuse_layer),
    (("tf_keras", "Layer"), _refuse_layer),
    (("torch", "Module"), _read_torch),
    (("tensorflow", "AutoTrackable"), _read_module),
)


def _plain(name: str) -> str:
    """Return a name that files and targets can have.

    >>> _plain("models/My net"), _plain("")
    ('models_My_net', 'model')
    """
    return re.sub(r"[^\w.-]+", "_", name).strip("._-") or "model"
