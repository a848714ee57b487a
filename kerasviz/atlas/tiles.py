"""Tiles: a small picture of each unit of a layer, many in a file from which pages cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from kerasviz.figures.layout.units import evenly_spaced
from kerasviz.figures.site.layer_pages import UnitPictures, copy_all
from kerasviz.figures.site.sprites import BEHIND, scaled, sprite_file
from kerasviz.io.files import make_folder
from kerasviz.rendering.manifest import Entry
from kerasviz.rendering.store import Store

#: The folder of the files, in the folder of the site.
FOLDER = "units"
#: Units in a file, which has 384 KB when decoded. Chromium decodes pictures of more than 512 KB
#: while a page is scrolled, and shows nothing in their place meanwhile.
PER_FILE = 24
#: The side of a tile in pixels.
SIDE = 64
#: The side of a sample in pixels.
SAMPLE_SIDE = 128
#: Which picture of a unit a tile shows: that of its channel.
CHANNEL = 1
#: The number of units that represent their layer.
SAMPLES = 12


@dataclass(frozen=True)
class Tiles:
    """A file of tiles side by side, as seen from the site, and the units that they show."""

    file: str
    units: tuple[int, ...]

    @property
    def count(self) -> int:
        """The number of tiles in the file."""
        return len(self.units)


def write_tiles(
    out: Path, store: Store, name: str, units: Sequence[UnitPictures]
) -> tuple[Tiles, ...]:
    """Write the tiles of all units of a layer, with the pictures of their channels.

    ``name`` is that of the layer's files. Files that were made from the same pictures stay.
    """
    parts = [units[start : start + PER_FILE] for start in range(0, len(units), PER_FILE)]
    tiles = tuple(
        Tiles(f"{FOLDER}/{name}-{part[0].unit:05d}--{part[-1].unit:05d}.jpg", _numbers(part))
        for part in parts
    )
    _write(out, store, tiles, parts, SIDE)
    return tiles


def write_samples(out: Path, store: Store, name: str, units: Sequence[UnitPictures]) -> Tiles:
    """Write larger tiles of some units of a layer, evenly spaced."""
    chosen = [units[i] for i in evenly_spaced(SAMPLES, len(units))]
    tiles = Tiles(f"{FOLDER}/{name}.jpg", _numbers(chosen))
    _write(out, store, [tiles], [chosen], SAMPLE_SIDE)
    return tiles


def _write(
    out: Path,
    store: Store,
    files: Sequence[Tiles],
    parts: Sequence[Sequence[UnitPictures]],
    side: int,
) -> None:
    folder = make_folder(out / FOLDER).parent

    def tile_file(previous: bytes, units: Sequence[UnitPictures]) -> bytes:
        channels = [unit.entries[CHANNEL] for unit in units]
        made_of = {"tiles": [entry.sha256 for entry in channels], "side": side}
        return sprite_file(previous, made_of, lambda: _side_by_side(store, channels, side))

    copy_all(store, [folder / tiles.file for tiles in files], parts, tile_file)


def _side_by_side(store: Store, entries: Sequence[Entry], side: int) -> Image.Image:
    """Draw pictures side by side, each with a longer side of ``side`` pixels."""
    images = []
    for entry in entries:
        with Image.open(store.folder / entry.file) as image:
            images.append(scaled(image, side))
    width, height = images[0].size
    sheet = Image.new("RGB", (width * len(images), height), BEHIND)
    for k, tile in enumerate(images):
        sheet.paste(tile, (k * width, 0))
    return sheet


def _numbers(units: Sequence[UnitPictures]) -> tuple[int, ...]:
    return tuple(unit.unit for unit in units)
