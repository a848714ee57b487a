"""``kerasviz ablate``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Run = Callable[..., Any]
SMALL = ("--preprocess", "inception", "--size", 24, "--batch", 4, "--images", "photos")


def make_photos() -> None:
    draw = np.random.default_rng(0)
    for name in ("0/a.png", "3/b.png", "none/c.png"):
        path = Path("photos") / name
        path.parent.mkdir(parents=True)
        Image.fromarray(draw.integers(0, 256, (24, 24, 3), np.uint8)).save(path)


def test_units_and_weights_of_a_file(run_cli: Run, model_file: Path) -> None:
    make_photos()
    cut = ("--cut", "conv1", "conv2", "negative")
    ended = run_cli("ablate", model_file, "conv1:1", "conv2:0-1", *cut, *SMALL, "--out", "a")
    assert ended.code == 0, ended.notes
    lines = ended.out.splitlines()
    assert lines[0].startswith("top-1 accuracy ") and lines[1].startswith("top-5 accuracy 100.0 %")
    assert "folders that name no class: none" in lines
    assert lines[-1] == "open a/index.html" and Path("a/index.html").is_file()
    data = json.loads(run_cli("ablate", model_file, "conv1:1", *SMALL, "--json").out)
    assert data["page"] == "out/small-ablation/index.html"
    assert data["units"] == [{"tap": "conv1", "unit": 1, "level": 0.0}]


def test_errors_are_one_line(run_cli: Run, model_file: Path) -> None:
    make_photos()
    for arguments, line in (
        ((), "nothing to change"),
        (("conv1:6",), "conv1 has the units 0 to 5"),
        (("--cut", "conv1", "logits", "all"), "is not linear"),
    ):
        ended = run_cli("ablate", model_file, *arguments, *SMALL)
        assert ended.code != 0 and line in ended.notes and "Traceback" not in ended.notes
