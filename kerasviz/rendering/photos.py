"""The pictures at which gradients are shown: a user's photos, or one that was optimized."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.io.images import ImageFileError, read_image
from kerasviz.rendering.request import Request
from kerasviz.types import Array

__all__ = ["MOST", "Photo", "find_photos", "photos_of", "read_photo"]


SUFFIXES = (".png", ".jpg", ".jpeg")
#: As many photos as the article's figure has.
MOST = 14


@dataclass(frozen=True)
class Photo:
    """A picture to differentiate at: a file, or else the finished picture of a request."""

    name: str
    file: Path | None = None
    request: Request | None = None


def find_photos(path: str | Path) -> tuple[Path, ...]:
    """The PNG and JPEG files of a folder by name, or one file.

    Raises :class:`UsageError` where there is none.
    """
    path = Path(path)
    if path.is_file():
        found = [path]
    elif path.is_dir():
        found = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    else:
        raise UsageError(f"no photos at {str(path)!r}: expected a folder or a PNG or JPEG file")
    photos = tuple(p for p in found if p.suffix.lower() in SUFFIXES)
    if not photos:
        raise UsageError(f"no photos in {str(path)!r}: expected PNG or JPEG files")
    return photos


def read_photo(path: Path, size: tuple[int, int], channels: int) -> Array:
    """A photo as an array [H, W, C] in [0, 1]: scaled and cropped at the centre to ``size``.

    Raises :class:`UsageError` for a file that is no picture.
    """
    try:
        return read_image(path, size, channels).astype(np.float32) / 255
    except ImageFileError as error:
        raise UsageError(f"{str(path)!r} cannot be read as a picture: {error}") from error


def photos_of(paths: Sequence[Path], otherwise: Request) -> tuple[Photo, ...]:
    """The photos of files, or if there are none the finished picture of a request."""
    if not paths:
        return (Photo(f"optimized picture of {otherwise.text}", request=otherwise),)
    return tuple(Photo(path.stem, file=path) for path in paths[:MOST])
