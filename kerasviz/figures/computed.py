"""Pictures that are computed from others by one backward pass, not optimized."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image, UnidentifiedImageError

from kerasviz.figures.choice import Made
from kerasviz.figures.photos import Photo, fitted, read_photo
from kerasviz.figures.units import class_words
from kerasviz.files import checksum, digest
from kerasviz.gradients import attribution, decorrelated_colours, gradients, steepest
from kerasviz.images import decode, encode, to_image
from kerasviz.network import Network
from kerasviz.objectives import logit
from kerasviz.pages import update
from kerasviz.rendering import Request
from kerasviz.scoring import IMAGE
from kerasviz.store import Store

__all__ = ["direction_image", "heat_image", "make_computed", "map_image"]

Array = np.ndarray[Any, Any]
#: Images and words about them that are only known when they are computed.
Results = dict[Made, tuple[Image.Image, str]]

#: Changes when the same inputs give other pictures.
VERSION = 1
#: The largest values are clipped, so that a few do not hide the others.
PERCENTILE = 99.5
HEAT = (245, 166, 35)


def direction_image(direction: Array) -> Image.Image:
    """A direction [H, W, C] around middle grey: 0.5 + 0.5 d / (99.5th percentile of |d|).

    >>> direction_image(np.full((1, 1, 1), -3.0)).getpixel((0, 0))
    0
    """
    return to_image(np.clip(0.5 + 0.5 * _scaled(direction), 0, 1))


def map_image(magnitude: Array) -> Image.Image:
    """A map [h, w] of numbers from 0 on, in grey: white is the 99.5th percentile."""
    return to_image(np.clip(_scaled(magnitude), 0, 1)[..., None])


def heat_image(photo: Array, attributed: Array) -> Image.Image:
    """A photo [H, W, C] in grey, and in orange where a map [h, w] is positive."""
    size = photo.shape[1], photo.shape[0]
    small = Image.fromarray(np.clip(_scaled(attributed), 0, 1).astype(np.float32))
    amount = np.asarray(small.resize(size, Image.Resampling.BILINEAR))[..., None]
    grey = np.asarray(to_image(photo).convert("L"), np.float64)[..., None] / 255
    mixed = (1 - 0.8 * amount) * (0.15 + 0.7 * grey) + 0.8 * amount * (np.array(HEAT) / 255)
    return to_image(mixed)


def _scaled(values: Array) -> Array:
    """Values by their 99.5th percentile; by their largest where that is 0."""
    sizes = np.abs(values)
    unit = float(np.percentile(sizes, PERCENTILE)) or float(sizes.max()) or 1.0
    scaled: Array = values / unit
    return scaled


def make_computed(
    net: Network, store: Store, wanted: Sequence[Made]
) -> tuple[dict[Made, str], dict[Made, str], int]:
    """Compute the pictures whose inputs changed or whose file is not there.

    Returns the files by picture, relative to the store, what was found out about them, and how
    many were computed now. The optimized pictures that they need are in the store. Raises
    :class:`UsageError` for a photo that cannot be read.
    """
    wanted = list(dict.fromkeys(wanted))
    sources = {photo: _bytes(store, photo) for made in wanted for photo in made.photos}
    keys = {made: _key(net, made, sources) for made in wanted}
    files = {made: f"{made.file}.png" for made in wanted}
    words: dict[Made, str] = {}
    missing = []
    for made in wanted:
        there = _provenance(store.folder / files[made])
        if there.get("key") == keys[made]:
            words[made] = str(there["words"])
        else:
            missing.append(made)
    for made, (image, found) in _compute(net, store, missing).items():
        about = {"key": keys[made], "words": found, "computed": made.to_json()}
        update(store.folder / files[made], encode(image, "png", about))
        words[made] = found
    return files, words, len(missing)


def _picture_file(store: Store, request: Request) -> Path:
    (entry, *_) = store.finished([request])
    return store.folder / entry.file


def _bytes(store: Store, photo: Photo) -> str:
    """The checksum of the file of a photo."""
    path = photo.file if photo.request is None else _picture_file(store, photo.request)
    return checksum(path.read_bytes()) if path is not None and path.is_file() else ""


def _key(net: Network, made: Made, sources: Mapping[Photo, str]) -> str:
    """A name for all that decides a computed picture."""
    spec = net.require_input_spec().to_json()
    del spec["source"]
    return digest(
        {
            "version": VERSION,
            "network": net.identity.sha256,
            "input": spec,
            "photos": [sources[photo] for photo in made.photos],
            **made.to_json(),
        }
    )


def _provenance(path: Path) -> dict[str, Any]:
    """What a picture file says about itself; nothing where it is not there or damaged."""
    try:
        return decode(path.read_bytes())[1] or {}
    except (FileNotFoundError, UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return {}


class _Slopes:
    """Photos and their gradients, each computed once, all photos of a goal in one batch."""

    def __init__(self, net: Network, store: Store, wanted: Sequence[Made]):
        self.net = net
        self.images: dict[Photo, Array] = {}
        for made in wanted:
            for photo in made.photos:
                if photo not in self.images:
                    self.images[photo] = _read(net, store, photo, made.size)
        self._taps: dict[Request, list[str]] = {}
        for made in wanted:
            if made.goal is not None:
                taps = self._taps.setdefault(made.goal, [])
                taps += [made.tap] if made.tap and made.tap not in (*taps, IMAGE) else []
        self._found: dict[Request, dict[str, Array]] = {}

    def __call__(self, goal: Request, tap: str = IMAGE) -> Array:
        """The gradient of a goal by the photos or by a tap, a row for each photo."""
        if goal not in self._found:
            images = np.stack(list(self.images.values()))
            pre = goal.recipe.pre_activation
            _, found, _ = gradients(
                self.net, goal.objective, images, self._taps[goal], pre_activation=pre
            )
            self._found[goal] = found
        return self._found[goal][tap]

    def row(self, photo: Photo) -> int:
        return list(self.images).index(photo)


def _read(net: Network, store: Store, photo: Photo, size: tuple[int, int]) -> Array:
    if photo.request is None:
        assert photo.file is not None
        return read_photo(photo.file, size, net.channels)
    image, _ = decode(_picture_file(store, photo.request).read_bytes())
    return fitted(image, net.channels)


def _compute(net: Network, store: Store, wanted: Sequence[Made]) -> Results:
    slopes = _Slopes(net, store, wanted)
    return {made: _one(net, slopes, made) for made in wanted}


def _one(net: Network, slopes: _Slopes, made: Made) -> tuple[Image.Image, str]:
    """A picture and what was found out about it."""
    photo = slopes.images[made.photos[0]]
    if made.kind == "photo":
        return to_image(photo), ""
    if made.kind == "attribution":
        return _attributed(net, photo, made)
    assert made.goal is not None
    rows = [slopes.row(each) for each in made.photos]
    slope = slopes(made.goal, made.tap or IMAGE)[rows]
    if made.kind == "magnitude":
        return map_image(np.sqrt((slope**2).sum(-1)).mean(0)), ""
    if made.kind == "colours":
        return direction_image(decorrelated_colours(slope)[0]), ""
    return direction_image(steepest(made.kind, slope, photo[None])[0]), ""


def _attributed(net: Network, photo: Array, made: Made) -> tuple[Image.Image, str]:
    logits = net.require_logits().name
    scores = net.activations(tf.constant(photo[None]), [logits])[logits]
    top = int(np.argmax(scores.numpy()))
    found = attribution(net, logit(top), photo[None], made.tap)[0]
    return heat_image(photo, found), f"The top class of the photo is {class_words(net, top)}."
