"""Draw gradients at photos: directions, maps and attribution, by one backward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from kerasviz.io.files import checksum, digest
from kerasviz.io.images import encode, to_image
from kerasviz.network.network import Network
from kerasviz.optvis.gradients import (
    attribution,
    colour_share,
    decorrelated_colours,
    gradients,
    grid_pattern,
    steepest,
)
from kerasviz.optvis.objectives.objective import Objective, logit
from kerasviz.optvis.objectives.structure import IMAGE
from kerasviz.rendering.manifest import GradientEntry
from kerasviz.rendering.number_pictures import ALONE, ON_PHOTO
from kerasviz.rendering.photos import read_photo
from kerasviz.rendering.store import Store
from kerasviz.types import Array, PreActivation

#: Percentile that becomes white or full colour, so that a few large values do not hide the others.
PERCENTILE = 99.5
HEAT = (245, 166, 35)
#: What is said of a map that is too small for a grid.
TOO_SMALL = "too small to tell"
#: Positions of a grid that are shown along an axis, whatever repeats in it.
GRID = 16


def direction_image(direction: Array) -> Image.Image:
    """Draw a direction [H, W, C] around middle grey: 0.5 + 0.5 d / (99.5th percentile of |d|).

    >>> direction_image(np.full((1, 1, 1), -3.0)).getpixel((0, 0))
    0
    """
    return to_image(np.clip(0.5 + 0.5 * _scaled(direction), 0, 1))


def map_image(magnitude: Array) -> Image.Image:
    """Draw a map [h, w] of numbers >= 0 in grey; white is the 99.5th percentile."""
    return to_image(np.clip(_scaled(magnitude), 0, 1)[..., None])


def grid_image(pattern: Array) -> Image.Image:
    """Draw a pattern [p, p] around 1, repeated to 16 x 16: black is 3/4 or less, white 5/4.

    >>> grid_image(np.array([[1.0, 2.0], [0.5, 1.0]])).getpixel((1, 0))
    255
    """
    times = GRID // len(pattern)
    return to_image(np.clip(2 * np.tile(pattern, (times, times)) - 1.5, 0, 1)[..., None])


def heat_image(photo: Array, attributed: Array) -> Image.Image:
    """Draw a photo [H, W, C] in grey, and light and orange where a map [h, w] is positive."""
    size = photo.shape[1], photo.shape[0]
    small = Image.fromarray(np.clip(_scaled(attributed), 0, 1).astype(np.float32))
    amount = np.asarray(small.resize(size, Image.Resampling.BILINEAR))[..., None]
    grey = np.asarray(to_image(photo).convert("L"), np.float64)[..., None] / 255
    mixed = (1 - amount) * 0.75 * grey + amount * (0.3 * grey + 0.7 * np.array(HEAT) / 255)
    return to_image(mixed)


def _scaled(values: Array) -> Array:
    """Divide values by their 99.5th percentile, or by the largest if that is 0."""
    sizes = np.abs(values)
    unit = float(np.percentile(sizes, PERCENTILE)) or float(sizes.max()) or 1.0
    scaled: Array = values / unit
    return scaled


@dataclass(frozen=True)
class GradientTask:
    """Describe a computed picture without its photos.

    ``taps`` are those whose gradients come out of the same backward pass. ``numbers`` are what a
    kind of :mod:`kerasviz.rendering.number_pictures` draws.
    """

    kind: str
    size: tuple[int, int]
    objective: Objective | None
    pre_activation: PreActivation
    tap: str
    taps: tuple[str, ...]
    numbers: Sequence[Any] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> GradientTask:
        """Return the task of plain data."""
        objective = data["objective"]
        return cls(
            kind=data["kind"],
            size=(data["size"][0], data["size"][1]),
            objective=None if objective is None else Objective.from_json(objective),
            pre_activation=data["pre_activation"],
            tap=data["tap"],
            taps=tuple(data["taps"]),
            numbers=data.get("numbers", ()),
        )


class GradientCache:
    """Compute each gradient of a network once.

    A pass takes the photos of one picture only: oneDNN rounds differently at other batch sizes, and
    a picture must not depend on the others of a run.
    """

    def __init__(self, net: Network):
        self.net = net
        self._gradients: dict[Any, dict[str, Array]] = {}

    def __call__(self, task: GradientTask, photos: Array) -> Array:
        """Return the gradient of the objective by the photos [B, H, W, C], or by the task's tap."""
        assert task.objective is not None
        key = (task.objective, task.pre_activation, task.taps, checksum(photos.tobytes()))
        if key not in self._gradients:
            pre = task.pre_activation
            _, cache, _ = gradients(self.net, task.objective, photos, task.taps, pre_activation=pre)
            self._gradients[key] = cache
        return self._gradients[key][task.tap or IMAGE]


