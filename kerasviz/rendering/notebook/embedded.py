"""Embed pictures in HTML as data URIs, at a size that a notebook can carry."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from kerasviz.io.images import encode, opacity_of

#: Bytes of HTML that the pictures of one view take, at most: notebooks are kept in git, and GitHub
#: shows none above some MB.
BUDGET = 1_500_000
#: Sides in pixels below which pictures are enlarged without smoothing, by whole factors.
SMALLEST = 128
#: The largest width and height of a picture on the screen, in pixels; the file keeps its own size.
LARGEST = 320
#: How pictures are embedded, the first that fits: the format, and the longer side in pixels.
WAYS = (("png", None), ("webp", None), ("webp", 1024), ("webp", 512), ("webp", 256), ("webp", 96))
#: Bytes that a pixel takes at least, to skip ways that cannot fit.
LEAST = {"png": 0.5, "webp": 0.05}


@dataclass(frozen=True)
class EmbeddedImage:
    """Hold a picture as data URI, with its width and height on the screen in pixels."""

    uri: str
    width: int
    height: int
    is_enlarged: bool
    is_transparent: bool = False

    @property
    def classes(self) -> str:
        """Return the classes of the image, for the styles of the view."""
        kinds = {"pixels": self.is_enlarged, "transparent": self.is_transparent}
        return " ".join(f"kerasviz-{kind}" for kind, holds in kinds.items() if holds)


def embed(images: Sequence[Image.Image], budget: int = BUDGET) -> list[EmbeddedImage]:
    """Embed pictures as PNG at their own size; as WebP, then smaller, if they exceed the budget.

    ``budget`` are bytes of HTML for all pictures together; the last of ``WAYS`` may exceed it.
    """
    uris: list[str] = []
    for file_format, side in WAYS:
        smaller = [image if side is None else reduced(image, side) for image in images]
        pixels = sum(math.prod(image.size) for image in smaller)
        if pixels * LEAST[file_format] > budget and side != WAYS[-1][1]:
            continue
        uris = [data_uri(image, file_format) for image in smaller]
        if sum(map(len, uris)) <= budget:
            break
    return [_placed(image, uri) for image, uri in zip(images, uris, strict=True)]


def data_uri(image: Image.Image, file_format: str) -> str:
    """Return a picture as data URI of the format ``png`` or ``webp``."""
    data = base64.b64encode(encode(image, file_format)).decode("ascii")
    return f"data:image/{file_format};base64,{data}"


def reduced(image: Image.Image, side: int) -> Image.Image:
    """Return a picture whose longer side has at most ``side`` pixels."""
    smaller = image.copy()
    smaller.thumbnail((side, side))
    return smaller


def _placed(image: Image.Image, uri: str) -> EmbeddedImage:
    width, height = image.size
    factor = SMALLEST // max(image.size)
    transparent = opacity_of(image) is not None
    if factor > 1:
        return EmbeddedImage(uri, factor * width, factor * height, True, transparent)
    shrunk = min(1.0, LARGEST / max(image.size))
    size = round(shrunk * width), round(shrunk * height)
    return EmbeddedImage(uri, *size, False, transparent)
