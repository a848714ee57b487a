"""Making figures: one rendering for all of them, then a picture file and a page of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from kerasviz.errors import UsageError, near
from kerasviz.figures.catalogue import CATALOGUE
from kerasviz.figures.choice import Cell, Choice, choose
from kerasviz.figures.drawing import draw
from kerasviz.figures.figure import Figure
from kerasviz.figures.page import figure_page, set_page
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
    ``made`` pictures were rendered now, ``kept`` were there already.
    """

    paths: tuple[Path, ...]
    index: Path
    made: int
    kept: int


def make_figures(
    net: Network,
    slugs: Sequence[str] = (),
    recipe: str | Recipe = "article",
    out: str | Path = "figures",
    *,
    seed: int = 0,
    quick: bool = False,
    progress: Callable[[Report], None] | None = None,
) -> FigureSet:
    """Make figures of the article (default: all) for a network, as PNG files and HTML pages.

    With ``quick`` figures of hundreds of settings show some of them. Single pictures go to
    ``out/pictures`` with their manifest and page; what is there already is not rendered again.
    Raises :class:`UsageError` for an unknown figure, a folder with another network's pictures and
    a network without layers that have positions.
    """
    wanted = list(dict.fromkeys(slugs)) or list(CATALOGUE)
    for slug in wanted:
        if slug not in CATALOGUE:
            raise UsageError(f"unknown figure {slug!r}; near: {near(slug, CATALOGUE)}")
    out, chosen_recipe = Path(out), find_recipe(recipe)
    choices = [choose(CATALOGUE[slug], net, chosen_recipe, seed, quick=quick) for slug in wanted]
    requests = list(dict.fromkeys(r for choice in choices for r in choice.requests))
    store = Store(out / PICTURES, net)
    try:
        made = store.make(requests, progress)
    except KeyboardInterrupt:  # the page shows the pictures that are finished
        write_index(store.folder, store.manifest())
        raise
    write_index(store.folder, store.manifest())
    paths: list[Path] = []
    for choice in choices:
        files = {cell: _file(store, cell) for cell in choice.cells}
        paths += _write(out, choice, files)
    index = out / "index.html"
    update(index, set_page(net.name, _present(out), PICTURES).encode())
    return FigureSet(tuple(paths), index, made.made, made.kept)


def _file(store: Store, cell: Cell) -> str:
    """The picture file of a cell, relative to the store."""
    found = store.find(cell.request)
    return next(e.file for e in found if (e.step, e.row) == (cell.step, cell.row))


def _write(out: Path, choice: Choice, files: dict[Cell, str]) -> list[Path]:
    pictures: dict[Cell, Image.Image] = {}
    for cell, file in files.items():
        pictures[cell] = decode((out / PICTURES / file).read_bytes())[0]
    slug = choice.figure.slug
    image, page = out / f"{slug}.png", out / f"{slug}.html"
    update(image, encode(draw(choice, pictures), "png"))
    links = {cell: f"{PICTURES}/{file}" for cell, file in files.items()}
    update(page, figure_page(choice, links).encode())
    return [image, page]


def _present(out: Path) -> list[Figure]:
    """The figures that are in a folder, those of earlier runs too."""
    return [f for f in CATALOGUE.values() if (out / f"{f.slug}.html").is_file()]
