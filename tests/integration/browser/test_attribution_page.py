"""A photo is dropped on the map: what decides the class, layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasviz.io.images import to_image
from kerasviz.network.input_spec import preset

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from support.axe import violations
from support.running_service import running, small_network

from kerasviz.service.settings import ServiceSettings
from kerasviz.zoo.model_source import ModelSource

#: How many pixels of a canvas are red, and how many blue.
COLOURS = """(canvas) => {
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let [red, blue] = [0, 0];
  for (let i = 0; i < pixels.length; i += 4)
    if (pixels[i + 3] > 10) pixels[i] > pixels[i + 2] ? (red += 1) : (blue += 1);
  return [red, blue];
}"""


def test_positions_and_units_speak_for_a_class_and_against_it(
    open_page: Callable[..., Any], tmp_path: Path
) -> None:
    model = small_network(tmp_path / "small.onnx", width=12)
    draw = np.random.default_rng(3)
    photo = tmp_path / "photo.png"
    to_image(draw.random((4, 4, 3)).repeat(16, 0).repeat(16, 1)).save(photo)
    reading = ModelSource(input_spec=preset("unit"))
    setting = ServiceSettings(tmp_path / "data", (str(model),), workers=0, reading=reading)
    with running(setting) as address:
        page = open_page(f"{address}/#/small").page
        page.set_default_timeout(120_000)
        page.locator(".flow .layer").first.wait_for()
        page.set_input_files("#picture-file", photo)
        part = page.get_by_role("region", name="What decides the class")
        rows = part.locator(".shares > li")
        rows.locator(".overlay canvas").first.wait_for()
        # The last layers come first; the class is the one that the network sees.
        assert rows.locator("h3").all_inner_texts() == ["wide", "mixed", "first"]
        choice = part.get_by_label("Class to explain")
        options = choice.locator("option").all_inner_texts()
        assert len(options) == 5 and options[0].startswith("class ")
        assert sum(float(one.split(" ")[-2]) for one in options) == pytest.approx(100, abs=3)
        rows.nth(1).locator(".overlay canvas").wait_for()
        before = rows.nth(1).locator("canvas").evaluate(COLOURS)
        assert sum(before) > 100
        tiles = rows.nth(1).locator(".tile")
        assert tiles.count() > 4
        assert " for it: " in tiles.first.get_attribute("title")
        assert " against it: " in tiles.last.get_attribute("title")
        assert violations(page) == []
        # Another class; units lead to their pages.
        choice.select_option(index=4)
        page.wait_for_timeout(300)
        rows.nth(1).locator(".overlay canvas").wait_for()
        assert rows.nth(1).locator("canvas").evaluate(COLOURS) != before
        part.get_by_label("Another class").fill("7")
        part.get_by_label("Another class").press("Tab")
        part.get_by_text("No class is called 7.").wait_for()
        name = tiles.first.get_attribute("title").split(": ")[0].split(" ")[0]
        tiles.first.click()
        page.locator("h1", has_text=name).wait_for()
        page.context.close()
