"""The article's network with random weights on the command line, as a user goes on from a fetch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

Run = Callable[..., Any]

UNITS = {
    "conv2d0": (5, 16, 26, 37, 48, 58),  # spaced evenly: the article names none
    "mixed3a": (43, 61, 139, 230, 239, 7),
    "mixed4a": (6, 41, 97, 143, 476, 492),
    "mixed4b": (465, 475, 504),
    "mixed4c": (211, 449, 450),
    "mixed4d": (28, 229, 516),
    "mixed4e": (167, 547, 815),
}


def test_it_is_ready(run_cli: Run, inceptionv1: str) -> None:
    rows = {row["name"]: row for row in json.loads(run_cli("models", "list", "--json").out)}
    assert rows[inceptionv1]["state"] == "ready"
    shown = [line.split() for line in run_cli("taps", inceptionv1, "--all").out.splitlines()]
    channels = {row[0]: row for row in shown if row}
    for name, count in (("mixed4a", "508"), ("mixed5b", "1024"), ("nn0", "1024")):
        assert any(field.endswith(count) for field in channels[name]), name


@pytest.mark.slow
def test_the_first_figure(run_cli: Run, inceptionv1: str) -> None:
    options = ("--recipe", "fast", "--steps", 4, "--size", 64, "--out", "set")
    ended = run_cli("figures", "hero", "--model", inceptionv1, *options)
    assert ended.code == 0, ended.err
    wanted = {f"{layer}-{unit}" for layer, units in UNITS.items() for unit in units}
    pictures = {p.stem: np.asarray(PIL.Image.open(p)) for p in Path("set/pictures").glob("*.png")}
    assert set(pictures) == wanted
    for name, picture in pictures.items():
        assert picture.shape == (64, 64, 3)
        assert picture.std() > 1, f"{name} is flat"
    assert len({picture.tobytes() for picture in pictures.values()}) == 30
    assert (Path("set") / "hero.png").is_file()
    assert run_cli("verify", "set").code == 0
