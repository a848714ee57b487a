"""The pages of layers: units in rows, cut from sprites that load on demand."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup
from PIL import Image

from kerasviz.figures.layout.appendix import HEADS, first_rows, known_taps, layer_title, parts
from kerasviz.figures.layout.directions import is_group
from kerasviz.figures.layout.example_panels import EXAMPLES
from kerasviz.figures.layout.layers import called, map_layers
from kerasviz.figures.layout.photo_facets import facet_names
from kerasviz.figures.layout.tiles import EmptyTile, FigureLayout, OptimizedTile, Page, TileRow
from kerasviz.figures.site.record import FigureRun
from kerasviz.figures.site.sprites import PER_SHEET, TILE, Strip, sheet_file
from kerasviz.io.files import checksum, digest, make_folder
from kerasviz.io.images import on_checkerboard
from kerasviz.network.network import Network
from kerasviz.rendering.manifest import Entry
from kerasviz.rendering.pages import render_page, update
from kerasviz.rendering.store import Store, slug

#: The folder of the pages and their sprites, in the folder of the figures.
FOLDER = "layers"
#: The words over the first two pictures of a direction.
DIRECTION_HEADS = ("Times cosine\N{SUPERSCRIPT TWO}", "Direction")
#: The placeholder of a unit in a command.
UNIT = "{unit}"


@dataclass(frozen=True)
class Row:
    """Describe a unit on its page; picture files are relative to the store.

    ``missing`` says why there are no top and bottom examples; "" where there are. ``commands``
    make its pictures again, one for each kind, with :data:`UNIT` for ``unit``: the page states
    them once where they are the same for all units.
    """

    anchor: str
    title: str
    unit: str
    files: tuple[str, ...]
    missing: tuple[str, ...]
    commands: tuple[str, ...]


@dataclass(frozen=True)
class SpriteGroup:
    """Group the units whose pictures are in one file of sprites."""

    sprites: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Frame:
    """Describe what a page shows around the units of a layer.

    ``ways`` link to the pages above and ``pages`` to all layers, ``before`` and ``after`` to the
    neighbouring layers, ``single`` to the page of single pictures, if there are any. ``script`` is
    the file of a search, or "". Files are relative to the folder of the pages. ``side`` is that of
    the pictures in the sprites, in pixels. With ``empty``, missing examples leave a place.
    """

    ways: tuple[Page, ...]
    pages: tuple[Page, ...]
    notes: tuple[str, ...]
    single: str = ""
    script: str = ""
    before: Page | None = None
    after: Page | None = None
    side: int = TILE
    empty: bool = True


def anchor(tap: str, unit: int | None) -> str:
    """Return the anchor of a unit on its page.

    >>> anchor("mixed4a", 476)
    'mixed4a-476'
    """
    return slug(f"{tap}:{unit}")


def write_layers(out: Path, run: FigureRun, layout: FigureLayout) -> FigureLayout:
    """Write a page with sprites for every layer of a figure.

    Returns the layout that the figure itself shows: its first rows, with links to the pages. All
    pictures must be in the store. Unchanged files are not written; sprites of an earlier choice of
    units are removed, and the pages of layers of earlier runs get links to the new ones.
    """
    folder, net = make_folder(out / FOLDER), run.store.net
    names = page_names(net)
    blocks: dict[str, list[TileRow]] = {}
    for block in layout.blocks:
        blocks.setdefault(block.layers[0], []).append(block)
    present = {tap for tap, name in names.items() if (folder / f"{name}.html").is_file()}
    there, _ = map_layers([place.layer for place in layout.figure.places], net)
    shown = [tap for tap in names if tap in {*there.values(), *present, *blocks}]
    pages = tuple(
        Page(layer_title(net, tap), f"{names[tap]}.html" if tap in {*present, *blocks} else "")
        for tap in shown
    )
    ways = (
        Page("All figures", "../index.html"),
        Page(layout.figure.title, f"../{layout.figure.slug}.html"),
    )
    frame = Frame(ways, pages, layout.notes, "../pictures/index.html")
    for tap, rows in blocks.items():
        units = [UnitPictures(run, block) for block in rows]
        write_layer(folder / f"{names[tap]}.html", run, layout, units, frame)
    for tap in present - set(blocks):
        _link_again(folder / f"{names[tap]}.html", pages)
    seen = (replace(page, file=page.file and f"{FOLDER}/{page.file}") for page in pages)
    first = first_rows(layout)
    notes = layout.notes
    if len(first) < len(layout.blocks):
        notes += (
            f"These are the first {len(first)} units; the page of the layer shows all of them.",
        )
    return replace(layout, blocks=first, notes=notes, pages=tuple(seen))


def write_layer(
    path: Path, run: FigureRun, layout: FigureLayout, units: Sequence[UnitPictures], frame: Frame
) -> None:
    """Write the page of a layer, which has a row for each of the units, with its sprites."""
    groups = _sprites(path.with_suffix(""), run, units, frame.side)
    update(path, _page(run, layout, units, groups, frame, path.name).encode())
    _tidy(run.store, path.parent, path.stem, groups)


def page_names(net: Network, groups: Sequence[str] = ()) -> dict[str, str]:
    """Return the file names of the pages of all taps and groups, distinct on every system."""
    names = {tap: slug(tap) for tap in (*known_taps(net).values(), *groups)}
    count = Counter(name.casefold() for name in names.values())
    return {
        tap: name if count[name.casefold()] == 1 else f"{name}-{digest(tap)[:8]}"
        for tap, name in names.items()
    }


def _sprites(
    stem: Path, run: FigureRun, units: Sequence[UnitPictures], side: int
) -> list[SpriteGroup]:
    """Write the sprites of a layer where they are missing or changed."""
    store, examples = run.store, run.options.examples is not None
    parts = [units[start : start + PER_SHEET] for start in range(0, len(units), PER_SHEET)]
    paths = [
        stem.with_name(f"{stem.name}-{part[0].unit:05d}--{part[-1].unit:05d}.jpg") for part in parts
    ]

    def made(there: bytes, part: Sequence[UnitPictures]) -> bytes:
        sources = [source for unit in part for source in unit.sources()]
        return sheet_file(
            there, sources, lambda: [unit.strip() for unit in part], examples=examples, side=side
        )

    copy_all(store, paths, parts, made)
    return [
        SpriteGroup(path.name, tuple(unit.row(run.commands) for unit in part))
        for path, part in zip(paths, parts, strict=True)
    ]


def copy_all(
    store: Store,
    paths: Sequence[Path],
    parts: Sequence[Sequence[UnitPictures]],
    made: Callable[[bytes, Sequence[UnitPictures]], bytes],
) -> None:
    """Write files that show units, in parallel: each from its present content and its part."""

    def data_of(path: Path, part: Sequence[UnitPictures]) -> bytes:
        return made(store.copied_bytes(path), part)

    # Pillow leaves the interpreter to others meanwhile.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for path, data in zip(paths, pool.map(data_of, paths, parts), strict=True):
            store.copy(path, data)


def _entries(store: Store, tiles: Sequence[OptimizedTile]) -> list[Entry]:
    """Return the entries of tiles; several tiles may be of one request."""
    found = {request: store.find(request) for request in {tile.request for tile in tiles}}
    return [
        next(e for e in found[tile.request] if (e.step, e.row) == (tile.step, tile.row))
        for tile in tiles
    ]


class UnitPictures:
    """Collect the pictures of a unit: optimized ones in a store, and examples if there are any."""

    def __init__(self, run: FigureRun, block: TileRow):
        self.block, self.tap, self.unit = block, block.layers[0], block.optimized[0].unit or 0
        self.store, self.examples = run.store, run.options.examples
        self.entries = _entries(self.store, block.optimized)
        if is_group(self.tap):
            self.examples = None

    @property
    def target(self) -> str:
        """Return the target of its second picture, which is in those of all the others."""
        return self.block.optimized[1].request.text

    @property
    def title(self) -> str:
        """Return its title, which says so of a dead unit: its pictures are grey."""
        words = " (dead: its score never changed)" if self.dead else ""
        return self.block.title + words

    @property
    def dead(self) -> bool:
        """Return whether no step of any of its pictures has changed the score."""
        return all(
            len(entry.curve) > 1 and len({score for _, score in entry.curve}) == 1
            for entry in self.entries
        )

    def row(self, commands: Mapping[str, str]) -> Row:
        """Return its row on the page; ``commands`` make pictures again, by file."""
        missing = tuple(
            place.why if isinstance(place, EmptyTile) else ""
            for place in self.block.places
            if not isinstance(place, OptimizedTile)
        ) or ("", "")
        files = tuple(entry.file for entry in self.entries)
        unit = self.target
        # The facets are made by one command.
        kinds = dict(zip((tile.request for tile in self.block.optimized), files, strict=True))
        return Row(
            anchor(self.tap, self.unit),
            self.title,
            unit,
            files,
            missing,
            tuple(commands.get(file, "").replace(unit, UNIT) for file in kinds.values()),
        )

    def sources(self) -> list[str]:
        """Return the checksums of everything that its sprites are made of."""
        found = [entry.sha256 for entry in self.entries]
        if self.examples is not None and self.unit < self.examples.units(self.tap):
            found.append(checksum(self.examples.file(self.tap, self.unit).read_bytes()))
        return found

    def strip(self) -> Strip:
        """Return its pictures in the order of the sprites: negative before diverse ones."""
        images = []
        for entry in self.entries:
            with Image.open(self.store.folder / entry.file) as image:
                images.append(on_checkerboard(image))
        neuron, channel, *facets, negative = images
        return Strip(
            (neuron, channel, negative, *facets), self._crops("top"), self._crops("bottom")
        )

    def _crops(self, bucket: str) -> tuple[Image.Image, ...]:
        if self.examples is None:
            return ()
        return tuple(self.examples.crops(self.tap, self.unit, bucket)[:EXAMPLES])


def _page(
    run: FigureRun,
    layout: FigureLayout,
    units: Sequence[UnitPictures],
    groups: list[SpriteGroup],
    frame: Frame,
    own: str,
) -> str:
    height, width = layout.size
    net, tap, numbers = run.store.net, units[0].tap, [unit.unit for unit in units]
    return render_page(
        "layer.html",
        frame=frame,
        network=layout.network,
        title=layer_title(net, tap),
        tap=called(net, tap),
        channels=len(numbers) if is_group(tap) else net.taps[tap].channels,
        noun="direction" if is_group(tap) else "unit",
        heads=DIRECTION_HEADS if is_group(tap) else HEADS[:2],
        facets=facet_names(run.options.facets),
        groups=groups,
        commands=groups[0].rows[0].commands,
        count=len(numbers),
        parts=[(words, anchor(tap, number)) for words, number in parts(net, tap, numbers)],
        links=Markup(_links(frame.pages, own)),
        size=(width, height),
        examples=run.options.examples is not None,
        bare=not frame.empty and run.options.examples is None,
        cut=f"{TILE / frame.side / 2:.4g}" if frame.side < TILE else "0",
        command=run.command.figure(layout.figure.slug),
    )


def _links(pages: Sequence[Page], own: str) -> str:
    return render_page("layer_links.html", pages=pages, own=own).strip()


def _link_again(path: Path, pages: Sequence[Page]) -> None:
    """Update the links to layers on the page of an earlier run."""
    text = path.read_text(encoding="utf-8")
    links = _links(pages, path.name)
    again = re.sub(r'<ul class="pages">.*?</ul>', lambda _: links, text, count=1, flags=re.DOTALL)
    update(path, again.encode())


def _tidy(store: Store, folder: Path, name: str, groups: list[SpriteGroup]) -> None:
    """Remove the sprites of units that are no longer shown."""
    ours = re.compile(re.escape(name) + r"-\d{5}--\d{5}\.jpg")
    kept = {group.sprites for group in groups}
    for path in folder.iterdir():
        if ours.fullmatch(path.name) and path.name not in kept:
            store.remove_copy(path)
