"""Pictures inside of HTML: their format, size on the screen, and bytes."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from kerasviz.rendering.notebook.embedded import BUDGET, EmbeddedImage, embed


def noise(height: int, width: int) -> Image.Image:
    draw = np.random.default_rng(height * width)
    return Image.fromarray(draw.integers(0, 256, (height, width, 3), np.uint8))


def opened(embedded: EmbeddedImage) -> Image.Image:
    head, _, data = embedded.uri.partition(",")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert head == f"data:image/{(image.format or '').lower()};base64"
    return image


def test_a_few_pictures_are_png_with_every_pixel() -> None:
    images = [noise(40, 61), noise(200, 131)]
    for image, embedded in zip(images, embed(images), strict=True):
        np.testing.assert_array_equal(np.asarray(opened(embedded)), np.asarray(image))


@pytest.mark.parametrize(
    ("size", "shown", "enlarged"),
    [
        ((24, 16), (120, 80), True),
        ((100, 128), (100, 128), False),
        ((640, 320), (320, 160), False),
        ((65, 65), (65, 65), False),
    ],
)
def test_small_ones_are_enlarged_and_large_ones_shrunk_on_the_screen(
    size: tuple[int, int], shown: tuple[int, int], enlarged: bool
) -> None:
    (embedded,) = embed([Image.new("RGB", size)])
    assert (embedded.width, embedded.height) == shown and embedded.is_enlarged == enlarged
    assert opened(embedded).size == size


def test_transparent_ones_are_marked() -> None:
    opaque, clear = embed([Image.new("RGB", (200, 9)), Image.new("RGBA", (24, 16))])
    assert opaque.classes == "" and opened(clear).mode == "RGBA"
    assert clear.classes == "kerasviz-pixels kerasviz-transparent"


@pytest.mark.parametrize(
    ("count", "side", "file_format", "file_side"),
    [(20, 128, "PNG", 128), (64, 128, "WEBP", 128), (64, 400, "WEBP", 96), (1, 1500, "WEBP", 1024)],
)
def test_many_or_large_ones_stay_within_the_budget(
    count: int, side: int, file_format: str, file_side: int
) -> None:
    embedded = embed([noise(side, side)] * count)
    assert sum(len(e.uri) for e in embedded) <= BUDGET
    image = opened(embedded[0])
    assert image.format == file_format and image.size == (file_side, file_side)
    assert embedded[0].width == min(side, 320)
