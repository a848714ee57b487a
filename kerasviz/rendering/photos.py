"""The pictures at which gradients are shown: a user's photos, or one that was optimized."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from kerasviz.errors import UsageError
from kerasviz.io.images import pixels_of
from kerasviz.rendering.request import Request
from kerasviz.types import Array

__all__ = ["MOST", "Photo", "find_photos", "fitted", "photos_of", "read_photo"]


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
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UsageError(f"{str(path)!r} cannot be read as a picture: {error}") from error
    cropped = ImageOps.fit(upright, (size[1], size[0]), Image.Resampling.LANCZOS)
    return fitted(cropped, channels)


def fitted(image: Image.Image, channels: int) -> Array:
    """A picture as an array [H, W, channels] in [0, 1].

    One channel is the brightness. For other counts than 3 the colours are repeated in turn.

    >>> fitted(Image.new("RGB", (3, 2), (255, 0, 51)), 5)[0, 0].tolist()
    [1.0, 0.0, 0.20000000298023224, 1.0, 0.0]
    """
    return pixels_of(image, channels).astype(np.float32) / 255


def photos_of(paths: Sequence[Path], otherwise: Request) -> tuple[Photo, ...]:
    """The photos of files, or if there are none the finished picture of a request."""
    if not paths:
        return (Photo(f"optimized picture of {otherwise.text}", request=otherwise),)
    return tuple(Photo(path.stem, file=path) for path in paths[:MOST])
