"""Making figures: one rendering for all of them, then a picture file and a page of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict, Unpack

from PIL import Image

from kerasviz.errors import UsageError, near
from kerasviz.figures.catalogue import CATALOGUE
from kerasviz.figures.choice import Cell, Choice, Made, Tile
from kerasviz.figures.choose import choose
from kerasviz.figures.computed import make_computed
from kerasviz.figures.drawing import draw
from kerasviz.figures.figure import Figure
from kerasviz.figures.halves import pooled
from kerasviz.figures.page import figure_page, set_page
from kerasviz.figures.photos import find_photos
from kerasviz.figures.reached import activation_notes
from kerasviz.figures.setting import Order
from kerasviz.images import decode, encode
from kerasviz.network import Network
from kerasviz.pages import update, write_index
from kerasviz.recipes import Recipe
from kerasviz.recipes import recipe as find_recipe
from kerasviz.rendering import Report
from kerasviz.store import Store

__all__ = ["PICTURES", "FigureSet", "make_figures"]

#: The folder of the single pictures, in the folder of the figures.
PICTURES = "pictures"


@dataclass(frozen=True)
class FigureSet:
    """What :func:`make_figures` did.

    ``paths`` are the PNG and the page of every figure, ``index`` is the page that leads to them.
    ``made`` pictures were rendered now, ``kept`` were there already; ``computed`` more were made
    now from others, without optimizing.
    """

    paths: tuple[Path, ...]
    index: Path
    made: int
    kept: int
    computed: int = 0


class Options(TypedDict, total=False):
    """The named arguments of :func:`make_figures`, all of which may be left out."""

    seed: int
    quick: bool
    photos: str | Path | None
    progress: Callable[[Report], None] | None


def make_figures(
    net: Network,
    slugs: Sequence[str] = (),
    recipe: str | Recipe = "article",
    out: str | Path = "figures",
    **options: Unpack[Options],
) -> FigureSet:
    """Make figures of the article (default: all) for a network, as PNG files and HTML pages.

    ``seed`` is that of the noise. With ``quick`` figures of hundreds of settings show some of
    them. ``photos`` is a folder of PNG and JPEG files, or one of them, for the figures of
    gradients. Single pictures go to ``out/pictures`` with their manifest and page; what is there
    already is not made again. Raises :class:`UsageError` for an unknown figure, photos that cannot
    be read, a folder with another network's pictures and a network without layers that have
    positions.
    """
    wanted = list(dict.fromkeys(slugs)) or list(CATALOGUE)
    for slug in wanted:
        if slug not in CATALOGUE:
            raise UsageError(f"unknown figure {slug!r}; near: {near(slug, CATALOGUE)}")
    out = Path(out)
    photos = options.get("photos")
    order = Order(
        net,
        find_recipe(recipe),
        options.get("seed", 0),
        options.get("quick", False),
        () if photos is None else find_photos(photos),
    )
    choices = [choose(CATALOGUE[slug], order) for slug in wanted]
    requests = list(dict.fromkeys(r for choice in choices for r in choice.requests))
    store = Store(out / PICTURES, net)
    try:
        made = store.make(requests, options.get("progress"))
    except KeyboardInterrupt:  # the page shows the pictures that are finished
        write_index(store.folder, store.manifest())
        raise
    write_index(store.folder, store.manifest())
    computed, words, count = make_computed(net, store, [m for c in choices for m in c.computed])
    paths: list[Path] = []
    for choice in choices:
        tiles = {t: computed[t] if isinstance(t, Made) else _file(store, t) for t in choice.tiles}
        found = dict.fromkeys(words[made] for made in choice.computed if words[made])
        notes = (*choice.notes, *found, *activation_notes(store, choice))
        paths += _write(out, replace(choice, notes=notes), tiles)
    index = out / "index.html"
    update(index, set_page(net.name, _present(out), PICTURES).encode())
    return FigureSet(tuple(paths), index, made.made, made.kept, count)


def _file(store: Store, cell: Cell) -> str:
    """The picture file of a cell, relative to the store."""
    found = store.find(cell.request)
    return next(e.file for e in found if (e.step, e.row) == (cell.step, cell.row))


def _write(out: Path, choice: Choice, files: dict[Tile, str]) -> list[Path]:
    pictures: dict[Tile, Image.Image] = {}
    for cell, file in files.items():
        pictures[cell] = decode((out / PICTURES / file).read_bytes())[0]
    slug = choice.figure.slug
    image, page = out / f"{slug}.png", out / f"{slug}.html"
    update(image, encode(draw(choice, pictures), "png"))
    links = {cell: f"{PICTURES}/{file}" for cell, file in files.items()}
    pools = {made for made, _ in pooled(choice.blocks, pictures)}
    update(page, figure_page(choice, links, pools).encode())
    return [image, page]


def _present(out: Path) -> list[Figure]:
    """The figures that are in a folder, those of earlier runs too."""
    return [f for f in CATALOGUE.values() if (out / f"{f.slug}.html").is_file()]
