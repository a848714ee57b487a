"""Find the file of a model that is named by a path, a folder, or an address of a hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kerasviz.errors import UsageError
from kerasviz.zoo.hub import fetched_from_hub, is_hub_address, parse_address


@dataclass(frozen=True)
class Located:
    """Hold the path of a model, a short name, and the source that records name."""

    path: Path
    name: str
    source: str


def locate(source: str) -> Located | None:
    """Return where a model is, ``None`` if there is no such file or folder.

    A folder that holds an ONNX file beside its configuration stands for that file. An address
    ``hf://user/repo[/file]`` is fetched first. Raises :class:`UsageError` for a folder with several
    ONNX files.
    """
    if is_hub_address(source):
        path = fetched_from_hub(source)
        address = parse_address(source)
        return Located(path, address.repository.rpartition("/")[2], source)
    path = Path(source)
    if not path.exists():
        return None
    file = onnx_file_in(path) if path.is_dir() else None
    if file is not None:
        return Located(file, path.resolve().name, str(file))
    return Located(path, path.stem, source)


def onnx_file_in(folder: Path) -> Path | None:
    """Return the ONNX file that a folder stands for, ``None`` for other folders.

    That is its ``model.onnx``, or the only one in it or in its folder ``onnx``.
    """
    if any((folder / name).exists() for name in ("saved_model.pb", "saved_model.pbtxt")):
        return None
    for place in (folder, folder / "onnx"):
        files = sorted(place.glob("*.onnx"))
        usual = [file for file in files if file.name == "model.onnx"]
        if usual or len(files) == 1:
            return (usual or files)[0]
        if files:
            names = ", ".join(file.name for file in files[:5])
            raise UsageError(f"{str(place)!r} holds several ONNX files; name one of {names}")
    return None
