"""A small network that is exported once, and what it answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support import tiny
from support.served import GOOD, ROWS, Asked, Served, ask, columns

from kerasviz.export.tf_serving import ExportSettings, export
from kerasviz.io.images import encode, to_image
from kerasviz.optvis.recipes import recipe


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """tiny with three taps; relu1 needs redirected gradients; groups of two; odd sizes."""
    net = tiny.network()
    setting = ExportSettings(
        taps=("joined", "relu1", "logits"),
        recipe=recipe("article").replace(size=(13, 17)),
        steps_max=20,
        group=2,
        image_size=(21, 33),
    )
    return Served(net, setting, export(net, tmp_path_factory.mktemp("served"), setting))


@pytest.fixture(scope="session")
def photos() -> tuple[list[bytes], Any]:
    """Three images as PNG files, and as numbers [3, 19, 26, 3]."""
    pixels = np.random.default_rng(3).integers(0, 256, (3, 19, 26, 3)) / 255
    return [encode(to_image(image), "png") for image in pixels], pixels.astype(np.float32)


@pytest.fixture(scope="session")
def answers(
    served: Served, photos: tuple[list[bytes], Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What the export answers, by what it was asked: all requests go to one process."""
    files, x = photos
    asked: dict[str, Asked] = {
        "rows": ("visualize", columns(ROWS)),
        "png": ("visualize_png", columns(ROWS)),
        "no rows": ("visualize_png", columns(ROWS[:0])),
        **{f"row {k}": ("visualize", columns([ROWS[k]])) for k in GOOD},
        "own": ("serving_default", {"image": 2 * x - 1}),
        "files": ("serving_bytes", {"image_bytes": np.array(files, object)}),
        "file": ("serving_bytes", {"image_bytes": np.array(files[1:2], object)}),
        "taps": ("activations", {"images": x}),
    }
    found = ask(served.path, list(asked.values()), tmp_path_factory.mktemp("asking"))
    return dict(zip(asked, found, strict=True))
