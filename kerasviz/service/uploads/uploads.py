"""Uploads: model files stay in quarantine until a sandboxed process has checked them."""

from __future__ import annotations

import json
import os
import queue
import secrets
import threading
import time
from collections.abc import AsyncIterable, Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from kerasviz.errors import KerasvizError, UsageError, near
from kerasviz.io.files import write_atomically
from kerasviz.network.input_spec import PRESETS
from kerasviz.service.networks import ABOUT
from kerasviz.service.settings import ServiceSettings
from kerasviz.service.uploads.receiving import (
    TakenError,
    UploadBusyError,
    is_file_name,
    remove,
    write_body,
)
from kerasviz.service.uploads.sandbox import Inspection
from kerasviz.service.uploads.sandbox_process import Budget

_STATE, _FILE, _READY = "upload.json", "model", "admitted"
#: Uploads that may wait for their check.
_MOST_WAITING = 4
#: Ended uploads whose state is kept.
_KEPT = 200
_ENDED = ("ready", "refused")


@dataclass(frozen=True)
class Upload:
    """An upload: ``state`` is ``queued``, ``checking``, ``ready`` or ``refused`` with an error."""

    id: str
    name: str
    preprocess: str | None
    bytes: int
    sha256: str
    state: str = "queued"
    error: str | None = None
    created: float = field(default_factory=time.time)

    def to_json(self) -> dict[str, Any]:
        """Return the message for a client, with the address of this upload."""
        return {**asdict(self), "url": f"/api/uploads/{self.id}"}


