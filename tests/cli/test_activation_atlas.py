"""``kerasviz activation-atlas``: what it prints, and errors of one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.activation_atlases import conv_file, workers_here

Run = Callable[..., Any]


@pytest.fixture
def command(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, ...]:
    workers_here(monkeypatch)
    values = np.random.default_rng(0).uniform(size=(40, 4)).astype(np.float32)
    np.save(tmp_path / "values.npy", values)
    arguments = ("activation-atlas", conv_file(tmp_path), "first", "--preprocess", "unit")
    arguments += ("--activations", tmp_path / "values.npy", "--layout", "pca", "--steps", 2)
    return (*arguments, "--precision", "float32")


def test_an_atlas_of_activations(run_cli: Run, command: tuple[Any, ...], tmp_path: Any) -> None:
    place = ("--grids", "2", "--out", tmp_path / "out")
    ended = run_cli(*command, *place)
    assert ended.code == 0, ended.err
    first, second, last = ended.out.splitlines()
    assert first.startswith("40 activations, laid out by pca; cells: ")
    assert second.startswith("rendered ") and last == f"open {tmp_path}/out/index.html"
    again = json.loads(run_cli(*command, *place, "--json").out)
    assert again["made"] == 0 and again["activations"] == 40 and again["layout"] == "pca"
    assert sum(again["grids"].values()) == again["icons"]


def test_errors(run_cli: Run, command: tuple[Any, ...]) -> None:
    for options, words in (
        (("--grids", "ten"), "expected cells along each side such as 10,20,40"),
        (("--images", "photos"), "give either --images"),
        (("--address", "auto"), "--address is for Ray"),
    ):
        ended = run_cli(*command, *options)
        assert ended.code == 2 and words in ended.notes and ended.notes.count("\n") == 1
