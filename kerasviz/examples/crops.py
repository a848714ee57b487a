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
from kerasviz.examples.folder import (
    SPECTRUM_SIZE,
    SPECTRUM_TILE,
    TILE,
    ExampleSheet,
    spectrum_file,
    unit_file,
)
from kerasviz.examples.ranking import TopExamples
from kerasviz.examples.receptive_field import ReceptiveField
from kerasviz.examples.search import Question
from kerasviz.io.files import make_folder, write_atomically
from kerasviz.types import Array

#: The examples of the units of every tap, by tap and bucket.
AllExamples = Mapping[str, Mapping[str, TopExamples]]
#: The arrays of the index, by tap and name; images have the numbers of the source.
AllArrays = Mapping[str, Mapping[str, Array]]
#: (top, left, bottom, right) of a crop.
Window = tuple[int, int, int, int]

#: Units whose crops are in memory at the same time, 2 MB each.
UNITS = 256
#: The JPEG quality of the files, 0 to 100.
QUALITY = 88
#: The RGB colour behind the crops, and in place of an image that cannot be read again.
BLANK = (236, 236, 239)


@dataclass(frozen=True)
class _Crop:
    """A crop at ``corner`` (x, y) of a file, ``side`` pixels wide: of a position of a tap."""

    file: str
    corner: tuple[int, int]
    side: int
    tap: str
    position: int


def crop(picture: Array, field: ReceptiveField, position: int, side: int = TILE) -> Image.Image:
    """Cut a position's crop from a picture [H, W, C] of bytes: ``side`` pixels of RGB.

    A picture that is narrower than the field is padded with grey.
    """
    top, left, bottom, right = field.window(*field.place(position))
    colours = picture[top:bottom, left:right, np.arange(3) % picture.shape[-1]]
    window = Image.fromarray(np.ascontiguousarray(colours))
    longest = max(window.size)
    square = Image.new("RGB", (longest, longest), BLANK)
    square.paste(window, ((longest - window.width) // 2, (longest - window.height) // 2))
    return square.resize((side, side), Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class CroppedUnits:
    """What is cut out: the examples of units, and those in their spectra, with the fields of taps.

    ``count`` is the number of examples in a bucket.
    """

    examples: AllExamples
    arrays: AllArrays
    fields: Mapping[str, ReceptiveField]
    count: int

    def files(self, tap: str, unit: int) -> dict[str, tuple[int, int]]:
        """Return the files of a unit with their widths and heights."""
        sizes = {unit_file(tap, unit): ExampleSheet(self.count).size}
        return sizes | {spectrum_file(tap, unit): SPECTRUM_SIZE}

    def crops(self, tap: str, unit: int) -> Iterator[tuple[int, _Crop]]:
        """Yield the images of a unit, each with its crop."""
        sheet = ExampleSheet(self.count)
        for bucket, top in self.examples[tap].items():
            for k, (image, place) in enumerate(zip(top.image[unit], top.place[unit], strict=True)):
                if image >= 0:
                    corner = sheet.corner(bucket, k)
                    yield int(image), _Crop(unit_file(tap, unit), corner, TILE, tap, int(place))
        images, places = (self.arrays[tap][f"crop_{name}"][unit] for name in ("image", "place"))
        for b, k in zip(*np.nonzero(images >= 0), strict=True):
            corner = (int(b) * SPECTRUM_TILE, int(k) * SPECTRUM_TILE)
            file, side = spectrum_file(tap, unit), SPECTRUM_TILE
            yield int(images[b, k]), _Crop(file, corner, side, tap, int(places[b, k]))


def write_crops(
    question: Question, folder: Path, cropped: CroppedUnits, progress: Callable[[float], None]
) -> None:
    """Write the missing files of units.

    It reads their images again, at most once for 256 units, because the pixels do not fit into the
    memory beside the search.
    """
    units = [(tap, u) for tap, by in cropped.examples.items() for u in range(len(by["top"].image))]
    for tap in cropped.examples:
        make_folder((folder / unit_file(tap, 0)).parent)
    missing = [
        unit for unit in units if not all((folder / f).is_file() for f in cropped.files(*unit))
    ]
    done = len(units) - len(missing)
    for start in range(0, len(missing), UNITS):
        chunk = missing[start : start + UNITS]
        _write(question, folder, chunk, cropped)
        done += len(chunk)
        progress(done / len(units))


def _write(
    question: Question, folder: Path, units: Sequence[tuple[str, int]], cropped: CroppedUnits
) -> None:
    sizes = {file: size for unit in units for file, size in cropped.files(*unit).items()}
    files = {file: Image.new("RGB", size, BLANK) for file, size in sizes.items()}
    crops: dict[int, list[_Crop]] = {}
    for unit in units:
        for image, part in cropped.crops(*unit):
            crops.setdefault(image, []).append(part)
    numbers = np.array(sorted(crops), np.int64)
    for batch in stream(question.source, numbers, question.batch, question.shape):
        for i in np.flatnonzero(batch.readable):
            parts: dict[tuple[Window, int], Image.Image] = {}  # units often share a window
            for part in crops[int(batch.numbers[i])]:
                field = cropped.fields[part.tap]
                key = (field.window(*field.place(part.position)), part.side)
                if key not in parts:
                    parts[key] = crop(batch.images[i], field, part.position, part.side)
                files[part.file].paste(parts[key], part.corner)

    def save(file: str) -> None:
        buffer = io.BytesIO()
        files[file].save(buffer, "JPEG", quality=QUALITY)
        write_atomically(folder / file, buffer.getvalue())

    with ThreadPoolExecutor() as pool:  # Pillow releases the interpreter lock
        list(pool.map(save, files))