def compute(task: GradientTask, photos: Array, cache: GradientCache) -> tuple[Image.Image, str]:
    """Return the picture of a task for photos [B, H, W, C] in [0, 1], and a result as text.

    Raises :class:`ModelError` if the network cannot be computed at that size.
    """
    if task.kind == "photo":
        return to_image(photos[0]), ""
    if task.kind in ON_PHOTO:
        return ON_PHOTO[task.kind](photos[0], task.numbers), ""
    if task.kind in ALONE:
        return ALONE[task.kind](task.numbers), ""
    if task.kind == "attribution":
        return _attributed(cache.net, photos[:1], task.tap)
    gradient = cache(task, photos)
    if task.kind == "magnitude":
        return map_image(np.sqrt((gradient**2).sum(-1)).mean(0)), ""
    if task.kind == "grid":
        pattern = grid_pattern(np.sqrt((gradient**2).sum(-1)))
        if pattern.size == 1:
            return grid_image(pattern), TOO_SMALL
        return grid_image(pattern), f"{pattern.max() / pattern.min():.2f} to 1"
    if task.kind == "colours":
        whitened = decorrelated_colours(gradient)
        shares = [float(colour_share(gradient)[0]) for gradient in (gradient, whitened)]
        shares_text = (
            f"Energy of colour over that of brightness: {shares[0]:.3g} in the gradient as it is, "
            f"{shares[1]:.3g} with decorrelated colours."
        )
        return direction_image(whitened[0]), shares_text
    return direction_image(steepest(task.kind, gradient, photos)[0]), ""


def _attributed(net: Network, photo: Array, tap: str) -> tuple[Image.Image, str]:
    logits = net.require_logits().name
    scores = net.activations(tf.constant(photo), [logits])[logits]
    means = scores.numpy().reshape(-1, scores.shape[-1]).mean(0)  # a head may have positions
    top = int(np.argmax(means[net.classes.first :]))
    contributions = attribution(net, logit(top), photo, tap)[0]
    top_class = f"What speaks for {net.classes.describe(top)}"
    return heat_image(photo[0], contributions), top_class


def recompute(store: Store, entry: GradientEntry, cache: GradientCache) -> bytes | None:
    """Compute the file of an entry again; ``None`` if a photo is missing or was changed."""
    for photo in entry.photos:
        path = store.folder / photo["file"]
        if not path.is_file() or checksum(path.read_bytes()) != photo["sha256"]:
            return None
    return _made(store, entry, cache, store.environments[entry.environment])[1]


def _made(
    store: Store, entry: GradientEntry, cache: GradientCache, recorded: dict[str, str]
) -> tuple[GradientEntry, bytes]:
    """Compute a picture: its entry, and its file with the provenance inside."""
    task = GradientTask.from_json(entry.made)
    sources = [store.folder / photo["file"] for photo in entry.photos]
    read = [read_photo(path, task.size, store.net.channels) for path in sources]
    photos = np.stack(read) if read else np.zeros((0, *task.size, store.net.channels), np.float32)
    image, text = compute(task, photos, cache)
    about = {
        "name": entry.name,
        "words": text,
        "computed": entry.made,
        "photos": [{"name": p["name"], "sha256": p["sha256"]} for p in entry.photos],
        "network": store.network,
        "environment": recorded,
    }
    data = encode(image, "png", about)
    names = {"words": text, "sha256": checksum(data), "environment": digest(recorded)}
    return GradientEntry(**{**vars(entry), **names}), data
