"""Read the pictures at which gradients are shown: a user's photos, or an optimized one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.io.images import ImageFileError, read_image
from kerasviz.rendering.request import Request
from kerasviz.types import Array

SUFFIXES = (".png", ".jpg", ".jpeg")
#: The number of photos in the article's figure.
MOST = 14


@dataclass(frozen=True)
class Photo:
    """Name a picture to differentiate at: a file, or the finished picture of a request."""

    name: str
    file: Path | None = None
    request: Request | None = None


def find_photos(path: str | Path) -> tuple[Path, ...]:
    """Return the PNG and JPEG files of a folder by name, or one file.

    Raises :class:`UsageError` if there is none.
    """
    path = Path(path)
    if path.is_file():
        files = [path]
    elif path.is_dir():
        files = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    else:
        raise UsageError(f"no photos at {str(path)!r}: expected a folder or a PNG or JPEG file")
    photos = tuple(p for p in files if p.suffix.lower() in SUFFIXES)
    if not photos:
        raise UsageError(f"no photos in {str(path)!r}: expected PNG or JPEG files")
    return photos


def read_photo(path: Path, size: tuple[int, int], channels: int) -> Array:
    """Read a photo as an array [H, W, C] in [0, 1], scaled and cropped at the centre to ``size``.

    Raises :class:`UsageError` for a file that is no picture.
    """
    try:
        return read_image(path, size, channels).astype(np.float32) / 255
    except ImageFileError as error:
        raise UsageError(f"{str(path)!r} cannot be read as a picture: {error}") from error


def photos_of(paths: Sequence[Path], otherwise: Request) -> tuple[Photo, ...]:
    """Return the photos of files, or without files the finished picture of a request."""
    if not paths:
        return (Photo(f"optimized picture of {otherwise.text}", request=otherwise),)
    return tuple(Photo(path.stem, file=path) for path in paths[:MOST])
