"""Measure the spectrum of a folder of photographs, for pictures that have it too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from kerasviz.errors import UsageError
from kerasviz.io.images import ImageFileError, open_image
from kerasviz.optvis.held_array import HeldArray
from kerasviz.optvis.parameterizations.spectrum import measured_spectrum
from kerasviz.rendering.photos import find_photos, read_photo
from kerasviz.types import Array


def spectrum_of(photos: str | Path | Sequence[Path], side: int) -> HeldArray:
    """Return the mean magnitudes of photographs, [3, side, side // 2 + 1].

    They are those of a folder, or the files of a list.

    Each is scaled and cropped at the centre to ``side`` pixels; smaller ones are left out, because
    enlarged photographs have no fine detail. The name says how many were measured.

    Raises:
        UsageError: For a folder without photographs that are large enough, and files that are none.
    """
    if isinstance(photos, str | Path):
        label, files = str(photos), find_photos(photos)
    else:
        label, files = "photos", tuple(photos)
    return _measured(label, files, side, tuple(file.stat().st_mtime_ns for file in files))


@lru_cache(maxsize=4)
def _measured(folder: str, files: Sequence[Path], side: int, _stamps: Sequence[int]) -> HeldArray:
    large = [file for file in files if _shorter_side(file) >= side]
    if not large:
        raise UsageError(
            f"spectrum {folder!r}: all photos have less than {side} pixels a side; give larger "
            "ones, or a smaller --size"
        )

    def photos() -> Iterator[Array]:
        for file in large:
            yield read_photo(file, (side, side), 3)

    count = f"{len(large)} photo{'' if len(large) == 1 else 's'}"
    return HeldArray.of(measured_spectrum(photos()), f"{Path(folder).name} ({count})")


def _shorter_side(file: Path) -> int:
    try:
        with open_image(file) as image:
            return min(image.size)
    except ImageFileError as error:
        raise UsageError(f"{str(file)!r} cannot be read as a picture: {error}") from error
