"""The photo that a figure is about, run through the network, and tiles that show parts of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from kerasviz.analysis.attribution import Attribution, attribute_layer
from kerasviz.analysis.class_map import class_logits
from kerasviz.analysis.explanation import is_before
from kerasviz.analysis.photo_pass import PhotoPass, score_of
from kerasviz.analysis.photo_views import MOST_DETAILED, detailed_layer
from kerasviz.errors import UsageError
from kerasviz.figures.layout.article_outline import is_outline
from kerasviz.figures.layout.context import FigureContext
from kerasviz.figures.layout.tiles import GradientTile, OptimizedTile
from kerasviz.io.digits import rounded
from kerasviz.network.main_layers import main_layers
from kerasviz.network.network import Network
from kerasviz.network.program import has_positions
from kerasviz.optvis.objectives.direction import direction
from kerasviz.optvis.objectives.objective import logit
from kerasviz.optvis.objectives.targets import Target
from kerasviz.rendering.photos import Photo, photos_of, read_photo
from kerasviz.rendering.request import Request
from kerasviz.rendering.sizes import usual_size
from kerasviz.types import Array

#: Pixels of an icon, one of many in a figure, and its updates at most (lucid: 42 and 256).
ICON = 48
ICON_STEPS = 256
#: The layer of figures of one layer (paper).
ARTICLE_LAYER = "mixed4d"
#: Gradients that are averaged: of 50 the contributions sum to a logit within some percent.
GRADIENTS = 50
#: Digits of recorded numbers: of more a picture shows nothing, and records grow.
DIGITS = 4


@dataclass(frozen=True)
class IconLook:
    """Say how icons look: their ``side`` in pixels, the power of the ``cosine`` in the score."""

    side: int = ICON
    cosine: float = 0.0


@dataclass(frozen=True, eq=False)
class ViewedPhoto:
    """Hold the photo of a figure with its pass through the network.

    ``image`` is [H, W, C] in [0, 1]; the pass has the layers of the figure.
    """

    context: FigureContext
    photo: Photo
    image: Array
    run: PhotoPass

    @classmethod
    def of(cls, context: FigureContext) -> ViewedPhoto:
        """Run the first photo of a figure's options.

        Without any it is the first that comes with the package. Raises :class:`UsageError` for a
        network of names and shapes only.
        """
        net = context.options.net
        if is_outline(net):
            raise UsageError("the figure is about a photo; count it with --model NAME")
        photo = photos_of(context.options.photos)[0]
        image = read_photo(photo.file, net.fitting_size(usual_size(net)), net.channels)
        logits = [net.require_logits().name] if net.classes.logits in net.taps else []
        run = PhotoPass(net, image, list(context.taps.values()) or _candidates(net), logits)
        return cls(context, photo, image, run)

    @property
    def detailed(self) -> str:
        """The layer of a figure of one layer: the article's, or the last with some 14x14 positions.

        Raises :class:`UsageError` where no layer has positions.
        """
        found = detailed_layer(self.run, self.run.taps)
        if found is None:
            raise UsageError(
                f"{self.context.figure.slug} is about positions, and no main layer of "
                f"{self.context.options.net.name} has from 2 to {MOST_DETAILED} of them"
            )
        return found

    @property
    def notes(self) -> list[str]:
        """Say which photo it is, and which layer the figure of one layer has."""
        count = len(self.context.options.photos)
        more = f", the first of {count} photos" if count > 1 else ""
        more += (
            "" if count else ", from scikit-image, in the public domain (--photos FILE: another)"
        )
        height, width = self.image.shape[:2]
        notes = [f"Photo: {self.photo.name}{more}, as the network sees it in {width}x{height}."]
        if not self.context.taps:
            why = (
                "the article's" if len(self.run.taps) == 1 else "the last with some 14x14 positions"
            )
            notes.append(f"Layer: {self.detailed}, {why}.")
        return notes

    @cached_property
    def classes(self) -> list[int]:
        """The two classes with the largest logits, or as many as the network has.

        Raises :class:`UsageError` for a network without classes.
        """
        self.context.options.net.require_logits()
        order = np.argsort(-class_logits(self.run), kind="stable")[:2]
        return [int(number) for number in order]

    def class_name(self, number: int) -> str:
        """Return the name of a class for people."""
        return self.context.options.net.classes.describe(number)

    def activations(self, tap: str) -> Array:
        """Return a layer on its map, [h, w, C].

        Raises :class:`UsageError` for a layer without positions.
        """
        found = self.run.on_map(tap, self.run.values(tap))
        if found is None:
            raise UsageError(
                f"{self.context.figure.slug} is about positions, and {tap} has none for this photo"
            )
        return found

    def attribution(self, tap: str, number: int) -> Attribution:
        """Attribute the logit of a class to a layer."""
        score = score_of(self.run.net, logit(number), self.run.size)
        return attribute_layer(self.run, score, tap, GRADIENTS)

    def tile(self, kind: str, name: str, label: str = "", numbers: Any = (), row: int = 0) -> Any:
        """Make the tile of a picture of the photo, drawn from numbers."""
        file = f"{self.context.figure.slug}-{kind}-{row}"
        size = (self.image.shape[0], self.image.shape[1])
        return GradientTile(file, name, kind, (self.photo,), size, numbers=numbers, label=label)


def _candidates(net: Network) -> list[str]:
    """Return the article's layer, or the main layers that its place is looked for among."""
    if ARTICLE_LAYER in net.taps and has_positions(net.taps[ARTICLE_LAYER].shape):
        return [net.taps[ARTICLE_LAYER].name]
    logits = net.classes.logits if net.classes.logits in net.taps else None
    return [tap for tap in main_layers(net) if logits is None or is_before(net, tap, logits)]


