"""Folders of photos, one for each facet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def write_themes(folder: Path, colours: dict[str, tuple[int, int, int]], count: int = 6) -> Path:
    """Write noisy photos of one colour into a folder for each theme."""
    for name, colour in colours.items():
        (folder / name).mkdir(parents=True)
        for k in range(count):
            noise = np.random.default_rng(k).integers(-40, 40, (24, 26, 3))
            pixels = np.clip(noise + colour, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{k}.png")
    return folder


@pytest.fixture(scope="session")
def themes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red and blue photos, and green ones that belong to no facet."""
    folder = tmp_path_factory.mktemp("facets") / "themes"
    write_themes(folder, {"blue": (60, 60, 200), "red": (200, 60, 60)})
    for k in range(3):
        Image.new("RGB", (30, 30), (60, 200 + 9 * k, 60)).save(folder / f"green{k}.png")
    return folder
