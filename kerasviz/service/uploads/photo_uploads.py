"""Uploaded photos, from which pictures start; the latest are kept."""

from __future__ import annotations

import os
import re
import secrets
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import ImageOps

from kerasviz.errors import UsageError
from kerasviz.io.files import checksum
from kerasviz.io.images import ImageFileError, encode
from kerasviz.service.activations import opened_body
from kerasviz.service.settings import ServiceSettings
from kerasviz.service.uploads.receiving import remove

#: The tag of EXIF that says how a photo is turned; from 5 on its sides change places.
_ORIENTATION = 0x0112
#: Pixels a side of a small copy, at most.
_SMALL = 128
#: Characters of a name that is kept, at most.
_LONGEST = 60
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class PhotoUpload:
    """An uploaded photo: its id, which follows from its bytes, and its upright size in pixels."""

    id: str
    name: str
    width: int
    height: int

    def to_json(self) -> dict[str, Any]:
        """Return the message for a client."""
        return asdict(self)


class PhotoUploads:
    """The photos of a service, each in a folder of its id under ``photos/`` of its data folder.

    A job copies what it needs, so that photos may go: the ``photos`` latest of the limits stay.
    """

    def __init__(self, setting: ServiceSettings):
        self.setting = setting
        self._lock = threading.Lock()

    @property
    def folder(self) -> Path:
        """The folder of the photos."""
        return self.setting.photos

    def add(self, name: str, data: bytes) -> PhotoUpload:
        """Keep a photo; ``name`` is that of its file.

        Raises :class:`UsageError` for bytes that are no PNG or JPEG picture, and for too many
        pixels.
        """
        try:
            with opened_body(data) as image:
                image.load()
                width, height = ImageOps.exif_transpose(image).size
        except ImageFileError as error:
            raise UsageError(f"{_named(name)}: no picture that can be read: {error}") from error
        upload = PhotoUpload(checksum(data)[:16], _named(name), width, height)
        with self._lock:
            self._keep(upload, data)
            self._forget()
        return upload

    def find(self, identity: str) -> Path:
        """Return the file of a photo.

        Raises :class:`UsageError` for one that is not here any more, or never was.
        """
        folder = self.folder / identity
        files = sorted(folder.iterdir()) if _ID.fullmatch(identity) and folder.is_dir() else []
        if not files:
            raise UsageError(f"no photo {identity[:40]!r}; send it first, to /api/photos")
        return files[0]

    def read(self, identity: str) -> tuple[PhotoUpload, bytes]:
        """Return a photo with a small copy of it, as PNG.

        Raises :class:`UsageError` as :meth:`find` does.
        """
        path = self.find(identity)
        with opened_body(path.read_bytes()) as image:
            size = image.size if image.getexif().get(_ORIENTATION, 1) < 5 else image.size[::-1]
            image.draft("RGB", (2 * _SMALL, 2 * _SMALL))  # JPEGs are decoded smaller
            upright = ImageOps.exif_transpose(image)
            upload = PhotoUpload(identity, path.name, *size)
            upright.thumbnail((_SMALL, _SMALL))
            return upload, encode(upright.convert("RGB"), "png")

    def found(self, identities: Iterable[str] | None) -> tuple[Path, ...]:
        """Return the files of photos, each once; none of ``None``."""
        return tuple(self.find(identity) for identity in dict.fromkeys(identities or ()))

    def _keep(self, upload: PhotoUpload, data: bytes) -> None:
        """Write a folder elsewhere, and move it in one step in the place of one of the same id."""
        made = self.setting.quarantine / secrets.token_hex(8)
        made.mkdir(parents=True)
        (made / upload.name).write_bytes(data)
        self.folder.mkdir(parents=True, exist_ok=True)
        remove(self.folder / upload.id)
        os.rename(made, self.folder / upload.id)

    def _forget(self) -> None:
        photos = sorted(self.folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        for old in photos[: max(0, len(photos) - self.setting.limits.photos)]:
            remove(old)


def _named(name: str) -> str:
    """Return a file name that every system takes and that pictures can tell.

    >>> _named("../My cat, asleep.JPG"), _named("")
    ('My_cat_asleep.JPG', 'photo')
    """
    stem = re.sub(r"[^\w.-]+", "_", name.replace("\\", "/").rpartition("/")[2])
    return stem.strip("._-")[-_LONGEST:].lstrip("._-") or "photo"
