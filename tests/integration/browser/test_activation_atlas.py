"""The map of an activation atlas in a browser: thousands of icons, zoom, hover, keys, classes."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import tiny

from kerasviz.analysis.atlas_cells import cell_means, find_cells
from kerasviz.atlas.activations.definition import ActivationAtlas
from kerasviz.atlas.activations.icons import IconGrid
from kerasviz.atlas.activations.page import GridFiles, grid_data, write_page
from kerasviz.atlas.activations.points import AtlasClasses
from kerasviz.atlas.activations.samples import ActivationSamples
from kerasviz.atlas.activations.sheets import CROP, write_sheets
from kerasviz.atlas.definition import Atlas
from kerasviz.optvis.recipes import recipe

GRIDS = (9, 36, 72)
ICON = 48


def colour(row: int, column: int) -> tuple[int, int, int]:
    return 60 + 37 * (row % 5), 60 + 37 * (column % 5), 120


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with 72 x 72 icons, each with six activations."""
    out = tmp_path_factory.mktemp("map")
    side = np.arange(72)
    places = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2).repeat(6, 0) / 72 + 0.004
    draw = np.random.default_rng(0)
    shares = draw.uniform(0, 1, (len(places), 5)).astype(np.float16)
    shares[:, 2] += 3 * (places[:, 0] < 0.25)
    positions = np.stack([np.arange(len(places)), *np.zeros((2, len(places)))], 1)
    samples = ActivationSamples(draw.uniform(0, 1, (len(places), 6)), shares, positions)
    store: Any = SimpleNamespace(copy=lambda path, data: path.write_bytes(data))
    data = []
    for grid in GRIDS:
        cells = find_cells(places, grid, 5)

        def icon(k: int, cells: Any = cells) -> Image.Image:
            return Image.new("RGB", (ICON, ICON), colour(cells.rows[k], cells.columns[k]))

        icons = write_sheets(store, out, f"icons-{grid}", len(cells), icon)
        crop = Image.new("RGB", (CROP, CROP), (10, 200, 10))
        crops = write_sheets(store, out, f"crops-{grid}", 3, lambda _, crop=crop: crop)
        icon_grid = IconGrid(cells, cell_means(samples.values, cells), ())
        files = GridFiles(icons, (ICON, ICON), crops, [[0, 1, 2]] * len(cells))
        data.append(grid_data(icon_grid, files, samples, ()))
    net = tiny.network(input_spec=tiny.preset("unit"))
    net = replace(net, labels=tuple(tiny.LABELS))
    work = Atlas({}, None, (), recipe("fast").replace(size=(ICON, ICON)))  # type: ignore[arg-type]
    atlas = ActivationAtlas(work, "relu1", "", "pca", AtlasClasses(), GRIDS)
    return write_page(out, net, atlas, samples, data, ())


def settled(page: Any) -> None:
    page.wait_for_function("drawn && drawn.images.every((image) => image.ready) && !waiting")


def pixel(page: Any, x: float, y: float) -> tuple[int, ...]:
    with Image.open(io.BytesIO(page.screenshot())) as image:
        return image.convert("RGB").getpixel((round(x), round(y)))  # type: ignore[return-value]


def middle(page: Any, row: int, column: int) -> tuple[float, float]:
    """Where the middle of a cell of the grid that is shown lies in the window."""
    x, y = page.evaluate(
        "([row, column]) => { const box = canvas.getBoundingClientRect(), cell = view.side / "
        "drawn.grid; return [box.x + view.left + (column + .5) * cell, "
        "box.y + view.top + (row + .5) * cell]; }",
        [row, column],
    )
    return x, y


def test_the_map(page: Path, open_page: Callable[..., Any]) -> None:
    watched = open_page(page.as_uri())
    window = watched.page
    settled(window)
    assert window.evaluate("drawn.grid") == 9
    # 5,184 icons, as small as they are, each with its colour and the rest beside the map
    window.get_by_text("72", exact=True).click()
    settled(window)
    assert window.evaluate("drawn.counts.length") == 72 * 72
    for row, column in ((3, 4), (40, 66), (71, 0)):
        found = pixel(window, *middle(window, row, column))
        assert np.abs(np.subtract(found, colour(row, column))).max() < 30, (row, column)
    # hovering tells of a cell
    window.mouse.move(*middle(window, 40, 10))
    panel = window.locator("#cell")
    assert panel.get_attribute("data-cell") == "72:40,10"
    assert "6 activations" in panel.inner_text() and panel.locator(".crops i").count() == 3
    assert "castle" in panel.locator("li").first.inner_text()
    # zooming by the wheel keeps the cell under the pointer, and by zoom grids get finer
    x, y = middle(window, 40, 10)
    for _ in range(6):
        window.mouse.wheel(0, -240)
    window.wait_for_function("view.side / 72 > 100")
    settled(window)
    assert np.hypot(*np.subtract(middle(window, 40, 10), (x, y))) < 0.6 * window.evaluate(
        "view.side / 72"
    )
    assert np.abs(np.subtract(pixel(window, *middle(window, 40, 10)), colour(40, 10))).max() < 12
    window.get_by_text("by zoom").click()
    window.get_by_role("button", name="Fit").click()
    settled(window)
    assert window.evaluate("drawn.grid") == 9
    # keys walk, and keep a cell until Esc
    window.locator("#map").focus()
    window.keyboard.press("ArrowRight")
    window.keyboard.press("ArrowRight")
    row, column = panel.get_attribute("data-cell").split(":")[1].split(",")
    assert (row, column) == ("4", "5")
    window.keyboard.press("Escape")
    assert panel.get_attribute("data-cell") is None
    # only the cells of a class stay visible
    window.locator("#class").fill("castle")
    assert window.evaluate("[...grids].every((grid) => grid.mask)")
    assert all(address.startswith("file:") for address in watched.addresses)


def test_a_phone(page: Path, open_page: Callable[..., Any]) -> None:
    window = open_page(page.as_uri(), 390, 800, color_scheme="dark").page
    settled(window)
    assert window.evaluate("document.documentElement.scrollWidth") <= 390
    window.locator("#map").click()
    assert window.locator("#cell h2").count() == 1
