"""The site of an atlas: all layers, all units on one page, a page for each layer, a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kerasviz.atlas.classes import class_layers
from kerasviz.atlas.tiles import PER_FILE, Tiles, write_samples, write_tiles
from kerasviz.figures.catalogue.appendix import APPENDIX_LAYER
from kerasviz.figures.layout.appendix import layer_title
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.directions import is_group
from kerasviz.figures.layout.layers import called
from kerasviz.figures.layout.tiles import FigureLayout, Page
from kerasviz.figures.site.layer_pages import (
    FOLDER,
    UNIT,
    Frame,
    UnitPictures,
    anchor,
    page_names,
    write_layer,
)
from kerasviz.figures.site.record import FigureRun
from kerasviz.figures.site.sprites import TILE
from kerasviz.io.files import make_folder
from kerasviz.network.network import Network
from kerasviz.rendering.media.media import picture_size
from kerasviz.rendering.pages import PIXEL_ART, render_page, update
from kerasviz.rendering.store import slug

#: The script of the search, beside the index.
SCRIPT = "search.js"
INDEX = "index.html"
WALL = "units.html"


@dataclass(frozen=True)
class SiteLayer:
    """A layer on the site: its page, tiles, and the class labels of its units, if it has any.

    ``tap`` is in the names of files, ``called`` is shown.
    """

    tap: str
    called: str
    title: str
    page: str
    units: tuple[int, ...]
    tiles: tuple[Tiles, ...]
    samples: Tiles
    labels: tuple[str, ...]

    @property
    def noun(self) -> str:
        """The word for one of its units."""
        return "Direction" if is_group(self.tap) else "Unit"

    @property
    def name(self) -> str:
        """The name of its files."""
        return Path(self.page).stem

    def link(self, unit: int) -> str:
        """Return the address of a unit."""
        return f"{self.page}#{anchor(self.tap, unit)}"

    def to_json(self, net: Network) -> dict[str, Any]:
        """Return the data of the layer for the search."""
        stem = f"{slug(self.tap)}-"
        regular = all(anchor(self.tap, unit) == f"{stem}{unit}" for unit in self.units)
        whole = self.units == tuple(range(len(self.units)))
        return {
            "tap": self.called,
            "title": self.title,
            "aliases": []
            if is_group(self.tap)
            else [n for n in (self.tap, *net.taps[self.tap].aliases) if n != self.called],
            "noun": self.noun,
            "page": self.page,
            "anchors": stem if regular else [anchor(self.tap, unit) for unit in self.units],
            "units": len(self.units) if whole else self.units,
            "tiles": [tiles.file for tiles in self.tiles],
            "labels": self.labels,
        }


def write_site(out: Path, run: FigureRun, layout: FigureLayout | None = None) -> Path:
    """Write the site of units whose pictures are all in a store, and return its index.

    The store is in ``out/pictures``; ``run.order`` names the layers, and examples where there
    are some. ``layout`` is that of the figure ``appendix-layer`` for it, if it is at hand. Writes
    ``index.html``, ``units.html``, ``search.js`` and the folders ``layers`` and ``units``; all
    links are relative, so that the folder may be moved, packed or served as it is. Files that are
    there with the same content are left alone.
    """
    layout = choose(APPENDIX_LAYER, run.options) if layout is None else layout
    store, net = run.store, run.store.net
    with ThreadPoolExecutor() as pool:  # all are read, to compare their checksums
        list(pool.map(store.intact, list(store.entries.values())))
    taps = list(dict.fromkeys(block.layers[0] for block in layout.blocks))
    drawn = replace(layout, size=picture_size(net, layout.size))
    names = page_names(net, [tap for tap in taps if is_group(tap)])
    labels = class_layers(net, [tap for tap in taps if not is_group(tap)], layout.size)
    rows = _by_layer(run, layout, labels)
    run = replace(run, commands=_commands(run, rows))
    make_folder(out / FOLDER)
    layers = [
        SiteLayer(
            tap=tap,
            title=layer_title(net, tap),
            called=called(net, tap),
            page=f"{FOLDER}/{names[tap]}.html",
            units=tuple(unit.unit for unit in units),
            tiles=write_tiles(out, store, names[tap], units),
            samples=write_samples(out, store, names[tap], units),
            labels=labels.get(tap, ()),
        )
        for tap, units in rows.items()
    ]
    for i, units in enumerate(rows.values()):
        frame = _frame(layers, i, run, drawn)
        write_layer(out / layers[i].page, run, drawn, units, frame)
    store.merge()
    height, width = drawn.size
    about = {
        "network": layout.network,
        "layers": layers,
        "count": sum(len(layer.units) for layer in layers if not is_group(layer.tap)),
        "directions": sum(len(layer.units) for layer in layers if is_group(layer.tap)),
        "pictures": len(layout.optimized),
        "size": (width, height),
        "recipe": run.options.recipe,
        "seed": run.options.seed,
        "examples": run.options.examples is not None,
    }
    listed = [layer.to_json(net) for layer in layers]
    data = {"layers": listed, "per": PER_FILE, "size": (width, height)}
    update(out / SCRIPT, render_page("atlas_search.js", atlas=data).encode())
    update(out / WALL, render_page("atlas_units.html", **about).encode())
    update(out / INDEX, render_page("atlas_index.html", **about).encode())
    return out / INDEX


def _by_layer(
    run: FigureRun, layout: FigureLayout, labels: Mapping[str, Sequence[str]]
) -> dict[str, list[UnitPictures]]:
    rows: dict[str, list[UnitPictures]] = {}
    for block in layout.blocks:
        tap, unit = block.layers[0], block.optimized[0].unit or 0
        if tap in labels:
            block = replace(block, title=f"{block.title}: {labels[tap][unit]}")
        rows.setdefault(tap, []).append(UnitPictures(run, block))
    return rows


def _commands(run: FigureRun, rows: Mapping[str, Sequence[UnitPictures]]) -> dict[str, str]:
    """Return the commands that make pictures again, by file.

    Commands for the units of a layer differ by the unit only, so that one of each kind is composed.
    """
    known: dict[tuple[str, int, int], str] = {}
    commands = {}
    for tap, units in rows.items():
        for unit in units:
            target = unit.target
            pairs = zip(unit.block.optimized, unit.entries, strict=True)
            for place, (cell, entry) in enumerate(pairs):
                kind = tap, place, entry.compiled_batch
                if kind not in known:
                    line = run.command.render(run.store.net, cell.request, entry.compiled_batch)
                    known[kind] = line.replace(target, UNIT)
                commands[entry.file] = known[kind].replace(UNIT, target)
    return commands


def _frame(layers: Sequence[SiteLayer], i: int, run: FigureRun, layout: FigureLayout) -> Frame:
    """Return what is shown around the units of layer ``i``."""
    pages = [Page(layer.title, Path(layer.page).name) for layer in layers]
    longest = max(layout.size)
    exact = run.options.examples is None and PIXEL_ART <= longest < TILE
    return Frame(
        ways=(Page("All layers", f"../{INDEX}"), Page("All units", f"../{WALL}")),
        pages=tuple(pages),
        notes=_notes(layout, [layer.called for layer in layers], i),
        script=f"../{SCRIPT}",
        before=pages[i - 1] if i else None,
        after=pages[i + 1] if i + 1 < len(pages) else None,
        side=longest if exact else TILE,
        empty=False,
    )


def _notes(layout: FigureLayout, taps: Sequence[str], i: int) -> tuple[str, ...]:
    """Return the notes of the figure about layer ``i``, not those about the layout of layers."""
    rest = [tap for k, tap in enumerate(taps) if k != i]
    others = [note for tap in rest for note in (f"Channels of {tap} ", f"Directions of {tap}: ")]
    known = ("Layer: ", "Layers: ", "Shown here: ", *others)
    return tuple(note for note in layout.notes if not note.startswith(known))
