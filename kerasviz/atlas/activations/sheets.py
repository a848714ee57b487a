"""Sheets: many icons, or crops of photos, in one file, from which the page cuts them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from kerasviz.errors import UsageError
from kerasviz.examples.datasets import Source, stream
from kerasviz.examples.receptive_field import ReceptiveField
from kerasviz.figures.site.sprites import scaled
from kerasviz.io.files import make_folder
from kerasviz.rendering.manifest import Entry
from kerasviz.rendering.store import Store
from kerasviz.types import Array

#: The folder of the files, in that of an atlas.
FOLDER = "sheets"
#: Pictures along each side of a file.
SIDE = 16
#: The most pixels of an icon in a file.
ICON = 96
#: Pixels of a crop.
CROP = 64
#: The JPEG quality of the files, 0 to 100.
QUALITY = 85
#: The largest crop, as a share of the shorter side of the photo: units near the output depend on
#: all of it, if only a little on what is far away.
LARGEST = 0.5
#: The colour behind the pictures.
BEHIND = (128, 128, 128)


def sheet_names(name: str, count: int) -> list[str]:
    """Return the files of ``count`` pictures.

    >>> sheet_names("icons-40", 300)
    ['sheets/icons-40-0.jpg', 'sheets/icons-40-1.jpg']
    """
    return [f"{FOLDER}/{name}-{k}.jpg" for k in range(-(-count // SIDE**2))]


def write_sheets(
    store: Store, out: Path, name: str, count: int, tiles: Callable[[int], Image.Image]
) -> list[str]:
    """Write pictures, row by row, into files of up to 256, and record their checksums."""
    names = sheet_names(name, count)
    make_folder(out / FOLDER)
    for k, file in enumerate(names):
        numbers = range(k * SIDE**2, min(count, (k + 1) * SIDE**2))
        store.copy(out / file, _sheet([tiles(number) for number in numbers]))
    return names


def _sheet(tiles: Sequence[Image.Image]) -> bytes:
    width, height = tiles[0].size
    rows = -(-len(tiles) // SIDE)
    sheet = Image.new("RGB", (min(SIDE, len(tiles)) * width, rows * height), BEHIND)
    for k, tile in enumerate(tiles):
        sheet.paste(tile, (k % SIDE * width, k // SIDE * height))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def icon_reader(store: Store, entries: Sequence[Entry]) -> Callable[[int], Image.Image]:
    """Return a function that reads icons by number, as small as sheets have them."""

    def read(number: int) -> Image.Image:
        with Image.open(store.folder / entries[number].file) as image:
            small = max(image.size) <= ICON
            return image.convert("RGB") if small else scaled(image.convert("RGB"), ICON)

    return read


def photo_crops(
    source: Source,
    positions: Array,
    points: Sequence[int],
    field: ReceptiveField,
    map_size: tuple[int, int],
    batch: int,
) -> Mapping[int, Image.Image]:
    """Cut crops from photos, by point: what the position of each sees, or the middle of that.

    ``positions`` [N, 3] has the photo, row and column of every point, on a map of ``map_size``.
    Photos that cannot be read any more have no crops.
    """
    by_photo: dict[int, list[int]] = {}
    for point in points:
        by_photo.setdefault(int(positions[point, 0]), []).append(point)
    numbers = np.array(sorted(by_photo), np.int64)
    if len(numbers) and numbers[-1] >= len(source):
        raise UsageError(f"{source.label} has {len(source)} photos, fewer than were sampled")
    crops = {}
    for images in stream(source, numbers, batch, (*field.size, 3)):
        for k in np.flatnonzero(images.readable):
            for point in by_photo.get(int(images.numbers[k]), ()):
                box = crop_box(positions[point, 1:], field, map_size)
                picture = Image.fromarray(images.images[k]).crop(box)
                crops[point] = picture.resize((CROP, CROP), Image.Resampling.LANCZOS)
    return crops


def crop_box(
    place: Array, field: ReceptiveField, map_size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the crop for a (row, column) on a map.

    >>> field = ReceptiveField((32, 32), ((0, 32),), ((0, 32),))
    >>> crop_box(np.array([0, 3]), field, (4, 4))
    (16, 0, 32, 16)
    """
    height, width = field.size
    side = max(1, round(min(field.side, LARGEST * min(height, width))))
    top, left = (
        int(np.clip((n + 0.5) / of * length - side / 2, 0, length - side))
        for n, of, length in zip(place, map_size, field.size, strict=True)
    )
    return left, top, left + side, top + side
