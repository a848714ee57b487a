"""Tiles: small pictures of all units of a layer, one for each, in files from which pages cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from kerasviz.figures.layout.units import evenly_spaced
from kerasviz.figures.site.layer_pages import UnitPictures, copy_all
from kerasviz.figures.site.sprites import BEHIND, scaled, sprite_file
from kerasviz.io.files import make_folder
from kerasviz.rendering.store import Entry, Store

__all__ = ["FOLDER", "PER_FILE", "SAMPLES", "Tiles", "write_samples", "write_tiles"]

#: The folder of the files, in that of the site.
FOLDER = "units"
#: Units in a file. Chromium decodes pictures of more than 512 KB while a page is scrolled, and
#: shows nothing in their place until it has: these have 384 KB.
PER_FILE = 24
#: The side of a tile in pixels, and of one that stands for its layer.
SIDE, SAMPLE_SIDE = 64, 128
#: Which of the pictures of a unit: what its channel looks for at all positions.
CHANNEL = 1
#: How many units stand for their layer.
SAMPLES = 12


@dataclass(frozen=True)
class Tiles:
    """A file of tiles beside each other, as seen from the site, and the units that they show."""

    file: str
    units: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many tiles are in it."""
        return len(self.units)


def write_tiles(
    out: Path, store: Store, name: str, units: Sequence[UnitPictures]
) -> tuple[Tiles, ...]:
    """Write the tiles of all units of a layer: what its channels look for.

    ``name`` is that of the layer's files. Files that are there and were made from the same pictures
    are left alone.
    """
    parts = [units[start : start + PER_FILE] for start in range(0, len(units), PER_FILE)]
    found = tuple(
        Tiles(f"{FOLDER}/{name}-{part[0].unit:05d}--{part[-1].unit:05d}.jpg", _numbers(part))
        for part in parts
    )
    _write(out, store, found, parts, SIDE)
    return found


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

    def made(there: bytes, units: Sequence[UnitPictures]) -> bytes:
        channels = [unit.entries[CHANNEL] for unit in units]
        made_of = {"tiles": [entry.sha256 for entry in channels], "side": side}
        return sprite_file(there, made_of, lambda: _beside(store, channels, side))

    copy_all(store, [folder / tiles.file for tiles in files], parts, made)


def _beside(store: Store, entries: Sequence[Entry], side: int) -> Image.Image:
    """Pictures beside each other, the longer side of each being ``side`` pixels."""
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
