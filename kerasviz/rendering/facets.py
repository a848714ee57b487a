"""Ask for facets of targets: pictures that are steered by photos in folders, one each."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of
from kerasviz.optvis.objectives.facets import WEIGHT, facet
from kerasviz.optvis.objectives.probes import linear_probe
from kerasviz.optvis.objectives.structure import taps_of
from kerasviz.optvis.objectives.term import Objective, Term
from kerasviz.rendering.batching import fixed_batch
from kerasviz.rendering.facet_records import facet_words
from kerasviz.rendering.photos import SUFFIXES, find_photos, read_photo
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.request import Request
from kerasviz.rendering.sizes import usual_size
from kerasviz.types import Array, Size

#: The part of the layers before a target at which probes are, and their number at most.
QUARTER = (0.5, 0.75)
MOST_LAYERS = 3
#: The cells along each side of a layer at most, for probes that have weights at positions.
CELLS = 7
#: The (height, width) of a grid of cells, () for means over all positions.
Grid = tuple[int, int] | tuple[()]
#: Photos that are computed at once.
TOGETHER = 8
#: The fewest photos of a facet, and of the others.
FEWEST = 2


@dataclass(frozen=True)
class FacetFolders:
    """Hold the photos of each facet by its name, and ``others`` that belong to none."""

    photos: Mapping[str, tuple[Path, ...]]
    others: tuple[Path, ...] = ()

    @classmethod
    def of(cls, folder: str | os.PathLike[str]) -> FacetFolders:
        """Find the photos in the subfolders of a folder; those beside them belong to no facet.

        Raises :class:`UsageError` for a folder without subfolders, empty ones, and too few photos.
        """
        path = Path(folder)
        if not path.is_dir():
            raise UsageError(f"facets {str(path)!r}: expected a folder of folders with photos")
        entries = sorted(p for p in path.iterdir() if not p.name.startswith("."))
        inner = [entry for entry in entries if entry.is_dir()]
        if not inner:
            raise UsageError(
                f"facets {str(path)!r}: no folders in it; expected one with photos for each facet"
            )
        others = tuple(p for p in entries if p.is_file() and p.suffix.lower() in SUFFIXES)
        folders = cls({entry.name: find_photos(entry) for entry in inner}, others)
        folders.check()
        return folders

    def check(self) -> None:
        """Raise :class:`UsageError` for a facet with too few photos, or too few others."""
        for name, photos in self.photos.items():
            rest = len(self.files) - len(photos)
            if min(len(photos), rest) < FEWEST:
                count = f"{len(photos)} photo{'' if len(photos) == 1 else 's'}"
                raise UsageError(
                    f"facet {name}: {count} against {rest} of others; it takes at least {FEWEST} "
                    "of each, better 30"
                )

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """All photos."""
        return (*(p for photos in self.photos.values() for p in photos), *self.others)

    def masks(self) -> dict[str, Array]:
        """Return, for each facet, which of the files belong to it, [N]."""
        owners = [name for name, photos in self.photos.items() for _ in photos]
        owners += [""] * len(self.others)
        return {name: np.array([owner == name for owner in owners]) for name in self.photos}


def with_facets(
    net: Network,
    requests: Sequence[Request],
    folders: FacetFolders,
    weights: Sequence[float],
    positions: bool = False,
) -> list[Request]:
    """Return requests, each followed by one for every facet of its target and every weight.

    Probes have weights for channels, or with ``positions`` for the channels in every cell of a grid
    over the photo.

    Raises :class:`UsageError` for a target without layers before it, tiles, unreadable photos, and
    without scikit-learn.
    """
    steering = steering_of(net, requests, folders, weights, positions)
    found: list[Request] = []
    for request in requests:
        found.append(request)
        for term in steering[request]:
            words = facet_words(facet_name(term), term.weight if len(weights) > 1 else None)
            objective = request.objective + Objective((term,))
            steered = replace(request, text=request.text + words, objective=objective)
            found.append(_in_own_batch(net, steered))
    return found


def steering_of(
    net: Network,
    requests: Sequence[Request],
    folders: FacetFolders,
    weights: Sequence[float] = (WEIGHT,),
    positions: bool = False,
) -> dict[Request, tuple[Term, ...]]:
    """Return the terms that steer each request: one for every facet and weight, in this order.

    Raises :class:`UsageError` as :func:`with_facets` does.
    """
    if any(request.recipe.tile for request in requests):
        raise UsageError("tiles: a facet needs the whole image; render without --tile")
    layers = {request: facet_layers(net, request) for request in requests}
    names = list(dict.fromkeys(name for taps in layers.values() for name in taps))
    grids = {name: _grid(net, name) if positions else () for name in names}
    activations = _pooled(net, grids, folders.files)
    probes = {name: _probes(name, activations[name], folders) for name in names}
    found = {}
    for request, taps in layers.items():
        cells = [grid for tap in taps if (grid := grids[tap])]
        numbers = {
            name: np.concatenate([probes[tap][name] for tap in taps]) for name in folders.photos
        }
        found[request] = tuple(
            facet(taps, numbers[name], weight, name, cells).terms[0]
            for name in folders.photos
            for weight in weights
        )
    return found


def facet_precision(recipe: RecipeOptions) -> RecipeOptions:
    """Return options in the precision that facets take; others are a :class:`UsageError`."""
    if recipe.names_precision and (precision := recipe.chosen().precision) != "float32":
        raise UsageError(f"precision {precision}: facets are computed in float32 only")
    return replace(recipe, precision="float32")


def facet_name(term: Term) -> str:
    """Return the name of the facet that a term steers towards."""
    return "" if term.probe is None else term.probe.name


def _in_own_batch(net: Network, request: Request) -> Request:
    """Return a request in the only batch that the network computes, which is not cut into parts."""
    only = fixed_batch(net, request) if request.batch is None else None
    return request if only is None else replace(request, batch=max(only, request.rows))


def facet_layers(net: Network, request: Request) -> tuple[str, ...]:
    """Return the layers at which facets of a request are probed, at most three.

    They are the main layers in the third quarter of those that all its own terms are computed from.
    """
    own = Objective(request.objective.own)
    taps = taps_of([own], net, request.recipe.pre_activation)
    before = _before(net, taps)
    layers = [name for name in net.main_taps if net.taps[name].name in before]
    layers = [name for name in layers if net.taps[name].channels is not None]
    if not layers:
        raise UsageError(
            f"facets of {request.text!r}: no main layer is before it; name a deeper unit"
        )
    first, last = (int(part * len(layers)) for part in QUARTER)
    quarter = layers[first : max(last, first + 1)]
    chosen = np.linspace(0, len(quarter) - 1, min(MOST_LAYERS, len(quarter))).round().astype(int)
    return tuple(quarter[k] for k in chosen)


def _before(net: Network, taps: Sequence[str]) -> set[str]:
    """Return the values from which every one of some taps is computed, without the taps."""
    values = net.program.values
    spellings = {alias: name for name, value in values.items() for alias in value.aliases}
    sets = []
    for tap in taps:
        reached: set[str] = set()
        todo = [*net.taps[tap].parts]
        while todo:
            for source in values[todo.pop()].inputs:
                name = spellings.get(source, source)
                if name in values and name not in reached:
                    reached.add(name)
                    todo.append(name)
        sets.append(reached)
    return set.intersection(*sets) if sets else set()


def _grid(net: Network, tap: str) -> Size:
    """Return the (height, width) of the cells of a layer that have weights of their own."""
    extent = positions_of(net, tap, usual_size(net)).extent
    if len(extent) != 2 or None in extent:
        raise UsageError(
            f"facet positions: {tap} is no map with positions (y, x); leave them out, or name a "
            "unit of another layer"
        )
    height, width = (min(CELLS, int(side or 1)) for side in extent)
    return height, width


def _pooled(net: Network, grids: Mapping[str, Grid], files: Sequence[Path]) -> dict[str, Array]:
    """Return the means over positions or cells [N, numbers] of layers for photos."""
    focused, size = net.focused([*grids]), usual_size(net)
    taps = {name: net.taps[name].name for name in grids}

    def means(images: Any) -> Any:
        activations = focused.activations(images, list(taps.values()))
        return {name: probed(activations[tap], grids[name]) for name, tap in taps.items()}

    compute: Callable[..., Any] = tf.function(means, autograph=False, reduce_retracing=True)
    batch = min(TOGETHER, len(files))
    parts: dict[str, list[Array]] = {name: [] for name in grids}
    for first in range(0, len(files), batch):
        photos = [read_photo(p, size, focused.channels) for p in files[first : first + batch]]
        images = np.stack(photos + photos[-1:] * (batch - len(photos)))
        for name, values in compute(tf.constant(images)).items():
            parts[name].append(np.asarray(values)[: len(photos)])
    return {name: np.concatenate(values) for name, values in parts.items()}


def probed(activations: Any, grid: Grid = ()) -> Any:
    """Return what a probe reads of activations [B, ..., C]: means over positions [B, C].

    With a ``grid`` (h, w) they are those over the cells of a grid, [B, h w C].
    """
    a = tf.cast(activations, tf.float32)
    count = a.shape[0] or tf.shape(a)[0]
    if grid:
        cells = tf.image.resize(a, list(grid), method="area")
        return tf.reshape(cells, [count, math.prod(grid) * a.shape[-1]])
    return tf.reduce_mean(tf.reshape(a, [count, -1, a.shape[-1]]), axis=1)


def _probes(tap: str, values: Array, folders: FacetFolders) -> dict[str, Array]:
    """Fit a probe for each facet at a layer: its weights and its bias in one array."""
    found = {}
    for name, mask in folders.masks().items():
        probe = linear_probe(values[mask], values[~mask], 0, f"facet {name} at {tap}", "others")
        found[name] = np.append(probe.weights, probe.bias).astype(np.float32)
    return found
