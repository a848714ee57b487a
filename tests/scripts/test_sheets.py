"""Numbers that look for spoilt pictures, on pictures that are known to be, and the sheet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sheets
from PIL import Image
from scipy.ndimage import gaussian_filter

from kerasviz.optvis.recipes import recipe


def textured(height: int = 97, width: int = 128) -> np.ndarray:
    """An image of one texture everywhere."""
    noise = np.random.default_rng(0).normal(size=(height, width, 3))
    blurred = gaussian_filter(noise, (1.5, 1.5, 0), mode="wrap")
    return np.clip(0.5 + 0.15 * blurred / blurred.std(), 0, 1).astype(np.float32)


def test_grey_a_frame_and_an_outlier_patch_are_seen_in_numbers() -> None:
    good = sheets.Look.of(textured())
    assert good.contrast > 0.05 and 0.8 < good.border < 1.25 and good.deviant < 12
    assert sheets.Look.of(0.1 * textured() + 0.4).contrast < 0.05
    framed = textured()
    framed[:12], framed[-12:], framed[:, :16], framed[:, -16:] = 0.5, 0.5, 0.5, 0.5
    assert sheets.Look.of(framed).border < 0.5
    spotted = textured()
    spotted[36:48, 40:48] = 0.0
    assert sheets.Look.of(spotted).deviant > 12


def test_layers_and_units_are_evenly_spaced() -> None:
    assert sheets.spaced(1000, 4) == [125, 375, 625, 875]
    assert sheets.spaced(3, 5) == [0, 1, 2]
    assert len(sheets.spaced(12, 5)) == 5


def test_recipes_are_asked_for_with_steps_and_a_size() -> None:
    assert sheets.asked("vit:9", 64) == recipe("vit").replace(steps=9, size=(64, 64))
    assert sheets.asked("fast", None) == recipe("fast")


def test_every_picture_is_drawn_at_its_recipe_and_unit() -> None:
    colours = {("a", 0): "red", ("b", 0): "lime", ("a", 1): "blue", ("b", 1): "yellow"}
    pictures = {
        name: [[Image.new("RGB", (40, 40), colours[name, row])] * 2 for row in (0, 1)]
        for name in ("a", "b")
    }
    drawn = sheets.drawn(pictures, [["unit 0", "unit 1"]] * 2, ["low", "high"])
    counts = {colour: n for n, colour in drawn.getcolors(1 << 20)}
    for rgb in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)):
        assert counts[rgb] == 2 * sheets.SIDE**2
    assert drawn.getpixel((60, 90)) == (255, 0, 0) and drawn.getpixel((60 + 114, 90)) == (0, 255, 0)


@pytest.mark.slow
def test_it_prints_a_table_and_draws_a_sheet(tmp_path: Path, models_folder: Path) -> None:
    command = [
        sys.executable,
        str(Path(sheets.__file__)),
        str(models_folder / "squeezenet1_1.onnx"),
    ]
    command += ["--recipes", "fast:1", "vivid:1", "--depths", "2", "--units", "4"]
    command += ["--size", "48", "--out", str(tmp_path)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = [line for line in printed.splitlines() if line.startswith(("| fast:1 ", "| vivid:1 "))]
    assert len(rows) == 4 and all(len(row.split("|")) == 8 for row in rows)
    assert Image.open(tmp_path / "sheet-squeezenet1_1.png").height > 2 * sheets.SIDE
