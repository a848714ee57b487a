"""A folder of small images, among them two that cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SIZE = (19, 22)
COUNT = 23


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """23 pictures of odd sizes and contrasts, ``05.png`` and ``17.png`` damaged."""
    folder = tmp_path_factory.mktemp("photos")
    for i in range(COUNT):
        draw = np.random.default_rng(i)
        small = draw.integers(0, 256, (4 + i % 3, 5, 3), np.uint8)
        image = Image.fromarray(small).resize((24 + i, 31), Image.Resampling.BICUBIC)
        image.save(folder / f"{i:02d}.png")
    (folder / "05.png").write_bytes(b"this is not a picture")
    (folder / "17.png").write_bytes((folder / "16.png").read_bytes()[:90])
    return folder
