"""Lay contributions of positions over a photo: orange raises, blue lowers."""

from __future__ import annotations

import numpy as np
from PIL import Image

from kerasviz.io.images import to_image
from kerasviz.types import Array

#: The colours of contributions above and below 0.
RAISING = (255, 140, 0)
LOWERING = (20, 110, 255)
#: The share of its brightness that the photo keeps below the colours.
DIMMED = 0.55
#: The most opaque colour.
OPAQUE = 0.8
#: The percentile of |contributions| that is drawn most opaque.
PERCENTILE = 99


def overlay(photo: Array, contributions: Array) -> Image.Image:
    """Draw contributions [h, w] over a photo [H, W, C] in [0, 1].

    The photo is grey and dim, so that colours are those of the contributions. Their opacity grows
    with the size up to the 99th percentile.

    >>> drawn = overlay(np.ones((8, 8, 3)), np.array([[1.0, -1.0]]))
    >>> drawn.size, drawn.getpixel((0, 0))[0] > drawn.getpixel((7, 0))[0]
    ((8, 8), True)
    """
    height, width = photo.shape[:2]
    most = float(np.percentile(np.abs(contributions), PERCENTILE)) or 1.0
    shares = Image.fromarray(np.clip(contributions / most, -1, 1).astype(np.float32))
    large = np.asarray(shares.resize((width, height), Image.Resampling.BICUBIC))
    strength = OPAQUE * np.clip(np.abs(large), 0, 1)[..., None]
    grey = DIMMED * 255 * photo.mean(-1, keepdims=True)
    colours = np.where(large[..., None] >= 0, RAISING, LOWERING)
    mixed = (1 - strength) * grey + strength * colours
    return to_image(np.clip(mixed / 255, 0, 1))


def plain(photo: Array) -> Image.Image:
    """Return a photo [H, W, C] in [0, 1] as a picture in colour."""
    return to_image(np.repeat(photo, 3, -1) if photo.shape[-1] == 1 else photo)


def coloured(photo: Array, colours: Array, strengths: Array) -> Image.Image:
    """Draw colours [h, w, 3], bytes, over a photo [H, W, C] in [0, 1], as opaque as [h, w] says.

    >>> red = np.full((1, 1, 3), [255, 0, 0], np.uint8)
    >>> coloured(np.zeros((4, 4, 3)), red, np.ones((1, 1))).getpixel((0, 0))
    (204, 0, 0)
    """
    size = photo.shape[1::-1]
    opaque = np.clip(strengths, 0, 1)[..., None]
    # As transparent as they are, so that the colours of clear cells do not show at their edges.
    parts = np.concatenate([colours * opaque, opaque], -1).astype(np.float32)
    layers = [Image.fromarray(part) for part in np.moveaxis(parts, -1, 0)]
    large = np.stack([np.asarray(x.resize(size, Image.Resampling.BILINEAR)) for x in layers], -1)
    grey = DIMMED * 255 * photo.mean(-1, keepdims=True)
    mixed = (1 - OPAQUE * large[..., 3:]) * grey + OPAQUE * large[..., :3]
    return to_image(np.clip(mixed / 255, 0, 1))