class Uploads:
    """The uploads of a service, under ``quarantine/`` of its data folder.

    :meth:`receive` takes a file, a thread has them checked one by one, and an admitted file gets
    its folder under ``models/`` in one step. ``names`` returns the names in use. Checks that a
    kill interrupted are repeated.
    """

    def __init__(
        self,
        setting: ServiceSettings,
        names: Callable[[], Iterable[str]],
        budget: Budget | None = None,
    ):
        self.setting, self._names = setting, names
        most = setting.limits.upload_bytes
        budget = budget or Budget(unpacked_bytes=most, memory_bytes=2 * 2**30 + 6 * most)
        self._inspection = Inspection(budget)
        self._known: dict[str, Upload] = {}
        self._lock = threading.Lock()
        self._receiving = 0
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="uploads", daemon=True)

    @property
    def folder(self) -> Path:
        """The folder of unchecked files."""
        return self.setting.quarantine

    # -- while the service runs ------------------------------------------------------------------

    def start(self) -> None:
        """Read the uploads of an earlier process, and start to check files."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self.folder.iterdir()):
            if not (path / _STATE).is_file():  # the process was killed while it received the file
                remove(path)
                continue
            upload = Upload(**json.loads((path / _STATE).read_text(encoding="utf-8")))
            if upload.state not in _ENDED:
                upload = replace(upload, state="ready" if self._admitted(upload) else "queued")
            self._record(upload)
            if upload.state == "queued":
                self._waiting.put(upload.id)
            else:
                _clear(path)
        self._thread.start()

    def stop(self) -> None:
        """Stop; the next start repeats an interrupted check."""
        self._stopping = True
        self._waiting.put(None)
        self._inspection.stop()
        if self._thread.is_alive():
            self._thread.join()

    def find(self, identity: str) -> Upload | None:
        """Return the upload of an id."""
        return self._known.get(identity)

    async def receive(
        self, name: str, preprocess: str | None, chunks: AsyncIterable[bytes]
    ) -> Upload:
        """Receive a file into quarantine.

        Raises :class:`UsageError` for an invalid name, an unknown preset or an empty file,
        ``TakenError``, ``TooLargeError``, and ``UploadBusyError`` where too many wait.
        """
        self._check(name, preprocess)
        with self._lock:
            waiting = sum(u.state not in _ENDED for u in self._known.values())
            if waiting + self._receiving >= _MOST_WAITING:
                raise UploadBusyError(
                    f"{_MOST_WAITING} uploads are being looked at; send this one later"
                )
            self._receiving += 1
        identity = secrets.token_hex(8)
        path = self.folder / identity
        try:
            path.mkdir(parents=True)
            most = self.setting.limits.upload_bytes
            count, sha256 = await write_body(path / _FILE, chunks, self.setting, most)
            if not count:
                raise UsageError("the body is empty; send the bytes of an ONNX or .keras file")
            upload = Upload(identity, name, preprocess, count, sha256)
            self._record(upload)
        except BaseException:  # the client may disconnect at any time
            remove(path)
            raise
        finally:
            with self._lock:
                self._receiving -= 1
        self._waiting.put(identity)
        return upload

    def _check(self, name: str, preprocess: str | None) -> None:
        if not is_file_name(name):
            raise UsageError(
                f"{name[:100]!r} is no name for a network; give at most 64 letters, digits and "
                "_ . -, the first a letter or a digit"
            )
        if preprocess is not None and preprocess not in PRESETS:
            raise UsageError(
                f"unknown preset {preprocess[:100]!r}; near: {near(preprocess[:100], PRESETS)}"
            )
        if self._is_taken(name):
            raise TakenError(f"there is a network {name!r} already; give another name")
        with self._lock:
            waiting = {u.name.casefold() for u in self._known.values() if u.state not in _ENDED}
        if name.casefold() in waiting:
            raise TakenError(f"an upload named {name!r} is being looked at; give another name")

    def _is_taken(self, name: str) -> bool:
        """Tell whether a network has this name, ignoring case."""
        folder = self.setting.uploads
        kept = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        return name.casefold() in {known.casefold() for known in (*self._names(), *kept)}

    def _record(self, upload: Upload) -> None:
        """Store the state of an upload, on disk first, and remove the oldest ended ones."""
        text = json.dumps(asdict(upload), indent=1)
        write_atomically(self.folder / upload.id / _STATE, text.encode())
        with self._lock:
            self._known[upload.id] = upload
            ended = [u for u in self._known.values() if u.state in _ENDED]
            old = sorted(ended, key=lambda u: u.created)[: max(0, len(ended) - _KEPT)]
            for other in old:
                del self._known[other.id]
        for other in old:
            remove(self.folder / other.id)

    # -- checking files --------------------------------------------------------------------------

    def _work(self) -> None:
        while (identity := self._waiting.get()) is not None and not self._stopping:
            upload = self._known[identity]
            if upload.state in _ENDED:  # queued twice: by receive and by start
                continue
            upload = replace(upload, state="checking")
            self._record(upload)
            try:
                facts = self._inspect(upload)
                if self._stopping:  # the check was interrupted
                    return
                self._admit(upload, facts)
                upload = replace(upload, state="ready")
            except (KerasvizError, OSError) as error:
                if self._stopping:
                    return
                upload = replace(upload, state="refused", error=self._reason(identity, error))
            self._record(upload)
            _clear(self.folder / identity)

    def _reason(self, identity: str, error: Exception) -> str:
        """Return why an upload is refused, without paths of this machine."""
        if isinstance(error, OSError):
            return f"the file cannot be kept: {error.strerror}"
        return str(error).replace(f"{(self.folder / identity).resolve()}/", "")[:1000]

    def _inspect(self, upload: Upload) -> dict[str, Any]:
        """Check a file in the sandbox; raises :class:`KerasvizError` with the refusal."""
        return self._inspection.run(self.folder / upload.id / _FILE, upload.preprocess)

    def _admitted(self, upload: Upload) -> bool:
        """Tell whether the folder of a network was made from this upload."""
        about = self.setting.uploads / upload.name / ABOUT
        if not about.is_file():
            return False
        return bool(json.loads(about.read_text(encoding="utf-8")).get("upload") == upload.id)

    def _admit(self, upload: Upload, facts: dict[str, Any]) -> None:
        """Create the folder under ``models/``: filled elsewhere, then renamed."""
        path = self.folder / upload.id
        file = f"{upload.name}.{facts['format']}"
        remove(path / _READY)
        (path / _READY).mkdir()
        os.link(path / _FILE, path / _READY / file)
        about = {
            "file": file,
            "preprocess": upload.preprocess,
            "sha256": upload.sha256,
            "bytes": upload.bytes,
            "upload": upload.id,
            **facts,
        }
        write_atomically(path / _READY / ABOUT, (json.dumps(about, indent=1) + "\n").encode())
        self.setting.uploads.mkdir(parents=True, exist_ok=True)
        if self._is_taken(upload.name):
            raise TakenError(f"there is a network {upload.name!r} by now; give another name")
        os.rename(path / _READY, self.setting.uploads / upload.name)


def _clear(folder: Path) -> None:
    """Remove everything of an upload except its state."""
    for path in folder.iterdir():
        if path.name != _STATE:
            remove(path)
