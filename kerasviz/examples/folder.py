"""Read a folder of examples: the manifest, and a picture file of crops for every unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image

from kerasviz.errors import KerasvizError
from kerasviz.examples.ranking import BUCKETS
from kerasviz.examples.receptive_field import ReceptiveField
from kerasviz.examples.statistics.histogram import BINS
from kerasviz.examples.statistics.index import ExampleIndex
from kerasviz.examples.statistics.spectrum import CROPS
from kerasviz.io.files import checksum, read_manifest_file
from kerasviz.io.images import ImageFileError, open_image
from kerasviz.rendering.store import FileCheck, slug

MANIFEST = "examples.json"
VERSION = 1
#: The side of a crop in pixels: three are the article's panel of 294.
TILE = 98
#: The number of crops in a row of a unit's file.
COLUMNS = 10
#: The side of a crop of a spectrum in pixels, as in the article's pictures.
SPECTRUM_TILE = 60
#: Width and height of the file of a unit's spectrum: a column for each bin.
SPECTRUM_SIZE = (BINS * SPECTRUM_TILE, CROPS * SPECTRUM_TILE)


@dataclass(frozen=True)
class Example:
    """An image to which a unit responds.

    ``value`` is the activation, before a ReLU; ``image`` the name of the image; ``position`` (y, x)
    in the tap, (-1, number) for a token off the map, ``None`` for a tap without positions. ``box``
    (top, left, bottom, right) is the receptive field in the scaled image, ``window`` the crop, of
    the same size for all positions.
    """

    value: float
    image: str
    position: tuple[int, int] | None
    box: tuple[int, int, int, int]
    window: tuple[int, int, int, int]


@dataclass(frozen=True)
class ExampleSheet:
    """The layout of a unit's file: buckets below each other, ``count`` crops in each.

    >>> ExampleSheet(12).size, ExampleSheet(12).corner("positive", 11)
    ((980, 784), (98, 294))
    """

    count: int
    tile: ClassVar[int] = TILE

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
        """Return left and top of crop ``k`` of a bucket."""
        row = BUCKETS.index(bucket) * self.rows + k // self.columns
        return k % self.columns * TILE, row * TILE


def unit_file(tap: str, unit: int) -> str:
    """Return the file of a unit's crops, relative to the folder.

    >>> unit_file("inception_4c/output", 97)
    'inception_4c.output/00097.jpg'
    """
    return f"{slug(tap)}/{unit:05d}.jpg"


def spectrum_file(tap: str, unit: int) -> str:
    """Return the file of the crops of a unit's spectrum, relative to the folder.

    >>> spectrum_file("inception_4c/output", 97)
    'inception_4c.output/00097-spectrum.jpg'
    """
    return f"{slug(tap)}/{unit:05d}-spectrum.jpg"


class Examples:
    """The examples in a folder that ``kerasviz examples`` made.

    ``aliases`` are further names of taps. Raises :class:`UsageError` for a folder without examples,
    :class:`KerasvizError` for a damaged manifest.
    """

    def __init__(self, folder: str | Path, aliases: Mapping[str, str] | None = None):
        self.folder = Path(folder)
        self._aliases = aliases or {}
        self.data = read_manifest(self.folder)
        self.sheet = ExampleSheet(int(self.data["settings"]["per_bucket"]))

    @property
    def network(self) -> Mapping[str, Any]:
        """The network: name, format, SHA-256 and input description."""
        network: Mapping[str, Any] = self.data["network"]
        return network

    @cached_property
    def index(self) -> ExampleIndex | None:
        """The statistics of all units; ``None`` in a folder of an earlier version."""
        return ExampleIndex(self.folder) if "index" in self.data else None

    @cached_property
    def _taps(self) -> dict[str, tuple[Mapping[str, Any], ReceptiveField]]:
        taps = self.data["taps"]
        known = {tap["values_of"]: (tap, ReceptiveField.from_json(tap["field"])) for tap in taps}
        # A tap may also be the tensor before the ReLU of another: its name takes precedence.
        known |= {tap["tap"]: known[tap["values_of"]] for tap in taps}
        return {alias: known[t] for alias, t in self._aliases.items() if t in known} | known

    @property
    def taps(self) -> tuple[str, ...]:
        """The names of the taps, as the network lists them."""
        return tuple(tap["tap"] for tap in self.data["taps"])

    def has_statistics(self, tap: str) -> bool:
        """Return whether the index has statistics of the units of a tap."""
        return self.index is not None and tap in self._taps

    def field(self, tap: str) -> ReceptiveField:
        """Return what a position of a tap sees of the image."""
        return self._taps[tap][1]

    def listed(self, tap: str) -> str:
        """Return the name under which a tap, or the tensor that it is made of, has its files."""
        return str(self._taps[tap][0]["tap"])

    def units(self, tap: str) -> int:
        """Return the number of units of a tap that have examples."""
        return len(self._taps[tap][0]["units"]) if tap in self._taps else 0

    def file(self, tap: str, unit: int) -> Path:
        """Return the path of the picture file with all crops of a unit."""
        return self.folder / str(self._taps[tap][0]["units"][unit]["file"])

    def of(self, tap: str, unit: int, bucket: str) -> list[Example]:
        """Return the examples of a unit in a bucket, one of ``BUCKETS``, strongest response first.

        Unknown units and taps have none.
        """
        if unit >= self.units(tap):
            return []
        entry, field = self._taps[tap]
        names = self.data["names"]
        return [
            Example(
                value,
                names[image],
                (y, x) if entry["positions"] else None,
                field.box(y, x),
                field.window(y, x),
            )
            for value, image, y, x in entry["units"][unit][bucket]
        ]

    def crops(self, tap: str, unit: int, bucket: str) -> list[Image.Image]:
        """Return the crops of :meth:`of` as pictures of 98 x 98 pixels, in the same order.

        Raises :class:`KerasvizError` for a missing or damaged file.
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
    """Read the manifest of a folder of examples, or raise an error of one line."""
    return read_manifest_file(folder / MANIFEST, VERSION, "kerasviz examples")[1]


def listed_files(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the files of a manifest beside its pages, each with ``file`` and ``sha256``."""
    units = [unit for tap in manifest["taps"] for unit in tap["units"]]
    beside = [unit[kind] for kind in ("spectrum", "optimized") for unit in units if kind in unit]
    return [*units, *beside, *([manifest["index"]] if "index" in manifest else [])]


def verify_examples(folder: Path) -> list[FileCheck]:
    """Compare the files of a folder of examples with the checksums in its manifest."""
    return [
        _checked(folder, entry["file"], entry["sha256"])
        for entry in listed_files(read_manifest(folder))
    ]


def _checked(folder: Path, file: str, sha256: str) -> FileCheck:
    path = folder / file
    if not path.is_file():
        return FileCheck(file, "missing", "the file is not there")
    if checksum(path.read_bytes()) != sha256:
        return FileCheck(file, "changed", "the file is not the one that was written")
    return FileCheck(file, "same")
