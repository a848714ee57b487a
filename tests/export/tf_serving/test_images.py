"""Encoded images in a graph against Pillow."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasviz.export.tf_serving.images import decoded, encoded
from kerasviz.io.images import to_image
from kerasviz.rendering.photos import read_photo


def drawn(mode: str, size: tuple[int, int]) -> Image.Image:
    """Smooth waves with some noise: not all frequencies are those of noise."""
    y, x = np.mgrid[: size[1], : size[0]]
    noise = np.random.default_rng(2).normal(0, 6, (*y.shape, 3))
    waves = np.stack([np.sin(x / 5), np.cos(y / 7), np.sin((x + y) / 9)], -1)
    image = Image.fromarray(np.clip(128 + 90 * waves + noise, 0, 255).astype(np.uint8))
    return image.convert(mode)


@pytest.mark.parametrize(
    ("mode", "kind", "size"),
    [
        ("RGB", "PNG", (61, 40)),
        ("L", "PNG", (30, 90)),
        ("RGBA", "PNG", (20, 20)),
        *[("RGB", "JPEG", size) for size in ((64, 48), (17, 31))],
    ],
)
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_decoded_as_photos_are(
    tmp_path: Path, mode: str, kind: str, size: tuple[int, int], channels: int
) -> None:
    path = tmp_path / "photo"
    drawn(mode, size).save(path, kind)
    want = read_photo(path, (24, 33), channels)
    found = decoded([path.read_bytes()], (24, 33), channels).numpy()
    assert found.shape == (1, 24, 33, channels)
    # Pillow rounds to 8 bits after each direction, and enlarges a JPEG's colours otherwise.
    assert np.abs(found[0] - want).max() < 6 / 255
    assert np.abs(found[0] - want).mean() < 1.5 / 255


def test_images_of_all_sizes_in_one_batch() -> None:
    files = []
    for size in ((40, 20), (11, 13)):
        buffer = io.BytesIO()
        drawn("RGB", size).save(buffer, "PNG")
        files.append(buffer.getvalue())
    both = decoded(files, (15, 9), 3).numpy()
    for k, file in enumerate(files):
        np.testing.assert_array_equal(both[k], decoded([file], (15, 9), 3).numpy()[0])


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 7])
def test_encoded_pixels_are_those_of_files(channels: int) -> None:
    images = np.random.default_rng(0).uniform(-0.1, 1.1, (2, 9, 14, channels)).astype(np.float32)
    images[0, 0, :4, 0] = [0.5 / 255, 1.5 / 255, 254.5 / 255, 1.0]  # halves go to even numbers
    for image, file in zip(images, encoded(images).numpy(), strict=True):
        found = np.asarray(Image.open(io.BytesIO(file))).astype(int)
        want = np.asarray(to_image(image)).astype(int)
        if channels in (1, 3):
            np.testing.assert_array_equal(found, want)
        else:  # the mean of a third is rounded in another order
            assert np.abs(found - want).max() <= 1
