"""Folders of images that a page sends, to be searched for what units respond to."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Collection
from pathlib import Path

from kerasviz.errors import UsageError
from kerasviz.io.images import ImageFileError
from kerasviz.service.activations import opened_body
from kerasviz.service.settings import ServiceSettings
from kerasviz.service.uploads.receiving import remove

#: The end of a name by the format of its image.
_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg"}
#: Characters of a folder and of a file that are kept, at most.
_LONGEST_FOLDER = 60
_LONGEST_FILE = 100
#: Seconds after which a folder that nobody searches is removed, at the start of a service.
KEPT_SECONDS = 24 * 3600.0
_ID = re.compile(r"[0-9a-f]{16}")


class ImageFolders:
    """The folders of images of a service, each below ``folders/`` of its data folder.

    A folder is removed once it was searched. May be used by many threads.
    """

    def __init__(self, setting: ServiceSettings):
        self.setting = setting
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    def add(self, identity: str, name: str, data: bytes) -> int:
        """Keep an image in a folder, and return how many the folder has.

        ``name`` is its path, as ``cat/1.jpg``; the first folder in it is its class.

        Raises :class:`UsageError` for bytes that are no PNG or JPEG picture, and for too many of
        them.
        """
        if not _ID.fullmatch(identity):
            raise UsageError(f"folder {identity[:40]!r}: give 16 hex digits")
        try:
            with opened_body(data) as image:
                suffix = _SUFFIXES[str(image.format)]
        except ImageFileError as error:
            raise UsageError(f"{name[-100:]}: no picture that can be read: {error}") from error
        place = self.setting.folders / identity / _plain(name, suffix)
        with self._lock:
            count = self._count(identity)
            most = self.setting.limits.folder_images
            if count >= most and not place.exists():
                raise UsageError(f"a folder of more than {most} images; search them by parts")
            new = not place.exists()
            place.parent.mkdir(parents=True, exist_ok=True)
            partial = place.with_name(f".{secrets.token_hex(8)}")
            partial.write_bytes(data)
            partial.replace(place)
            self._counts[identity] = count + new
            return self._counts[identity]

    def find(self, identity: str) -> Path:
        """Return a folder; raise :class:`UsageError` for one that is not here."""
        folder = self.setting.folders / identity
        if not _ID.fullmatch(identity) or not folder.is_dir():
            raise UsageError(
                f"no folder {identity[:40]!r}; send its images first, to /api/folders/ID/images"
            )
        return folder

    def sweep(self, live: Collection[str]) -> None:
        """Remove old folders but live ones: pages may still send images of a young one."""
        folder = self.setting.folders
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name not in live and time.time() - path.stat().st_mtime > KEPT_SECONDS:
                remove(path)

    def _count(self, identity: str) -> int:
        if identity not in self._counts:
            folder = self.setting.folders / identity
            files = [p for p in folder.rglob("*") if p.is_file()] if folder.is_dir() else []
            self._counts[identity] = len(files)
        return self._counts[identity]


def _plain(name: str, suffix: str) -> str:
    """Return a path of at most one folder that every system takes.

    >>> _plain("cats/my cat.JPEG", ".jpg"), _plain("../a/b/1.png", ".png"), _plain("", ".png")
    ('cats/my cat.jpg', 'a/b_1.png', 'image.png')
    """
    parts = [_word(part) for part in name.replace("\\", "/").split("/")]
    *folders, file = [part for part in parts if part] or ["image"]
    stem = re.sub(r"\.(png|jpe?g)$", "", "_".join([*folders[1:], file]), flags=re.IGNORECASE)
    file = f"{stem[-_LONGEST_FILE:].lstrip('. ') or 'image'}{suffix}"
    return f"{folders[0][:_LONGEST_FOLDER].rstrip('. ')}/{file}" if folders else file


def _word(part: str) -> str:
    """Return a part of a path without signs that no file name may have."""
    return re.sub(r"[^\w .,'()-]+", "_", part).strip(". ")
