"""Pictures of a network as a site in one file, which needs no server."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from kerasviz.rendering.manifest import MANIFEST, mask_file
from kerasviz.rendering.media.medium import COMPANIONS, companion_file
from kerasviz.rendering.pages import write_index
from kerasviz.service.gallery import Gallery


def site_of(gallery: Gallery, name: str, tap: str | None = None) -> IO[bytes]:
    """Return a zip of the pictures of a network, or of one tap, as an open file at its start.

    Its folder ``name`` is as one of ``kerasviz render``: the pictures, a page that needs only these
    files, and all that makes them again, so that ``kerasviz verify`` reads it. The file has no
    name, and is gone when it is closed.
    """
    data, commands = gallery.contents(tap)
    archive = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(archive, "w") as written:
        page = write_index(Path(folder), data, commands)
        written.write(page, f"{name}/{page.name}")
        written.writestr(f"{name}/{MANIFEST}", json.dumps(data, ensure_ascii=False))
        for file in _files(gallery.folder, data):
            written.write(gallery.folder / file, f"{name}/{file}")
    archive.seek(0)
    return archive


def _files(folder: Path, data: dict[str, Any]) -> Iterator[str]:
    """Yield the files of pictures, those beside them, and the arrays that they depend on."""
    for entry in data["pictures"]:
        beside = [companion_file(entry["file"], s) for s in COMPANIONS if s != ".npy"]
        for file in (entry["file"], mask_file(entry["file"]), *beside):
            if (folder / file).is_file():
                yield file
    yield from sorted(path.name for path in folder.glob("*.npy"))
