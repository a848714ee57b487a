"""Verdicts on logits whose answer is known, and the recipes that one may ask for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import quality
import quality_lucent
from PIL import Image

import kerasviz
from kerasviz.examples.trust.transfer import guess_of
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.progress import RenderProgress


def test_verdicts_agree_with_loops() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (8, 11)).astype(np.float32)
    classes = [3, 0, 10, 5, 5, 1, 2, 7]
    found = quality.Verdict.of([*map(guess_of, logits, classes)])
    for i, k in enumerate(classes):
        row = [float(value) for value in logits[i]]
        assert found.places[i] == sorted(row, reverse=True).index(row[k])
        probability = np.exp(row[k]) / sum(np.exp(value) for value in row)
        assert found.evidence[i] == pytest.approx(np.log(probability))
    rows = np.array([[0.0, 500.0], [500.0, 0.0]])
    sure = quality.Verdict.of([guess_of(row, 1) for row in rows])
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


def test_classes_are_the_first_of_the_list_or_those_named() -> None:
    assert quality.chosen_classes(quality.parsed(["--classes", "3"])) == quality.CLASSES[:3]
    assert quality.chosen_classes(quality.parsed(["--only", "7", "2"])) == (7, 2)
    assert quality.parsed([]).recipes[:2] == ["article:384", "lucid"]
    with pytest.raises(SystemExit, match="1 to 20"):
        quality.parsed(["--classes", "21"])


def test_units_are_compared_by_what_they_reach_before_the_relu(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = kerasviz.load("efficientnet-lite0")
    layers = quality.layers_of(net)
    assert len(set(layers)) == len(quality.LAYERS) and set(layers) <= set(net.main_taps)
    image = np.random.default_rng(1).uniform(size=(1, 40, 40, 3)).astype(np.float32)
    tap = layers[0]
    name = net.taps[tap].pre_relu or tap
    activations = np.asarray(net.activations(image, [name])[name])
    found = quality.mean_before_relu(net, image, tap, 5)
    assert found == pytest.approx(activations[0, :, :, 5].mean(), rel=1e-5)
    recipes = [quality.asked("fast:1", 40), quality.asked("fast:4", 40)]
    quality.reached(net, recipes, 1, tmp_path, ["one", "four"])
    first, second = capsys.readouterr().out.splitlines()[-3:-1]
    assert set(first.split("|")[2:-1]) == {" 1.000 "}
    assert second.startswith("| four | ") and second != first.replace("one", "four")


@pytest.mark.parametrize(
    ("worker", "message"),
    [
        ("raise SystemExit('no such thing')", "did not start"),
        ('print(\'{"version": "1", "differs": 0.5}\')', "logits differ"),
        ('print(\'{"version": "1", "differs": 0}\'); raise SystemExit(3)', "ended with 3"),
    ],
)
def test_why_lucent_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker: str, message: str
) -> None:
    program = tmp_path / "worker.py"
    program.write_text(worker)
    monkeypatch.setattr(quality_lucent, "WORKER", program)
    made = quality_lucent.Lucent(tmp_path, "torch", 2, 40)
    with pytest.raises(RuntimeError, match=message):
        made._run(Path(sys.executable), {})


def test_lucent_is_timed_by_the_pictures_that_it_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "worker.py"
    lines = [{"version": "0.1.8", "differs": 1e-6}, {"seconds": 4, "cpu": 2}]
    lines.append({"seconds": 5, "cpu": 3})
    program.write_text(f"import json\nfor line in {lines}: print(json.dumps(line))")
    monkeypatch.setattr(quality_lucent, "WORKER", program)
    made = quality_lucent.Lucent(tmp_path, "torch", 2, 40)
    assert made._run(Path(sys.executable), {}) == ("lucent 0.1.8", "4.50 / 2.50")


def test_lucent_is_told_the_input_of_the_network(tmp_path: Path) -> None:
    net = kerasviz.load("efficientnet-lite0")
    made = quality_lucent.Lucent(tmp_path, "torch", 2, 40)
    task = made._task(net, "a.onnx", [(3, 1, tmp_path / "3.png")])
    assert task["pictures"] == [[3, 1, str(tmp_path / "3.png")]] and task["bgr"] is False
    with np.load(task["reference"]) as known:
        assert known["image"].shape == (1, 40, 40, 3) and known["logits"].shape == (1, 1000)
    assert json.loads(json.dumps(task)) == task


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
