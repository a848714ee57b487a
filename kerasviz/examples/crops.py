"""Cut the crops of all units from the images, into one file per unit."""

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

#: The examples of the units of every tap, by tap and bucket.
AllExamples = Mapping[str, Mapping[str, TopExamples]]

#: Units whose crops are in memory at the same time, 1 MB each.
UNITS = 256
#: The JPEG quality of the files, 0 to 100.
QUALITY = 88
#: The RGB colour behind the crops, and in place of an image that cannot be read again.
BLANK = (236, 236, 239)


@dataclass(frozen=True)
class _Crop:
    """A crop for a unit of a tap: its corner (x, y) in the unit's file, its position in the tap."""

    tap: str
    unit: int
    corner: tuple[int, int]
    position: int


def crop(picture: Array, field: ReceptiveField, position: int) -> Image.Image:
    """Cut a position's crop from a picture [H, W, C] of bytes: 98 x 98 pixels of RGB.

    A picture that is narrower than the field is padded with grey.
    """
    top, left, bottom, right = field.window(*field.place(position))
    colours = picture[top:bottom, left:right, np.arange(3) % picture.shape[-1]]
    window = Image.fromarray(np.ascontiguousarray(colours))
    side = max(window.size)
    square = Image.new("RGB", (side, side), BLANK)
    square.paste(window, ((side - window.width) // 2, (side - window.height) // 2))
    return square.resize((TILE, TILE), Image.Resampling.LANCZOS)


def write_crops(
    question: Question,
    folder: Path,
    examples: AllExamples,
    fields: Mapping[str, ReceptiveField],
    progress: Callable[[float], None],
) -> None:
    """Write the missing files of units.

    It reads their images again, at most once for 256 units, because the pixels do not fit into the
    memory beside the search.
    """
    units = [(tap, u) for tap, by in examples.items() for u in range(len(by["top"].image))]
    for tap in examples:
        make_folder((folder / unit_file(tap, 0)).parent)
    missing = [(tap, unit) for tap, unit in units if not (folder / unit_file(tap, unit)).is_file()]
    done = len(units) - len(missing)
    for start in range(0, len(missing), UNITS):
        chunk = missing[start : start + UNITS]
        _write(question, folder, chunk, examples, fields)
        done += len(chunk)
        progress(done / len(units))


def _write(
    question: Question,
    folder: Path,
    units: Sequence[tuple[str, int]],
    examples: AllExamples,
    fields: Mapping[str, ReceptiveField],
) -> None:
    sheet = ExampleSheet(question.count)
    files = {unit: Image.new("RGB", sheet.size, BLANK) for unit in units}
    crops: dict[int, list[_Crop]] = {}
    for tap, unit in units:
        for image, part in _crops(tap, unit, examples[tap], sheet):
            crops.setdefault(image, []).append(part)
    numbers = np.array(sorted(crops), np.int64)
    for batch in stream(question.source, numbers, question.batch, question.shape):
        for i in np.flatnonzero(batch.readable):
            parts: dict[tuple[str, int], Image.Image] = {}  # units often share a position
            for part in crops[int(batch.numbers[i])]:
                key = (part.tap, part.position)
                if key not in parts:
                    parts[key] = crop(batch.images[i], fields[part.tap], part.position)
                files[part.tap, part.unit].paste(parts[key], part.corner)

    def save(unit: tuple[str, int]) -> None:
        buffer = io.BytesIO()
        files[unit].save(buffer, "JPEG", quality=QUALITY)
        write_atomically(folder / unit_file(*unit), buffer.getvalue())

    with ThreadPoolExecutor() as pool:  # Pillow releases the interpreter lock
        list(pool.map(save, files))


def _crops(
    tap: str, unit: int, examples: Mapping[str, TopExamples], sheet: ExampleSheet
) -> Iterator[tuple[int, _Crop]]:
    """Yield the images of a unit, each with its crop."""
    for bucket, top in examples.items():
        for k, (image, place) in enumerate(zip(top.image[unit], top.place[unit], strict=True)):
            if image >= 0:
                yield int(image), _Crop(tap, unit, sheet.corner(bucket, k), int(place))
