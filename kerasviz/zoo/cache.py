"""Keep the user's copies of zoo networks: fetch, add and find them."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kerasviz.errors import ModelError, UsageError
from kerasviz.io.download import DownloadError, Progress, download, sha256_of
from kerasviz.io.files import checksum, temporary_folder, write_atomically
from kerasviz.network.class_names import read_names
from kerasviz.network.input_spec import InputSpec
from kerasviz.zoo.applications import save_application
from kerasviz.zoo.links import bring
from kerasviz.zoo.locate import onnx_file_in
from kerasviz.zoo.model_card import (
    Card,
    ModelFile,
    card,
    cards,
    cards_folder,
    networks_folder,
    packaged_cards,
)

if TYPE_CHECKING:
    from kerasviz.importers.imported import Imported

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"


def cached(card: Card) -> Path | None:
    """Return the model file of a network in the user cache, ``None`` if it is not cached.

    Of a symbolic link it is the original, because files beside it belong to it.
    """
    path = networks_folder() / card.name / card.file_name
    if not path.exists():
        return None
    return path.resolve() if path.is_symlink() else path


def find_archive(sha256: str) -> Card | None:
    """Return the card of the network whose zip archive has this SHA-256, if there is one."""
    found = (c for c in cards().values() if c.archive is not None and c.archive.sha256 == sha256)
    return next(found, None)


def read_embedded(card: Card) -> Imported:
    """Build a network that is installed with the package.

    Raises :class:`ModelError` where its weight file is missing or differs from the card's.
    """
    from kerasviz.importers.imported import Imported
    from kerasviz.importers.keras.file import program_of

    module = importlib.import_module(card.builder)
    path: Path = module.checkpoint_path()
    _check(path, card.files[0])
    return Imported(program_of(module.build()), "zoo")


def fetch(name: str, progress: Progress | None = None) -> Path:
    """Fetch a zoo network into the user cache and return its model file.

    Existing files are kept. Every file is checked against the SHA-256 of the card before it is
    read, and an interrupted download is resumed. ``progress`` is called with the bytes fetched and
    in all. Networks of keras.applications are built by Keras, which downloads and checks their
    weights itself. Raises :class:`UsageError` for an unknown name, and :class:`ModelError` without
    a connection; the line says which file to bring.
    """
    wanted = card(name)
    found = cached(wanted)
    if wanted.embedded:
        path: Path = importlib.import_module(wanted.builder).checkpoint_path()
        return path
    if found is not None:
        if wanted.sha256:
            _check(found, wanted.files[0])
        return found
    folder = networks_folder() / wanted.name
    if wanted.builder:
        return save_application(wanted, folder / wanted.file_name)
    brought = wanted.archive or wanted.files[0]
    if not brought.url:
        raise ModelError(
            f"{name} has no public download: bring {brought.name} (SHA-256 {brought.sha256}; "
            f"{wanted.source}) and run: kerasviz models add {brought.name} --name {name}"
        )
    try:
        if wanted.archive is not None:
            archive = download(brought.url, folder / brought.name, brought.sha256, progress)
            _extract(wanted, archive)
            archive.unlink()
        else:
            for file in reversed(wanted.files):  # the model last, since it marks a complete network
                download(file.url, folder / file.name, file.sha256, progress)
    except DownloadError as error:
        raise ModelError(
            f"{name} cannot be fetched ({error}): bring {brought.name} from {brought.url} and "
            f"run: kerasviz models add {brought.name} --name {name}"
        ) from error
    return folder / wanted.file_name


def add(
    file: str | os.PathLike[str],
    name: str,
    *,
    input_spec: InputSpec | None = None,
    labels: str | os.PathLike[str] | None = None,
    licence: str = "unknown",
) -> Path:
    """Link a model file (or SavedModel folder) into the user cache as the network ``name``.

    Weights and configuration beside the file are brought too. It is copied where no link can be
    made. For the name of a model card the file must be the card's model or archive, by SHA-256. For
    a network of keras.applications it is a ``.keras`` file or the weight file that Keras downloads.
    Any other name makes a new network with a card in the user cache. ``input_spec`` describes its
    numbers, ``labels`` is a file of names of classes. Returns the path in the cache. Raises
    :class:`UsageError` for a missing file, a bad name or a file that is not the card's.
    """
    source = Path(file)
    if not source.exists():
        raise UsageError(f"no such file: {source}")
    if source.is_dir():
        source = onnx_file_in(source) or source
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UsageError(f"{name!r} cannot be the name of a network: use letters, digits and ._-")
    known = packaged_cards().get(name)
    if known is None:
        return _add_new(source, name, input_spec, labels, licence)
    if input_spec is not None or labels is not None:
        raise UsageError(f"{name} has a model card with its own input and labels; leave them out")
    if known.embedded:
        raise UsageError(f"{name} is installed with kerasviz; choose another --name")
    target = networks_folder() / name / known.file_name
    if known.builder:
        return _add_application(source, known, target)
    found = sha256_of(source)
    if known.archive is not None and found == known.archive.sha256:
        _extract(known, source)
        return target
    if found != known.sha256:
        raise UsageError(
            f"{source} is not {name}: its SHA-256 is {found}, the card's {known.sha256}; "
            f"choose another --name to add it as a network of its own"
        )
    with _writing(target):
        return bring(source, target)


def _add_application(source: Path, known: Card, target: Path) -> Path:
    start = _first_bytes(source)
    # Keras only warns when a `.weights.h5` belongs to another network.
    if start.startswith(_HDF5) and not source.name.endswith(".weights.h5"):
        return save_application(known, target, source)
    if not start.startswith(_ZIP):
        raise UsageError(
            f"{source} is not {known.name}: expected {known.file_name}, or its weights as Keras "
            "downloads them (.h5)"
        )
    with _writing(target):
        return bring(source, target)


def _add_new(
    source: Path,
    name: str,
    input_spec: InputSpec | None,
    labels: str | os.PathLike[str] | None,
    licence: str,
) -> Path:
    from kerasviz.importers.detect import kind_of

    kind = kind_of(source)
    folder = networks_folder() / name
    listed = [] if labels is None else [_write_labels(Path(labels), folder)]
    with _writing(folder):
        weights = _weights_of(source) if kind == "onnx" else []
        target = bring(source, folder / source.name, weights)
    size = 0 if target.is_dir() else target.stat().st_size
    listed.insert(0, {"name": target.name, "sha256": sha256_of(target), "size": size})
    lines = [
        f"name = {json.dumps(name)}",
        f"title = {json.dumps(name)}",
        f"description = {json.dumps('Added by the user.')}",
        f"licence = {json.dumps(licence)}",
        f"sources = [{json.dumps(str(source.resolve()))}]",
        f"format = {json.dumps(kind)}",
    ]
    if labels is not None:
        lines.append('labels = "file:labels.txt"')
    for entry in listed:
        lines += ["", "[[files]]", *(f"{k} = {json.dumps(v)}" for k, v in entry.items())]
    if input_spec is not None:
        lines += ["", "[input]"]
        lines += [f"{k} = {json.dumps(v)}" for k, v in input_spec.to_json().items()]
    with _writing(cards_folder()):
        cards_folder().mkdir(parents=True, exist_ok=True)
    write_atomically(cards_folder() / f"{name}.toml", ("\n".join(lines) + "\n").encode())
    return target


def _write_labels(source: Path, folder: Path) -> dict[str, str | int]:
    """Write the names in a file of labels, one a line; return the entry of the file in a card."""
    text = "".join(f"{name}\n" for name in read_names(source)).encode()
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "labels.txt", text)
    return {"name": "labels.txt", "sha256": checksum(text), "size": len(text)}


def _extract(card: Card, archive: Path) -> None:
    """Extract the files of a card from its zip archive; each is checked before it gets its name."""
    folder = networks_folder() / card.name
    try:
        with zipfile.ZipFile(archive) as opened, temporary_folder(folder, folder) as temporary:
            members = {info.filename.rpartition("/")[2]: info for info in opened.infolist()}
            for file in reversed(card.files):  # the model last, since it marks a complete network
                if file.name not in members:
                    raise ModelError(f"{archive} holds no {file.name}")
                copy = temporary / file.name
                with opened.open(members[file.name]) as read, copy.open("wb") as written:
                    shutil.copyfileobj(read, written)
                _check(copy, file)
                os.replace(copy, folder / file.name)
    except zipfile.BadZipFile as error:
        raise ModelError(f"{archive} is no readable zip file: {error}") from error


def _weights_of(path: Path) -> list[str]:
    """Return the names of the files beside an ONNX file that hold its weights."""
    from kerasviz.importers.onnx.load import external_files

    return external_files(path)


def remove(name: str) -> Path:
    """Remove a network from the user cache, with its card; linked originals stay.

    Returns the folder that was removed. Raises :class:`UsageError` for an unknown name, and for a
    network that is not in the cache.
    """
    wanted = card(name)
    folder, own = networks_folder() / name, cards_folder() / f"{name}.toml"
    if wanted.embedded:
        raise UsageError(f"{name} is installed with kerasviz; it cannot be removed")
    if not folder.is_dir() and not own.is_file():
        raise UsageError(f"{name} is not in the user cache; nothing to remove")
    with _writing(folder):
        own.unlink(missing_ok=True)
        if folder.is_dir():
            shutil.rmtree(folder)
    return folder


def _check(path: Path, file: ModelFile) -> None:
    found = sha256_of(path)
    if found != file.sha256:
        raise ModelError(
            f"{path} is damaged or another file: its SHA-256 is {found}, expected {file.sha256}; "
            "remove it and bring it again"
        )


def _first_bytes(path: Path) -> bytes:
    with _writing(path), path.open("rb") as file:
        return file.read(8)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn a failure to read or write into one line."""
    try:
        yield
    except OSError as error:
        raise ModelError(f"{path} cannot be read or written: {error.strerror or error}") from error
