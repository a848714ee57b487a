"""The photos that commands of pages read: those that come with scikit-image, and crops of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

NAMES = ("chelsea", "coffee", "astronaut", "rocket")
#: Crops of each photo, and their side in pixels.
CROPS = 30
SIDE = 128


def write_photos(folder: Path) -> None:
    """Write the photos into a new folder."""
    from skimage import data

    folder.mkdir()
    for photo in NAMES:
        Image.fromarray(getattr(data, photo)()).save(folder / f"{photo}.png")


def write_crops(folder: Path) -> None:
    """Write random crops of each photo into a folder of its name, all in a new folder."""
    from skimage import data

    for number, name in enumerate(NAMES):
        pixels = getattr(data, name)()
        (folder / name).mkdir(parents=True)
        draw = np.random.default_rng(number)
        for k in range(CROPS):
            top, left = (int(draw.integers(0, length - SIDE + 1)) for length in pixels.shape[:2])
            part = Image.fromarray(pixels[top : top + SIDE, left : left + SIDE])
            part.save(folder / name / f"{k:02d}.png")
