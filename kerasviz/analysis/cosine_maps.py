"""Compare the activations at one position of a layer with those at every other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from kerasviz.errors import UsageError
from kerasviz.io.images import to_image
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of
from kerasviz.types import Array

#: What is added to the norms of vectors (lucid's notebooks on activation grids).
EPSILON = 1e-4
#: The opacity of the darkest place of an overlay.
DIMMED = 0.75


def cosine_maps(
    net: Network,
    tap: str,
    photo: Array,
    position: tuple[int, int] | None = None,
    others: Sequence[Array] = (),
) -> list[Array]:
    """Return where a layer sees the same as at one position of a photo.

    With v for the activations at the position it is A . v / ((|A| + e) (|v| + e)) for those at
    every position, e = 1e-4.

    Args:
        net: The network.
        tap: The name of a layer with positions (y, x).
        photo: [H, W, C] in [0, 1].
        position: (y, x) in the layer, negative from the end; the centre by default.
        others: Further photos, in sizes of their own, in which v of the first is looked for.

    Returns:
        A map [h, w] in [-1, 1] for the photo and each of the others.

    Raises:
        UsageError: For a layer without positions (y, x), and a position outside.

    Example:
        >>> photo = np.random.default_rng(0).uniform(size=(16, 16, 3)).astype(np.float32)
        >>> (found,) = cosine_maps(net, "stem", photo, (2, 5))
        >>> found.shape, round(float(found[2, 5]), 2)
        ((14, 14), 1.0)

    Reference:
        Olah et al., "The Building Blocks of Interpretability" (Distill 2018), and its notebooks.
    """
    place = positions_of(net, tap, photo.shape[:2])
    if len(place.extent) != 2:
        raise UsageError(f"{tap}: no map with positions (y, x); name a layer of convolutions")
    point = place.centre if position is None else place.index(position)
    activations = [
        np.asarray(net.activations(image[None].astype(np.float32), [tap])[tap], np.float64)[0]
        for image in (photo, *others)
    ]
    vector = activations[0][point]
    norm = np.linalg.norm(vector) + EPSILON
    return [a @ vector / ((np.linalg.norm(a, axis=-1) + EPSILON) * norm) for a in activations]


def cosine_overlay(photo: Array, cosines: Array) -> Image.Image:
    """Return a photo [H, W, C] in [0, 1] that is dark where cosines [h, w] are low.

    Cosines of 0 and less have the photo at a quarter of its brightness, those of 1 the photo as it
    is; in between the brightness grows with the square root.

    >>> cosine_overlay(np.ones((8, 12, 3)), np.eye(2)).getpixel((0, 0))
    (255, 255, 255)
    """
    height, width = photo.shape[:2]
    shares = Image.fromarray(np.clip(cosines, 0, 1).astype(np.float32))
    large = np.sqrt(np.asarray(shares.resize((width, height), Image.Resampling.BILINEAR)))
    return to_image(photo * (1 - DIMMED * (1 - large))[..., None])
