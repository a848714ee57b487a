"""Read photos: those at which gradients are shown, and from which pictures are made."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from kerasviz.errors import UsageError
from kerasviz.io.images import ImageFileError, on_colour, open_image, pixels_of, read_image
from kerasviz.io.sounds import recordings_in
from kerasviz.optvis.held_array import HeldArray
from kerasviz.types import Array, Size

SUFFIXES = (".png", ".jpg", ".jpeg")
#: The number of photos in the article's figure.
MOST = 14
#: Photos that come with the package, for figures where none are given: those of scikit-image, which
#: are in the public domain, cut to squares.
OWN_PHOTOS = tuple(
    Path(__file__).with_name("photographs") / f"{name}.jpg"
    for name in ("cat", "coffee", "astronaut", "photographer", "rocket")
)


@dataclass(frozen=True)
class Photo:
    """Name a photo to differentiate at, and its file."""

    name: str
    file: Path


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


def listed_photos(photos: Any) -> list[Any]:
    """Return files, folders of files, images of Pillow and arrays, or one of them, as a list.

    Raises :class:`UsageError` for others, and a folder without photos.
    """
    several = isinstance(photos, Iterable) and not isinstance(
        photos, str | bytes | np.ndarray | os.PathLike
    )
    found: list[Any] = []
    for photo in photos if several else [photos]:
        if isinstance(photo, str | os.PathLike):
            path = Path(photo)
            found += [path] if path.is_file() else _in_folder(path)
        elif isinstance(photo, Image.Image | np.ndarray):
            found.append(photo)
        else:
            raise UsageError(
                f"from {type(photo).__name__}: expected a photo: a file, a folder, an image of "
                "Pillow or an array [H, W, 3]"
            )
    return found


def _in_folder(path: Path) -> Sequence[Path]:
    """Return the photos of a folder, or its recordings where it has some."""
    return recordings_in(path) or find_photos(path)


def one_photo(photo: Any) -> Any:
    """Return a file as path, or an image as it is; raise :class:`UsageError` for several."""
    photos = listed_photos(photo)
    if len(photos) != 1:
        raise UsageError(f"style: {len(photos)} photos; give one")
    return photos[0]


def hold_photo(photo: Any, number: int, size: Size, channels: int) -> HeldArray:
    """Read a photo upright, its shorter side scaled to that of ``size``, the longer one cropped.

    Transparent photos are laid on white. Arrays [H, W, 3] or [H, W] are bytes, or in [0, 1]; they
    and images of Pillow are named by their ``number``.

    Raises:
        UsageError: For a file that is no picture, and an array of another shape.
    """
    height, width = size
    if isinstance(photo, np.ndarray):
        photo = _image_of(photo)
    if isinstance(photo, Image.Image):
        return HeldArray.of(_fitted(photo, (width, height), channels), f"photo {number}")
    try:
        with open_image(photo) as image:
            return HeldArray.of(_fitted(image, (width, height), channels), photo.name)
    except ImageFileError as error:
        raise UsageError(f"{str(photo)!r} cannot be read as a picture: {error}") from error


def _fitted(image: Image.Image, size: tuple[int, int], channels: int) -> Any:
    upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        upright = on_colour(upright.convert("RGBA"), "white")
    fitted = ImageOps.fit(upright.convert("RGB"), size, Image.Resampling.LANCZOS)
    return pixels_of(fitted, channels)


def _image_of(array: Any) -> Image.Image:
    flat = array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array
    if not (flat.ndim == 2 or (flat.ndim == 3 and flat.shape[-1] in (3, 4))) or 0 in flat.shape:
        shape = " x ".join(map(str, array.shape))
        raise UsageError(f"photo of {shape} numbers: expected an array [H, W, 3]")
    if flat.dtype.kind == "f":
        if not (np.isfinite(flat).all() and flat.min() >= 0 and flat.max() <= 1):
            raise UsageError("photo: expected numbers in [0, 1], or bytes")
        flat = np.rint(flat * 255)
    elif flat.dtype != np.uint8:
        raise UsageError(f"photo of {flat.dtype}: expected bytes, or numbers in [0, 1]")
    return Image.fromarray(flat.astype(np.uint8))


def photos_of(paths: Sequence[Path]) -> tuple[Photo, ...]:
    """Return the photos of files, at most 14, or without files those of the package.

    >>> [photo.name for photo in photos_of(())]
    ['cat', 'coffee', 'astronaut', 'photographer', 'rocket']
    """
    return tuple(Photo(path.stem, path) for path in (paths or OWN_PHOTOS)[:MOST])
