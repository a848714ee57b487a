"""Uploaded files of directions, which targets name as ``LAYER@FILE.npz:KEY[ROW]``."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import threading
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasviz.errors import KerasvizError, UsageError, near
from kerasviz.io.arrays import check_format, file_checksum, opened_arrays
from kerasviz.io.files import write_atomically
from kerasviz.optvis.objectives.direction_files import FileWords
from kerasviz.optvis.objectives.latents import CONFIG, ENCODERS, read_config
from kerasviz.optvis.objectives.term import Term
from kerasviz.service.settings import ServiceSettings
from kerasviz.service.uploads.receiving import (
    LONGEST_NAME,
    TakenError,
    TooLargeError,
    UploadBusyError,
    is_file_name,
    remove,
    write_body,
)
from kerasviz.service.uploads.sandbox import Inspection
from kerasviz.service.uploads.sandbox_process import Budget

if TYPE_CHECKING:
    from kerasviz.rendering.request import Request

_ABOUT = "about.json"
#: Bytes of the configuration of an autoencoder, at most.
_CONFIG_BYTES = 2**16
#: Files that may be received and checked at once.
_MOST_AT_ONCE = 4


@dataclass(frozen=True)
class DirectionUpload:
    """An uploaded file; ``arrays`` are its arrays of directions, each a ``key`` and a ``shape``.

    The file of a sparse autoencoder with its configuration also has a number of ``latents`` and
    the name of their ``gate``.
    """

    name: str
    bytes: int
    sha256: str
    arrays: tuple[dict[str, Any], ...]
    latents: int | None = None
    gate: str | None = None

    @property
    def is_autoencoder(self) -> bool:
        """Whether it has the encoder of a sparse autoencoder, with its configuration or without."""
        return any(array["key"] in ENCODERS for array in self.arrays)

    def to_json(self) -> dict[str, Any]:
        """Return the message for a client: each array with its number of vectors and their width.

        ``vectors`` is ``None`` for an array that is itself one vector.
        """
        arrays = []
        for array in self.arrays:
            shape = array["shape"]
            vectors = shape[0] if len(shape) in (2, 4) else None
            arrays.append({**array, "vectors": vectors, "width": shape[-1]})
        return {**asdict(self), "arrays": arrays, "autoencoder": self.is_autoencoder}


class DirectionUploads:
    """The files of directions of a service, under ``directions/`` of its data folder.

    :meth:`receive` takes a file, which a process with limits reads before it is kept; :meth:`find`
    returns where the file of a target lies. Nothing else of this machine is read.
    """

    def __init__(self, setting: ServiceSettings, budget: Budget | None = None):
        self.setting = setting
        most = setting.limits.direction_bytes
        self.budget = budget or Budget(
            memory_bytes=2**28 + 4 * most, cpu_seconds=30, seconds=60.0, unpacked_bytes=most
        )
        self._lock = threading.Lock()
        self._receiving = 0

    @property
    def folder(self) -> Path:
        """The folder of admitted files, each in a folder of its name."""
        return self.setting.directions

    def list(self) -> list[DirectionUpload]:
        """List the files by name."""
        found = (self._read(path.parent.name) for path in sorted(self.folder.glob(f"*/{_ABOUT}")))
        return [upload for upload in found if upload is not None]

    def find(self, words: FileWords) -> Path:
        """Return where the file of a target lies.

        Raises :class:`UsageError` for a file that was not uploaded, and for latents without the
        configuration of their autoencoder.
        """
        if not is_file_name(words.path) or not (self.folder / words.path / _ABOUT).is_file():
            known = [upload.name for upload in self.list()]
            hint = f"near: {near(words.path[:100], known)}" if known else "none was uploaded yet"
            raise UsageError(
                f"{words.path[:100]}: files of this machine are not read, but those that were "
                f"uploaded; {hint}"
            )
        path = self.folder / words.path / words.path
        if words.option == "latent" and not (path.parent / CONFIG).is_file():
            raise UsageError(
                f"{words.path}#latent={words.value[:20]}: latents need the {CONFIG} of their "
                f"autoencoder; send it to /api/directions/{words.path}/config"
            )
        return path

    def configure(self, name: str, data: bytes) -> DirectionUpload:
        """Keep the configuration of a sparse autoencoder beside its file, and return the file.

        Raises :class:`UsageError` for an unknown file, and for a configuration that is not of it.
        """
        path = self.find(FileWords(name))
        if len(data) > _CONFIG_BYTES:
            raise TooLargeError(f"{CONFIG} has {len(data)} bytes; at most {_CONFIG_BYTES} may be")
        with self._received() as folder:
            os.link(path, folder / name)
            (folder / CONFIG).write_bytes(data)
            try:
                with opened_arrays(folder / name) as arrays:
                    config = read_config(folder / name, arrays)
                    latents = arrays[config.encoder].shape[config.axis]
            except UsageError as error:
                raise UsageError(_without(folder, error)) from error
        known = self._read(name)
        if known is None:
            raise UsageError(f"{name}: it was removed meanwhile")
        upload = replace(known, latents=latents, gate=config.gate)
        write_atomically(path.parent / CONFIG, data)
        write_atomically(path.parent / _ABOUT, _about(upload))
        return upload

    async def receive(
        self, name: str, chunks: AsyncIterable[bytes]
    ) -> tuple[DirectionUpload, bool]:
        """Receive and check a file; return it, and whether it is new.

        Raises :class:`UsageError` for an invalid name, a pickle and a file without directions,
        ``TakenError`` for the name of another file, ``TooLargeError``, and ``UploadBusyError``
        where too many are received.
        """
        if not is_file_name(name):
            raise UsageError(
                f"{name[:100]!r} is no name for a file; give at most {LONGEST_NAME} letters, "
                "digits and _ . -, the first a letter or a digit"
            )
        check_format(Path(name))
        with self._received() as path:
            count, sha256 = await write_body(
                path / name, chunks, self.setting, self.setting.limits.direction_bytes
            )
            if not count:
                raise UsageError("the body is empty; send the bytes of a file of directions")
            known = self._named(name)
            if known is not None:
                if known.sha256 == sha256:
                    return known, False
                raise TakenError(
                    f"there is another file {known.name!r} already; remove it or give another name"
                )
            arrays = await asyncio.to_thread(self._inspect, path / name)
            upload = DirectionUpload(name, count, sha256, tuple(arrays))
            self._admit(path, upload)
        return upload, True

    def remove(self, name: str) -> bool:
        """Remove a file, and return whether there was one; its pictures and jobs stay."""
        if not is_file_name(name) or not (self.folder / name / _ABOUT).is_file():
            return False
        gone = self.setting.quarantine / secrets.token_hex(8)
        gone.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(self.folder / name, gone)  # at once: nobody finds half of it
        except FileNotFoundError:
            return False
        remove(gone)
        return True

    @contextmanager
    def _received(self) -> Iterator[Path]:
        """Make a folder for an unchecked file, and remove what is left of it."""
        with self._lock:
            if self._receiving >= _MOST_AT_ONCE:
                raise UploadBusyError(
                    f"{_MOST_AT_ONCE} files are being looked at; send this one later"
                )
            self._receiving += 1
        path = self.setting.quarantine / secrets.token_hex(8)
        try:
            path.mkdir(parents=True)
            yield path
        finally:
            remove(path)
            with self._lock:
                self._receiving -= 1

    def _inspect(self, path: Path) -> Any:
        """Read a file in the sandbox; raise :class:`UsageError` with the reason of a refusal."""
        try:
            return Inspection(self.budget).run(path, kind="directions")["arrays"]
        except KerasvizError as error:
            raise UsageError(_without(path.parent, error)) from error

    def _admit(self, path: Path, upload: DirectionUpload) -> None:
        """Move the folder of a checked file to the others, whole."""
        write_atomically(path / _ABOUT, _about(upload))
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock:
            if self._named(upload.name) is not None:
                raise TakenError(f"there is a file {upload.name!r} by now; give another name")
            os.rename(path, self.folder / upload.name)

    def _named(self, name: str) -> DirectionUpload | None:
        """Return the file of a name, ignoring case."""
        wanted = name.casefold()
        return next((known for known in self.list() if known.name.casefold() == wanted), None)

    def _read(self, name: str) -> DirectionUpload | None:
        try:
            data = json.loads((self.folder / name / _ABOUT).read_text(encoding="utf-8"))
        except FileNotFoundError:  # removed meanwhile
            return None
        return DirectionUpload(**{**data, "arrays": tuple(data["arrays"])})


def _about(upload: DirectionUpload) -> bytes:
    return (json.dumps(asdict(upload), indent=1) + "\n").encode()


def _without(folder: Path, error: Exception) -> str:
    """Return the line of an error without the folder, which is of no use to a client."""
    line = str(error)
    for path in (folder.resolve(), folder):
        line = line.replace(f"{path}{os.sep}", "")
    return line[:1000]


def with_files(request: Request, folder: Path) -> Request:
    """Return a request whose latents know where the uploaded files of their autoencoders lie.

    Those whose file was removed, or is another one now, stay as they are.
    """

    def located(term: Term) -> Term:
        source = term.source
        if term.kind != "latent" or source is None or not is_file_name(source.file):
            return term
        path = folder / source.file / source.file
        if not (path.parent / CONFIG).is_file() or file_checksum(path) != source.sha256:
            return term
        return replace(term, source=replace(source, path=str(path)))

    if not any(term.kind == "latent" for term in request.objective.terms):
        return request
    terms = tuple(map(located, request.objective.terms))
    return replace(request, objective=replace(request.objective, terms=terms))
