"""``kerasviz trust``: numbers beside the pictures of a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Run = Callable[..., Any]
SMALL = ("--preprocess", "inception", "--size", "24x31", "--steps", 2, "--out", "p")


def test_numbers_are_printed_and_shown(
    run_cli: Run, model_file: Path, other_model_file: Path
) -> None:
    for seed in (0, 1):
        made = run_cli("render", model_file, "conv2:1", "logit:1", *SMALL, "--seed", seed)
        assert made.code == 0, made.err
    Path("photos").mkdir()
    for k in range(7):
        pixels = np.random.default_rng(k).integers(0, 256, (6, 7, 3), np.uint8)
        Image.fromarray(pixels).resize((40, 33)).save(f"photos/{k}.png")
    asked = ("trust", "p", "--images", "photos", "--size", 24)
    ended = run_cli(*asked)
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[0] == "conv2-1.png" and lines[1].split()[:2] == ["against", "photos"]
    assert lines[-1] == "wrote p/trust.json; open p/index.html"
    assert "between 2 pictures (other targets" in ended.out
    page = Path("p/index.html").read_text()
    assert "times the strongest of 7" in page and "kerasviz render" in page
    data = json.loads(run_cli(*asked, "--json").out)
    assert data["pictures"].keys() == {
        "conv2-1.png",
        "conv2-1-seed1.png",
        "logit-1.png",
        "logit-1-seed1.png",
    }
    assert data["pictures"]["conv2-1.png"]["natural"]["photos"] == 7


def test_bad_use_is_one_line(run_cli: Run, model_file: Path) -> None:
    run_cli("render", model_file, "conv2:1", *SMALL)
    for words, line in [
        (("p",), "agreement needs two: render with another --seed"),
        (("nowhere",), "holds no manifest.json"),
        (("p", "--images", "nowhere"), "no images at 'nowhere'"),
        (("p", "--judge", "nowhere"), "nowhere"),
        (("p", "--judge", "efficientnet-lite0"), "no picture of the folder shows a class"),
    ]:
        ended = run_cli("trust", *words)
        assert ended.code == 2 and line in ended.err and ended.err.count("\n") == 1, ended.err
    assert not Path("p/trust.json").exists()
