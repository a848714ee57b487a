"""Photos of two kinds in folders of classes, and a folder of pictures of a small network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kerasviz
from support import tiny

NET = tiny.network()
OTHER = tiny.network(seed=1, name="other")


def stripes(seed: int, upright: bool) -> Image.Image:
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[0:40, 0:44]
    wave = np.sin((x if upright else y) * 1.3)[..., None] * [0.5, 0.4, -0.3]
    image = 0.5 + 0.5 * wave + draw.normal(0, 0.1, (40, 44, 3))
    return Image.fromarray((np.clip(image, 0, 1) * 255).astype(np.uint8))


@pytest.fixture(scope="session")
def class_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photos of goldfish with upright stripes, six of castles with level ones; one damaged."""
    folder = tmp_path_factory.mktemp("classes")
    for name, upright in (("goldfish", True), ("castle", False)):
        (folder / name).mkdir()
        for k in range(6):
            stripes(k + 10 * upright, upright).save(folder / name / f"{k}.png")
    (folder / "castle" / "none.png").write_bytes(b"this is not a picture")
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures of each of four targets."""
    out = tmp_path_factory.mktemp("made") / "pictures"
    targets = ["joined:2", "-relu1:1", "left:1 + right:0", "logit:goldfish"]
    for seed in (0, 1):
        kerasviz.render(NET, targets, size=(33, 36), steps=3, seed=seed, out=out, progress=False)
    return out
