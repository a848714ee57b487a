"""``kerasviz explain``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Run = Callable[..., Any]
SMALL = ("--preprocess", "inception", "--gradients", 1, "--no-pictures")


def test_a_unit_of_a_photo_is_explained(run_cli: Run, model_file: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 30, 3), np.uint8)
    Image.fromarray(pixels).save("photo.png")
    ended = run_cli("explain", model_file, "photo.png", "--target", "conv2:1", *SMALL, "--out", "e")
    assert ended.code == 0, ended.notes
    first, last = ended.out.splitlines()
    assert first.startswith("photo: conv2:1 ") and "most by conv1:" in first
    assert last == "open e/photo.html" and Path("e/photo.html").is_file()
    data = run_cli("explain", model_file, "photo.png", "--target", "conv2:1", *SMALL, "--json")
    assert json.loads(data.out)["explanations"][0]["layers"][0]["tap"] == "conv1"


def test_errors_are_one_line(run_cli: Run, model_file: Path) -> None:
    Path("photo.png").write_text("none")
    for photo, line in (("photo.png", "cannot be read as a picture"), ("gone.png", "no photos at")):
        ended = run_cli("explain", model_file, photo, "--target", "conv2:1", *SMALL)
        assert ended.code != 0 and line in ended.notes and "Traceback" not in ended.notes
