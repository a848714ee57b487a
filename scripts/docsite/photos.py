"""The photos that commands of pages read: those that come with scikit-image."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

NAMES = ("chelsea", "coffee", "astronaut", "rocket")


def write_photos(folder: Path) -> None:
    """Write the photos into a new folder."""
    from skimage import data

    folder.mkdir()
    for photo in NAMES:
        Image.fromarray(getattr(data, photo)()).save(folder / f"{photo}.png")
