"""The page of one photo: what is under the pointer, sliders, and walking from unit to unit."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.analysed import of_keras

from kerasviz.figures.explain import make
from kerasviz.figures.explain.make import make_explanations

Open = Callable[..., Any]


def flat_units(net: Any, units: Iterable[str], folder: Path, *others: Any) -> dict[str, str]:
    """Pictures that cost nothing: one colour for each unit."""
    (folder / "pictures").mkdir()
    files = {}
    for k, unit in enumerate(dict.fromkeys(units)):
        files[unit] = f"pictures/{k}.png"
        Image.new("RGB", (24, 24), (10 * k % 256, 90, 200)).save(folder / files[unit])
    return files


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explained")
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(pixels).save(path / "photo.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make, "render_units", flat_units)
        make_explanations(
            of_keras(side=16),
            path / "photo.png",
            gradients=4,
            groups=3,
            out=path / "out",
            progress=False,
        )
    return path / "out"


def pixels(shown: Any) -> Any:
    return np.asarray(Image.open(io.BytesIO(shown.screenshot())).convert("RGB"), np.float64)


def colour(shown: Any) -> float:
    """How far a canvas is from grey."""
    found = pixels(shown)[8:-8, 8:-8]
    return float((found.max(-1) - found.min(-1)).mean())


def test_the_page_of_a_photo(folder: Path, open_page: Open) -> None:
    watched = open_page((folder / "photo.html").as_uri())
    page, data = watched.page, json.loads((folder / "photo.json").read_text())
    page.wait_for_selector("html[data-ready]")

    # What is under the pointer, and then beside it by the arrow keys.
    detail, shape = page.locator(".detail canvas"), np.shape(data["detail"]["sides"])
    detail.scroll_into_view_if_needed()
    box = detail.bounding_box()
    y, x = 3, 5
    detail.hover(
        position={
            "x": box["width"] * (x + 0.5) / shape[1],
            "y": box["height"] * (y + 0.5) / shape[0],
        }
    )
    for column in (x, x + 1):
        told = page.locator(".where").inner_text()
        assert told.startswith(f"{y},{column} contributes ")
        units = page.locator(".here b").all_inner_texts()
        assert units == [str(unit) for unit in data["detail"]["units"][y][column]]
        assert page.locator(".says li").count() == 4
        detail.press("ArrowRight")

    # Colours are drawn as strong as the slider says; the photo below is grey.
    first = page.locator("canvas[data-tap]").first
    page.locator("[name=opacity]").fill("0")
    assert colour(first) < 2
    page.locator("[name=opacity]").fill("100")
    strong = colour(first)
    assert strong > 20 and first.is_visible() and not page.locator(".map img").first.is_visible()
    page.locator("[name=most]").fill("50")
    assert colour(first) > 1.2 * strong

    # From a unit to one that it is built from, and back.
    now, start = page.locator(".walk .now"), page.locator(".walk .now").inner_text()
    partner = page.locator(".stage > div").first.locator("button:enabled").first
    name = partner.inner_text().strip()
    partner.click()
    assert now.inner_text() == name and now.evaluate("node => node === document.activeElement")
    page.locator(".stage > div").last.locator("button", has_text=start).click()
    assert now.inner_text() == start

    # Other panels: positions of two layers, the most active units, groups.
    later = page.locator(".pairs canvas").first
    later.hover(position={"x": 3, "y": 3})
    assert page.locator(".pairs output").inner_text().startswith("0,0: all together ")
    tap = data["detail"]["tap"]
    page.locator(".winners select").select_option(tap)
    page.locator(".winners canvas").hover(position={"x": 3, "y": 3})
    winner = data["winners"][tap][0][0]
    wanted = "no unit is active" if winner < 0 else f"{tap}:{winner} is most active"
    assert page.locator(".winners p output").inner_text() == wanted
    page.locator(".groups button").nth(1).hover()
    assert page.locator("[value=groups]").is_checked()
    assert all(address.startswith(("file://", "data:")) for address in watched.addresses)


def test_the_page_fits_a_phone(folder: Path, open_page: Open) -> None:
    page = open_page((folder / "photo.html").as_uri(), width=360, color_scheme="dark").page
    page.wait_for_selector("html[data-ready]")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
