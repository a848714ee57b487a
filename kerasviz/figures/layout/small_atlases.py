"""Layouts of small activation atlases: grids of icons of what a network sees in some photos."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from kerasviz.analysis.atlas_cells import AtlasCells, cell_means, find_cells, typical_points
from kerasviz.analysis.atlas_layout import (
    comparison_layout,
    has_umap,
    pca_layout,
    umap_layout,
    unit_square,
)
from kerasviz.analysis.explanation import is_before
from kerasviz.analysis.whitening import second_moment, whitened
from kerasviz.errors import UsageError
from kerasviz.figures.layout.article_outline import is_outline
from kerasviz.figures.layout.context import FigureContext
from kerasviz.figures.layout.photo_views import IconLook, ViewedPhoto, icon_note, icon_tile
from kerasviz.figures.layout.photo_windows import WindowPoints, window_points
from kerasviz.figures.layout.tables import Table
from kerasviz.figures.layout.tiles import EmptyTile, GradientTile, OptimizedTile, TileRow
from kerasviz.network.main_layers import main_layers
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of
from kerasviz.rendering.photos import photos_of
from kerasviz.rendering.sizes import usual_size
from kerasviz.types import Array

#: Windows on photos, and cells along each side of the two grids; fewer in quick figures.
WINDOWS = 120
QUICK_WINDOWS = 24
GRIDS = (5, 10)
QUICK_GRIDS = (3, 5)
#: Cells along each side of a comparison.
COMPARED = 7
#: Cells with as many points or fewer are left out.
LEAST = 2
#: Icons: 80 pixels (paper), and the square of the cosine in the score (recipe of the article).
LOOK = IconLook(80, 2.0)
#: Activations for each unit that a second moment is taken of.
ENOUGH = 4
#: Points of each class of a comparison that contribute most.
OF_CLASS = 150
#: Points of an atlas of a class.
MOST_OF_CLASS = 300
#: Cells that examples are shown of, and examples of each.
CELLS = 3
EMPTY = EmptyTile("", "")


class _Atlas:
    """Hold the points of a figure, with the icons of their cells."""

    def __init__(self, context: FigureContext, tap: str):
        quick = context.options.quick
        self.context = context
        self.tap = tap
        photos = photos_of(context.options.photos)
        count = QUICK_WINDOWS if quick else WINDOWS
        seed = context.options.seed
        self.points: WindowPoints = window_points(
            context.options.net, self.tap, photos, count, seed
        )
        self.grids = QUICK_GRIDS if quick else GRIDS
        values = self.points.values
        self.whitens = len(values) >= ENOUGH * values.shape[1]
        self.moment = second_moment(values) if self.whitens else None

    @property
    def shares(self) -> Array:
        """What the points contribute to classes; UsageError where it is not known."""
        self.context.options.net.require_logits()
        if self.points.shares is None:
            raise UsageError(
                f"{self.context.options.net.name}: contributions to classes need second "
                f"derivatives, which an operation behind {self.tap} does not have"
            )
        return self.points.shares

    @property
    def classes(self) -> list[int]:
        """The two classes that the network is surest of in the windows."""
        seen = self.points.seen
        assert seen is not None  # there are contributions to classes
        return [int(n) for n in np.argsort(-seen, kind="stable")[:2]]

    def places(self, chosen: Array | None = None) -> tuple[Array, str]:
        """Return the places [N, 2] of all points or the chosen ones in [0, 1], and the method."""
        values, seed = self.points.values, self.context.options.seed
        values = values if chosen is None else values[chosen]
        if has_umap() and len(values) > 3:
            return unit_square(umap_layout(values, seed)), "UMAP"
        return unit_square(pca_layout(values)), "principal components"

    def icons(self, cells: AtlasCells, chosen: Array, sides: Array, words: str) -> TileRow:
        """Make the block of a grid of the chosen points, each icon of its side."""
        if not len(cells):
            raise UsageError(
                f"no cell has more than {LEAST} of {len(chosen)} activations; give more --photos"
            )
        means = cell_means(self.points.values[chosen], cells)
        vectors = means if self.moment is None else whitened(means, self.moment)
        grid: list[OptimizedTile | EmptyTile] = [EMPTY] * cells.grid**2
        for k, number in enumerate(cells.numbers):
            row, column = divmod(int(number), cells.grid)
            name = f"{self.tap} cell {row},{column} of {cells.grid}x{cells.grid}"
            share = max(0.0, float(sides[k]))
            if share > 0:
                grid[int(number)] = icon_tile(
                    self.context,
                    self.tap,
                    vectors[k],
                    name if not words else f"{name}, {words}",
                    share=share,
                    label=self._label(chosen[cells.members(k)]),
                    look=LOOK,
                )
        return TileRow("", (self.tap,), tuple(grid), columns=cells.grid)

    def _label(self, points: Array) -> str:
        """Name the class that some points speak for most."""
        if self.points.shares is None:
            return ""
        best = int(self.points.shares[points].mean(0).argmax())
        return self.context.options.net.classes.describe(best)

    def notes(self, blocks: list[TileRow], method: str) -> list[str]:
        """Say what the atlas was made from, and how."""
        given = self.context.options.photos
        source = "photos" if given else "photos that come with kerasviz, from scikit-image"
        count = len(photos_of(given))
        icons = [tile for block in blocks for tile in block.optimized]
        whitening = (
            "Directions are multiplied by the inverse of the second moment of all activations."
            if self.whitens
            else f"Directions are means: for whitening it takes {ENOUGH} activations for each unit."
        )
        return [
            f"Activations: {len(self.points.values)} of {self.tap}, at positions of windows on "
            f"{count} {source}; laid out by {method}. An atlas of what the network can see takes "
            "thousands of photos: --photos FOLDER, or kerasviz activation-atlas for many.",
            whitening,
            icon_note(icons),
        ]

    def example(self, point: int, name: str, row: int) -> GradientTile:
        """Make the tile of the part of a photo around a point."""
        photo, box = self.points.example(point)
        slug = self.context.figure.slug
        size = self.points.size
        return GradientTile(f"{slug}-cut-{row}", name, "cut", (photo,), size, numbers=box)


def last_layer(net: Network) -> str:
    """Return the last main layer with positions that the classes are computed from.

    Where its mean decides, what a position contributes to a logit is exact.

    Raises:
        UsageError: For a network without classes, without such a layer, or of names only.
    """
    logits = net.require_logits().name
    if is_outline(net):
        raise UsageError("the figure is about photos; count it with --model NAME")
    for tap in reversed(main_layers(net)):
        extent = positions_of(net, tap, usual_size(net)).map
        if extent is not None and math.prod(extent) > 1 and is_before(net, tap, logits):
            return tap
    raise UsageError(f"{net.name} has no main layer with positions before its classes")


def _sides_by_count(cells: AtlasCells) -> Array:
    """Return the sides of icons whose area grows with the logarithm of the number of points."""
    logs = np.log1p(cells.counts)
    return np.sqrt(logs / max(float(logs.max(initial=0)), 1e-12))


def _grids(context: FigureContext) -> Table:
    atlas = _Atlas(context, ViewedPhoto.of(context).detailed)
    places, method = atlas.places()
    every = np.arange(len(places))
    blocks = []
    for grid in atlas.grids:
        cells = find_cells(places, grid, LEAST)
        block = atlas.icons(cells, every, _sides_by_count(cells), "")
        blocks.append(replace(block, title=f"{grid} x {grid} cells"))
    return tuple(blocks), (), (), atlas.notes(blocks, method)


def _of_class(context: FigureContext) -> Table:
    atlas = _Atlas(context, last_layer(context.options.net))
    number = atlas.classes[0]
    name = context.options.net.classes.describe(number)
    shares = atlas.shares[:, number]
    chosen = np.sort(np.argsort(-shares, kind="stable")[:MOST_OF_CLASS])
    chosen = chosen[shares[chosen] > 0]
    if not len(chosen):
        raise UsageError(f"nothing in these photos speaks for {name}; give other --photos")
    places, method = atlas.places(chosen)
    cells = find_cells(places, atlas.grids[0], LEAST)
    mean = cell_means(shares[chosen, None], cells)[:, 0]
    sides = np.sqrt(mean / max(float(mean.max(initial=0)), 1e-12))
    block = atlas.icons(cells, chosen, sides, name)
    grid = replace(block, title=f"Cells that speak for {name}")
    values = atlas.points.values[chosen]
    photo = atlas.points.photo[chosen]
    typical = typical_points(values, photo, cells, cell_means(values, cells), 1)
    tiles: list[GradientTile] = []
    for k in np.argsort(-mean, kind="stable")[:CELLS]:
        row, column = divmod(int(cells.numbers[k]), cells.grid)
        words = f"cell {row},{column}: {mean[k]:+.2g}"
        tiles.append(atlas.example(int(chosen[typical[k][0]]), words, len(tiles)))
    examples = TileRow("Examples", (), tuple(tiles))
    note = (
        f"Of the activations the {len(chosen)} that contribute most to the logit are laid out. The "
        "area of an icon is what they contribute on average; cells are counted from the top left."
    )
    return (examples, grid), (), (), [note, *atlas.notes([grid], method)]


def _compared(context: FigureContext) -> Table:
    atlas = _Atlas(context, last_layer(context.options.net))
    if atlas.shares.shape[1] < 2:
        raise UsageError(f"{context.options.net.name} has one class; a comparison is of two")
    first, second = atlas.classes
    shares = atlas.shares
    best = shares.argmax(1)
    chosen = np.unique(
        np.concatenate(
            [
                np.union1d(np.flatnonzero(best == n), np.argsort(-shares[:, n])[:OF_CLASS])
                for n in (first, second)
            ]
        )
    )
    difference = shares[chosen, second] - shares[chosen, first]
    seed = context.options.seed
    places = comparison_layout(atlas.points.values[chosen], difference, seed)
    grid = atlas.grids[0] if context.options.quick else COMPARED
    cells = find_cells(places, grid, LEAST)
    names = [context.options.net.classes.describe(n) for n in (first, second)]
    words = f"{names[0]} against {names[1]}"
    block = atlas.icons(cells, chosen, _sides_by_count(cells), words)
    title = f"Left: for {names[0]}. Right: for {names[1]}"
    method = "the difference of contributions from left to right, t-SNE from top to bottom"
    shown = replace(block, title=title)
    return (shown,), (), (), atlas.notes([shown], method)


#: The builder of every figure of this kind.
ATLAS_TABLES: dict[str, Callable[[FigureContext], Table]] = {
    "atlas-grids": _grids,
    "atlas-of-a-class": _of_class,
    "atlas-of-two-classes": _compared,
}
