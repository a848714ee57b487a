"""A folder of examples: the manifest, and the crops of every unit in one picture file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from kerasviz.errors import KerasvizError
from kerasviz.examples.ranking import BUCKETS
from kerasviz.examples.receptive_field import ReceptiveField
from kerasviz.io.files import checksum, read_manifest_file
from kerasviz.io.images import ImageFileError, open_image
from kerasviz.rendering.store import FileCheck, slug

__all__ = [
    "MANIFEST",
    "TILE",
    "VERSION",
    "Example",
    "ExampleSheet",
    "Examples",
    "unit_file",
    "verify_examples",
]

MANIFEST = "examples.json"
VERSION = 1
#: The side of a crop in pixels: three are the article's panel of 294.
TILE = 98
#: Crops beside each other in the file of a unit.
COLUMNS = 10


@dataclass(frozen=True)
class Example:
    """An image to which a unit responds.

    ``value`` is the activation, before the ReLU where there is one; ``image`` the name of the
    image, ``position`` (y, x) where in the tap it is, or ``None`` for a tap without positions.
    ``box`` (top, left, bottom, right) is what that position sees of the scaled image, ``window``
    the crop that is shown: the same size for all, and in the image.
    """

    value: float
    image: str
    position: tuple[int, int] | None
    box: tuple[int, int, int, int]
    window: tuple[int, int, int, int]


@dataclass(frozen=True)
class ExampleSheet:
    """How the crops of a unit lie in its file: buckets below each other, ``count`` in each.

    >>> ExampleSheet(12).size, ExampleSheet(12).corner("positive", 11)
    ((980, 784), (98, 294))
    """

    count: int

    @property
    def columns(self) -> int:
        """Crops in a row."""
        return min(self.count, COLUMNS)

    @property
    def rows(self) -> int:
        """Rows of a bucket."""
        return -(-self.count // self.columns)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.columns * TILE, len(BUCKETS) * self.rows * TILE

    def corner(self, bucket: str, k: int) -> tuple[int, int]:
        """Left and top of crop ``k`` of a bucket."""
        row = BUCKETS.index(bucket) * self.rows + k // self.columns
        return k % self.columns * TILE, row * TILE


def unit_file(tap: str, unit: int) -> str:
    """The file of a unit's crops, relative to the folder.

    >>> unit_file("inception_4c/output", 97)
    'inception_4c.output/00097.jpg'
    """
    return f"{slug(tap)}/{unit:05d}.jpg"


class Examples:
    """The examples in a folder that ``kerasviz examples`` made, to be read.

    Raises :class:`UsageError` for a folder without them, :class:`KerasvizError` for a manifest
    that is damaged.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.data = read_manifest(self.folder)
        self.sheet = ExampleSheet(int(self.data["settings"]["per_bucket"]))

    @property
    def network(self) -> Mapping[str, Any]:
        """The network: name, format, SHA-256 and input description."""
        found: Mapping[str, Any] = self.data["network"]
        return found

    @cached_property
    def _taps(self) -> dict[str, tuple[Mapping[str, Any], ReceptiveField]]:
        known: dict[str, tuple[Mapping[str, Any], ReceptiveField]] = {}
        for tap in self.data["taps"]:
            both = (tap, ReceptiveField.from_json(tap["field"]))
            known |= {tap["values_of"]: both}
        # A tap's own name comes before its use as what stands before the ReLU of another.
        known |= {tap["tap"]: known[tap["values_of"]] for tap in self.data["taps"]}
        return known

    @property
    def taps(self) -> tuple[str, ...]:
        """The names of the taps, as the network lists them."""
        return tuple(tap["tap"] for tap in self.data["taps"])

    def units(self, tap: str) -> int:
        """How many units of a tap have examples: 0 for a tap without."""
        return len(self._taps[tap][0]["units"]) if tap in self._taps else 0

    def file(self, tap: str, unit: int) -> Path:
        """The picture file with all crops of a unit."""
        return self.folder / str(self._taps[tap][0]["units"][unit]["file"])

    def of(self, tap: str, unit: int, bucket: str) -> list[Example]:
        """The examples of a unit in a bucket (``top``, ``positive``, ``negative``, ``bottom``).

        From the strongest to the weakest response; none for a unit or tap that is not there.
        """
        if unit >= self.units(tap):
            return []
        about, field = self._taps[tap]
        names = self.data["names"]
        return [
            Example(
                value,
                names[image],
                (y, x) if about["positions"] else None,
                field.box(y, x),
                field.window(y, x),
            )
            for value, image, y, x in about["units"][unit][bucket]
        ]

    def crops(self, tap: str, unit: int, bucket: str) -> list[Image.Image]:
        """The crops of :meth:`of` as pictures of 98 x 98 pixels, in the same order.

        Raises :class:`KerasvizError` where the file is missing or damaged.
        """
        count = len(self.of(tap, unit, bucket))
        if not count:
            return []
        path = self.file(tap, unit)
        try:
            with open_image(path) as image:
                sheet = image.convert("RGB")
        except ImageFileError as error:
            raise KerasvizError(
                f"{str(path)!r} cannot be read: {error}; remove it and run the same kerasviz "
                "examples again"
            ) from error
        corners = [self.sheet.corner(bucket, k) for k in range(count)]
        return [sheet.crop((x, y, x + TILE, y + TILE)) for x, y in corners]


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a folder of examples, or say in one line what is wrong with it."""
    return read_manifest_file(folder / MANIFEST, VERSION, "kerasviz examples")[1]


def verify_examples(folder: Path) -> list[FileCheck]:
    """Compare the files of a folder of examples with the checksums in its manifest."""
    return [
        _checked(folder, unit["file"], unit["sha256"])
        for tap in read_manifest(folder)["taps"]
        for unit in tap["units"]
    ]


def _checked(folder: Path, file: str, sha256: str) -> FileCheck:
    path = folder / file
    if not path.is_file():
        return FileCheck(file, "missing", "the file is not there")
    if checksum(path.read_bytes()) != sha256:
        return FileCheck(file, "changed", "the file is not the one that was written")
    return FileCheck(file, "same")
