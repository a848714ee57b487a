"""Verdicts on logits whose answer is known, and the recipes that one may ask for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import quality
from PIL import Image

from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.progress import RenderProgress


def test_verdicts_agree_with_loops() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (8, 11)).astype(np.float32)
    classes = [3, 0, 10, 5, 5, 1, 2, 7]
    found = quality.Verdict.of(logits, classes)
    for i, k in enumerate(classes):
        row = [float(value) for value in logits[i]]
        assert found.places[i] == sorted(row, reverse=True).index(row[k])
        probability = np.exp(row[k]) / sum(np.exp(value) for value in row)
        assert found.evidence[i] == pytest.approx(np.log(probability))
    sure = quality.Verdict.of(np.array([[0.0, 500.0], [500.0, 0.0]]), [1, 1])
    assert sure.describe() == "0.50 / 1.00 (-250.00)"


def test_the_pace_is_that_after_the_first_report() -> None:
    pace = quality.Pace([(2.0, 100.0, 7.0), (4.0, 101.0, 7.5), (6.0, 110.0, 9.0)])
    assert pace.describe() == "2.50 / 0.50"
    assert quality.Pace().describe() == "-"
    pace(RenderProgress(5, 20, 10, 32, 64, 0.0, "logit:1"))
    assert pace.reports[-1][0] == 10


def test_recipes_are_asked_for_by_name_or_file_with_steps(tmp_path: Path) -> None:
    assert quality.asked("article:384", 96) == recipe("article").replace(steps=384, size=(96, 96))
    assert quality.asked("vivid", 160) == recipe("vivid").replace(size=(160, 160))
    file = tmp_path / "steep.json"
    file.write_text(json.dumps({"parameterization": {"kind": "fourier", "decay_power": 1.4}}))
    steep = quality.asked(f"{file}:7", 64)
    assert (steep.name, steep.steps, steep.parameterization.decay_power) == ("steep", 7, 1.4)


@pytest.mark.slow
def test_it_prints_a_table_and_draws_a_sheet(tmp_path: Path, models_folder: Path) -> None:
    command = [sys.executable, str(Path(quality.__file__)), "--models", str(models_folder)]
    command += ["--networks", "squeezenet", "--recipes", "fast:2", "vivid:2", "--classes", "2"]
    command += ["--seeds", "0", "1", "--size", "64", "--out", str(tmp_path)]
    table = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = [
        line for line in table.splitlines() if line.startswith(("| fast | 2 |", "| vivid | 2 |"))
    ]
    assert len(rows) == 2 and all(len(row.split("|")) == 8 for row in rows)
    assert Image.open(tmp_path / "sheet-squeezenet-vivid-2-float32.png").height > 64
