"""Downloads: a temporary folder with the pictures of a remote storage."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from kerasviz.atlas.shards import PICTURES
from kerasviz.errors import UsageError
from kerasviz.io.files import write_atomically
from kerasviz.io.storage import Storage
from kerasviz.optvis.held_array import held_arrays
from kerasviz.rendering.held_data import array_file
from kerasviz.rendering.manifest import JOURNAL, MANIFEST, Manifest
from kerasviz.rendering.request import Request


@contextmanager
def fetched(url: str) -> Iterator[Path]:
    """Download the manifest at an address and all files that it names into a temporary folder.

    The address is that of a folder of pictures, or of one that has them under ``pictures/``.
    Missing files are left out. Raises :class:`UsageError` where there is no manifest.
    """
    parent, _, name = url.rstrip("/").rpartition("/")
    if name == PICTURES and not parent.endswith("/"):  # sprites lie beside the pictures
        url = parent
    storage = Storage(url)
    inside = f"{PICTURES}/" if storage.exists(f"{PICTURES}/{MANIFEST}") else ""
    with TemporaryDirectory(prefix="kerasviz-") as folder:
        root = Path(folder)
        _copy(storage, [inside + MANIFEST, inside + JOURNAL], root)
        if not (root / inside / MANIFEST).is_file():
            raise UsageError(f"{url!r} holds no {MANIFEST}: it was not made by kerasviz")
        manifest = Manifest(root / inside)
        names = [*manifest.entries, *manifest.computed, *manifest.copied]
        requests = [Request.from_json("", data) for data in manifest.requests.values()]
        names += dict.fromkeys(array_file(held) for held in held_arrays(requests))
        _copy(storage, [posixpath.normpath(inside + name) for name in names], root)
        yield root / inside


def _copy(storage: Storage, paths: list[str], root: Path) -> None:
    outside = [path for path in paths if path.startswith(("/", ".."))]
    if outside:
        raise UsageError(f"the manifest of {storage.url!r} names a file outside: {outside[0]!r}")
    for path, data in storage.read_many(paths):
        if data is not None:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(root / path, data)