def summed(values: Array, most: int) -> Array:
    """Return the sums of a map [h, w] in cells, of which there are at most ``most`` a side.

    >>> summed(np.arange(6.0).reshape(1, 6), 3)
    array([[1., 5., 9.]])
    """
    for axis in (0, 1):
        ends = np.linspace(0, values.shape[axis], min(most, values.shape[axis]) + 1).astype(int)
        values = np.add.reduceat(values, ends[:-1], axis)
    return values


def short_rows(values: Array) -> tuple[tuple[float, ...], ...]:
    """Return a map [h, w] as rows of numbers of 4 digits, to be recorded.

    >>> short_rows(np.array([[1 / 3, 20000.1]]))
    ((0.3333, 20000.0),)
    """
    return tuple(tuple(rounded(n, DIGITS) for n in row) for row in values)


def direction_tile(
    context: FigureContext, tap: str, vector: Array, name: str, label: str = ""
) -> OptimizedTile:
    """Make the tile of a picture of what a vector of a layer looks for, taken at unit length."""
    request = _directed(context, tap, vector, name)
    return OptimizedTile(request, request.recipe.steps, name, label)


def _directed(
    context: FigureContext, tap: str, vector: Array, name: str, cosine: float = 0.0
) -> Request:
    length = float(np.linalg.norm(vector)) or 1.0
    numbers = [rounded(float(n) / length, DIGITS) for n in vector]
    return context.request(Target(name, direction(tap, numbers, cosine)))


def icon_tile(
    context: FigureContext,
    tap: str,
    vector: Array,
    name: str,
    *,
    share: float = 1.0,
    label: str = "",
    look: IconLook = IconLook(),
) -> OptimizedTile:
    """Make the tile of a small picture of what a vector of a layer looks for.

    Icons are smaller than other pictures, and take no more than 256 steps.
    """
    request = _directed(context, tap, vector, name, look.cosine)
    recipe = request.recipe
    small = context.options.net.fixed_size == (None, None) and recipe.transform.crop is None
    side = min(look.side, *recipe.size)
    recipe = recipe.replace(
        size=(side, side) if small and not recipe.tile else recipe.size,
        steps=min(recipe.steps, ICON_STEPS),
    )
    return OptimizedTile(
        replace(request, recipe=recipe), recipe.steps, name, label, share=round(share, 3)
    )


def icon_note(tiles: Sequence[OptimizedTile]) -> str:
    """Say in one line how icons were made."""
    recipe = tiles[0].request.recipe
    height, width = recipe.size
    return (
        f"Icons: {recipe.steps} steps of {width}x{height} pixels, each optimized by itself, so "
        "that neighbours can differ more than their vectors do."
    )
