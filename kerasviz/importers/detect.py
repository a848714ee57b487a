"""Detect the format of a model file from its content, never from its suffix."""

from __future__ import annotations

import codecs
import mmap
import zipfile
from collections.abc import Iterator
from pathlib import Path

from kerasviz.errors import ModelError

_HDF5 = b"\x89HDF\r\n\x1a\n"
_PYTORCH_LEGACY = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"  # its magic number
_TO_ONNX = "export it to ONNX with torch.onnx.export and load that"


def kind_of(path: Path) -> str:
    """Return ``keras``, ``h5``, ``saved_model``, ``onnx`` or ``graphdef``.

    Raises :class:`ModelError` for a missing, empty, truncated or unknown file. For a known other
    format the error names it and the way out.
    """
    if path.is_dir():
        return _kind_of_folder(path)
    if not path.is_file():
        raise ModelError(f"no such file: {path}")
    size = path.stat().st_size
    if size == 0:
        raise ModelError(f"{path.name} is empty")
    with path.open("rb") as file:
        head = file.read(4096)
        _refuse_others(path, head)
        if head.startswith(_HDF5):
            return "h5"
        if head.startswith(b"PK\x03\x04"):
            return _kind_of_zip(path)
        _refuse_text(path, head)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _kind_of_protobuf(path, data)


def _kind_of_folder(path: Path) -> str:
    if (path / "saved_model.pb").is_file() or (path / "saved_model.pbtxt").is_file():
        return "saved_model"
    # Keras 3 writes a folder with ``zipped=False``; large models have weights in several files.
    weights = ("model.weights.h5", "model.weights.json")
    if (path / "config.json").is_file() and any((path / name).is_file() for name in weights):
        return "keras"
    raise ModelError(
        f"{path} is a folder without saved_model.pb, and without the config.json and "
        "model.weights.h5 of Keras; give a SavedModel, a Keras folder or a file"
    )


def _refuse_others(path: Path, head: bytes) -> None:
    if head[4:8] == b"TFL3":
        raise ModelError(
            f"{path.name} is a TensorFlow Lite file, which has no gradients; "
            "load the Keras model, SavedModel or ONNX file that it was made from"
        )
    if head.startswith(_PYTORCH_LEGACY):
        raise ModelError(f"{path.name} is a PyTorch checkpoint; {_TO_ONNX}")
    if head[8:9] == b"{" and b'"dtype"' in head:
        raise ModelError(
            f"{path.name} is a safetensors file of weights without a network; build the model, "
            "load them and save it as .keras or ONNX"
        )
    if head.startswith(b"\x80") and head[1:2] in b"\x02\x03\x04\x05":
        raise ModelError(f"{path.name} is a Python pickle; if it is a PyTorch model, {_TO_ONNX}")


def _kind_of_zip(path: Path) -> str:
    if not zipfile.is_zipfile(path):
        raise ModelError(f"{path.name} is a truncated .keras (zip) file; copy it again")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if "config.json" in names:
        return "keras"
    if any(name.rsplit("/", 1)[-1] in ("data.pkl", "constants.pkl") for name in names):
        raise ModelError(f"{path.name} is a PyTorch checkpoint; {_TO_ONNX}")
    raise ModelError(f"{path.name} is a zip file without config.json, not a .keras model")


def _refuse_text(path: Path, head: bytes) -> None:
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return
    if not all(c.isprintable() or c in "\r\n\t\f" for c in text):
        return
    if text.startswith("version https://git-lfs"):
        raise ModelError(f"{path.name} is a Git LFS pointer, not the model; run git lfs pull")
    if text.lstrip()[:1] == "<":
        raise ModelError(f"{path.name} is a web page, not a model; download the file itself")
    raise ModelError(
        f"{path.name} is a text file, not a model; expected .keras, .h5, .onnx, "
        "a SavedModel folder or a frozen .pb"
    )


def _kind_of_protobuf(path: Path, data: mmap.mmap) -> str:
    """Tell ONNX, GraphDef and SavedModel apart by the fields of their outermost messages.

    Field 1 is a number in ONNX and SavedModel, and a node in a GraphDef. Field 7 of ONNX is the
    graph, field 2 of a SavedModel the graphs.
    """
    seen: dict[int, int] = {}
    try:
        for number, wire in _fields(data):
            seen.setdefault(number, wire)
    except EOFError:
        if seen.get(1) == _VARINT or 7 in seen or seen.get(1) == _BYTES:
            format_ = "frozen graph" if seen.get(1) == _BYTES else "ONNX"
            raise ModelError(f"{path.name} is a truncated {format_} file; copy it again") from None
        seen = {}
    except ValueError:
        seen = {}
    if seen.get(7) == _BYTES and seen.get(1, _VARINT) == _VARINT:
        return "onnx"
    if seen.get(1) == _BYTES and set(seen) <= {1, 2, 3, 4, 5}:
        return "graphdef"
    if seen.get(1) == _VARINT and set(seen) == {1, 2}:
        raise ModelError(f"{path.name} is part of a SavedModel; give its folder, {path.parent}")
    raise ModelError(
        f"{path.name} is of no known format; expected .keras, .h5, .onnx, a SavedModel folder or "
        "a frozen .pb"
    )


_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def _fields(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Yield the (number, wire type) of each outermost field of a protobuf message.

    A field is yielded before its end is checked. Raises ``EOFError`` for a truncated message,
    ``ValueError`` for bytes that are no message.
    """
    position, size = 0, len(data)

    def varint() -> int:
        nonlocal position
        result = shift = 0
        while True:
            if position >= size:
                raise EOFError
            byte = data[position]
            position += 1
            result |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return result
            if shift > 63:
                raise ValueError("no varint")

    while position < size:
        tag = varint()
        number, wire = tag >> 3, tag & 7
        if number == 0 or number > 1000 or wire not in (_VARINT, _FIXED64, _BYTES, _FIXED32):
            raise ValueError("no field")
        yield number, wire
        if wire == _VARINT:
            varint()
        else:
            length = {_FIXED64: 8, _FIXED32: 4}.get(wire) or varint()  # varint moves position
            position += length
        if position > size:
            raise EOFError
