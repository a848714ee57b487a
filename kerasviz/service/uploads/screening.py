"""Screening of uploaded model files before anything else reads them.

The file may come from anyone. It may hold only a network: nothing that unpacks to much more, runs
code or refers to other files. Screening reads only names and sizes.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

from kerasviz.errors import ModelError, first_line
from kerasviz.importers.detect import kind_of

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_MEMBERS = frozenset({_CONFIG, "metadata.json", _WEIGHTS})
_CONFIG_BYTES = 16 * 2**20
_OBJECTS = 200_000
_KERAS = frozenset(
    {"activations", "constraints", "dtype_policies", "initializers", "layers", "losses", "metrics"}
    | {"models", "ops", "optimizers", "quantizers", "random", "regularizers"}
)
#: Layers that run code of the file or read other files.
_REFUSED = frozenset(
    {"Lambda", "__lambda__", "__typespec__", "TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"}
    | {"TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
    | {"StringLookup", "IntegerLookup", "IndexLookup", "TextVectorization"}
)


def screen(path: Path, most_bytes: int) -> str:
    """Check an uploaded file, and return its format, ``onnx`` or ``keras``.

    ``most_bytes`` limits the declared unpacked size of a zip file. Raises :class:`ModelError`.
    """
    kind = kind_of(path)
    if kind == "onnx":
        _screen_onnx(path)
    elif kind == "keras":
        _screen_keras(path, most_bytes)
    else:
        raise ModelError(f"the file is of the format {kind}; upload ONNX or .keras")
    return kind


# -- ONNX ----------------------------------------------------------------------------------------


def _screen_onnx(path: Path) -> None:
    import onnx
    from google.protobuf.message import DecodeError

    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise ModelError("the file is no ONNX model: it cannot be decoded") from error
    for message in _messages(model):
        if not isinstance(message, onnx.TensorProto):
            continue
        if message.external_data or message.data_location == onnx.TensorProto.EXTERNAL:
            raise ModelError(
                f"tensor {message.name[:100]!r} is stored in another file, which an upload cannot "
                "have; save the model as one file (onnx.save, without save_as_external_data)"
            )


def _messages(message: Any) -> Iterator[Any]:
    """Yield a protobuf message and all messages inside it."""
    pending = [message]
    while pending:
        current = pending.pop()
        yield current
        for field, value in current.ListFields():
            if field.message_type is not None:
                pending.extend([value] if hasattr(value, "ListFields") else value)


# -- Keras ---------------------------------------------------------------------------------------


def _screen_keras(path: Path, most_bytes: int) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            _screen_members(archive.infolist(), most_bytes)
            config = json.loads(archive.read(_CONFIG))
            weights = archive.read(_WEIGHTS)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"the .keras file has no readable {_CONFIG}: {error}") from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise ModelError(f"the .keras file is damaged: {error}") from error
    _screen_config(config)
    _screen_weights(weights)


def _screen_members(members: list[zipfile.ZipInfo], most_bytes: int) -> None:
    names = [member.filename for member in members]
    unknown = [name for name in names if name not in _MEMBERS]
    if unknown:
        raise ModelError(
            f"the .keras file holds {unknown[0][:100]!r}; a network has {', '.join(_MEMBERS)} only"
        )
    if len(set(names)) < len(names) or not {_CONFIG, _WEIGHTS} <= set(names):
        raise ModelError(f"the .keras file must hold {_CONFIG} and {_WEIGHTS}, once each")
    size = sum(member.file_size for member in members)
    if size > most_bytes:
        raise ModelError(f"the .keras file unpacks to {size} bytes; at most {most_bytes} may be")
    config = next(member for member in members if member.filename == _CONFIG)
    if config.file_size > _CONFIG_BYTES:
        raise ModelError(f"{_CONFIG} has {config.file_size} bytes; at most {_CONFIG_BYTES} may be")


def _screen_config(config: Any) -> None:
    pending = [config]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if "class_name" in item:
                _screen_object(item)
            pending += item.values()
        elif isinstance(item, list):
            pending += item


def _screen_object(item: dict[str, Any]) -> None:
    name, module = str(item["class_name"])[:100], item.get("module")
    if name in _REFUSED:
        raise ModelError(
            f"the network has a layer {name}, which may run code or read other files; replace it "
            "by layers of Keras, or export the network to ONNX"
        )
    if ">" in str(item.get("registered_name")) or ">" in name:
        raise ModelError(f"the network needs {name}, which is no part of Keras; export it to ONNX")
    if module is None or (module == "builtins" and name == "function"):
        return
    parts = str(module).split(".")
    inner = parts[2:] if parts[1:2] == ["src"] else parts[1:]
    if parts[0] != "keras" or (inner and inner[0] not in _KERAS):
        raise ModelError(
            f"the network needs {name} of {str(module)[:100]!r}, which no layer is in; export the "
            "network to ONNX"
        )


def _screen_weights(data: bytes) -> None:
    """Check that all declared weights lie in the file itself, uncompressed."""
    declared, seen = 0, set()
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            pending: list[Any] = [file]
            while pending:
                item = pending.pop()
                address = h5py.h5o.get_info(item.id).addr
                if address in seen:  # groups may contain each other
                    continue
                seen.add(address)
                if isinstance(item, h5py.Dataset):
                    declared += _bytes_of(item)
                elif isinstance(item, h5py.Group):
                    pending += [_inside(item, name) for name in item]
                if len(seen) > _OBJECTS or declared > len(data):
                    raise ModelError(f"{_WEIGHTS} says that it holds more than it does")
    except (OSError, KeyError, ValueError, RuntimeError, TypeError) as error:
        raise ModelError(f"{_WEIGHTS} is damaged: {first_line(error)[:200]}") from error


def _inside(group: Any, name: str) -> Any:
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ModelError(f"{_WEIGHTS}: {name[:100]!r} is a link; save the weights themselves")
    return group[name]


def _bytes_of(dataset: Any) -> int:
    plan = dataset.id.get_create_plist()
    if dataset.external or dataset.is_virtual:
        raise ModelError(f"{_WEIGHTS}: {dataset.name[:100]!r} is stored in another file")
    if plan.get_nfilters() or dataset.dtype.kind not in "fiubV":
        raise ModelError(f"{_WEIGHTS}: {dataset.name[:100]!r} does not hold plain numbers")
    return int(dataset.size or 0) * int(dataset.dtype.itemsize)
