"""Cutting the crops of all units out of the images, a file for each unit."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from kerasviz.examples.datasets import stream
from kerasviz.examples.folder import TILE, ExampleSheet, unit_file
from kerasviz.examples.ranking import TopExamples
from kerasviz.examples.receptive_field import ReceptiveField
from kerasviz.examples.search import Question
from kerasviz.io.files import make_folder, write_atomically
from kerasviz.types import Array

__all__ = ["crop", "write_crops"]

#: What every unit of every tap keeps, by bucket.
AllKept = Mapping[str, Mapping[str, TopExamples]]

#: Units whose crops are in memory at once; each takes about 1 MB.
UNITS = 256
#: Of the JPEG files.
QUALITY = 88
#: What lies behind the crops, and in the place of an image that could not be read again.
BLANK = (236, 236, 239)


@dataclass(frozen=True)
class _Wanted:
    """A crop that is needed: the unit of a tap, its corner in the unit's file, its position."""

    tap: str
    unit: int
    corner: tuple[int, int]
    place: int


def crop(picture: Array, field: ReceptiveField, place: int) -> Image.Image:
    """The crop of a position from a picture [H, W, C] of bytes: 98 x 98 pixels, in colour.

    Where a picture is narrower than the field, grey stands beside it.
    """
    top, left, bottom, right = field.window(*field.place(place))
    colours = picture[top:bottom, left:right, np.arange(3) % picture.shape[-1]]
    part = Image.fromarray(np.ascontiguousarray(colours))
    if part.width != part.height:
        side = max(part.size)
        square = Image.new("RGB", (side, side), BLANK)
        square.paste(part, ((side - part.width) // 2, (side - part.height) // 2))
        part = square
    return part.resize((TILE, TILE), Image.Resampling.LANCZOS)


def write_crops(
    question: Question,
    folder: Path,
    kept: AllKept,
    fields: Mapping[str, ReceptiveField],
    progress: Callable[[float], None],
) -> None:
    """Write the files of all units that are not there yet.

    The images that are needed are read again, at most once for 256 units: their pixels would not
    fit into memory beside the search.
    """
    units = [(tap, unit) for tap, found in kept.items() for unit in range(len(found["top"].image))]
    for tap in kept:
        make_folder((folder / unit_file(tap, 0)).parent)
    missing = [(tap, unit) for tap, unit in units if not (folder / unit_file(tap, unit)).is_file()]
    done = len(units) - len(missing)
    for start in range(0, len(missing), UNITS):
        chunk = missing[start : start + UNITS]
        _write(question, folder, chunk, kept, fields)
        done += len(chunk)
        progress(done / len(units))


def _write(
    question: Question,
    folder: Path,
    units: Sequence[tuple[str, int]],
    kept: AllKept,
    fields: Mapping[str, ReceptiveField],
) -> None:
    sheet = ExampleSheet(question.count)
    files = {unit: Image.new("RGB", sheet.size, BLANK) for unit in units}
    wanted: dict[int, list[_Wanted]] = {}
    for tap, unit in units:
        for image, each in _needed(tap, unit, kept[tap], sheet):
            wanted.setdefault(image, []).append(each)
    numbers = np.array(sorted(wanted), np.int64)
    for batch in stream(question.source, numbers, question.batch, question.shape):
        for i in np.flatnonzero(batch.readable):
            parts: dict[tuple[str, int], Image.Image] = {}  # units often share a position
            for each in wanted[int(batch.numbers[i])]:
                at = (each.tap, each.place)
                if at not in parts:
                    parts[at] = crop(batch.images[i], fields[each.tap], each.place)
                files[each.tap, each.unit].paste(parts[at], each.corner)

    def save(unit: tuple[str, int]) -> None:
        buffer = io.BytesIO()
        files[unit].save(buffer, "JPEG", quality=QUALITY)
        write_atomically(folder / unit_file(*unit), buffer.getvalue())

    with ThreadPoolExecutor() as pool:  # Pillow leaves the interpreter to others meanwhile
        list(pool.map(save, files))


def _needed(
    tap: str, unit: int, kept: Mapping[str, TopExamples], sheet: ExampleSheet
) -> Iterator[tuple[int, _Wanted]]:
    """The images that a unit needs, each with the crop."""
    for bucket, found in kept.items():
        for k, (image, place) in enumerate(zip(found.image[unit], found.place[unit], strict=True)):
            if image >= 0:
                yield int(image), _Wanted(tap, unit, sheet.corner(bucket, k), int(place))
