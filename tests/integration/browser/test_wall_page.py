"""The wall of a layer: sorted, chosen, walked, and found again at its address."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from support.running_service import WIDE, running, small_network
from wall_times import MOST_BYTES, Traffic

from kerasviz.network.input_spec import preset
from kerasviz.service.settings import ServiceSettings
from kerasviz.zoo.model_source import ModelSource

Visit = Callable[..., Any]
#: Milliseconds that anything may take.
PATIENCE = 60_000


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[str]:
    """A service without workers; it is not started without a browser."""
    folder = tmp_path_factory.mktemp("walls")
    model = small_network(folder / "small.onnx")
    reading = ModelSource(input_spec=preset("unit"))
    with running(ServiceSettings(folder / "data", (str(model),), workers=0, reading=reading)) as at:
        yield at


@pytest.fixture
def visit(open_page: Visit, address: str) -> Visit:
    """Open the wall of a layer."""

    def visit(layer: str, query: str = "", **options: Any) -> Any:
        place = f"#/small/layer?layer={quote(layer, safe='')}{query}"
        page = open_page(f"{address}/{place}", **options).page
        page.set_default_timeout(PATIENCE)
        page.locator(".tile").first.wait_for()
        return page

    return visit


def numbers(page: Any) -> list[int]:
    """The units of the wall that are in the document, in order."""
    found: list[int] = page.locator(".wall .tile").evaluate_all(
        "tiles => tiles.map(tile => Number(tile.dataset.unit))"
    )
    return found


def ordered(page: Any, words: str) -> None:
    """Wait until the page says how the wall is ordered."""
    page.locator(".ordered", has_text=words).wait_for()


def test_buttons_say_how_many_units_they_mean_and_how_long_they_take(
    visit: Visit, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def paced(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "pace": 1e-6})

    page = visit("wide", height=500)
    whole = page.locator(".actions button", has_text="Render all")
    page.locator(".actions .main", has_text=re.compile(r"^Render \d+ units in view$")).wait_for()
    assert whole.inner_text() == f"Render all {WIDE:,}"  # nobody knows how long
    page.route("**/layer?*", paced)
    page.reload()
    page.locator(".actions button", has_text="Render all").wait_for()
    page.get_by_label("Steps").fill("100")
    page.get_by_label("Size").fill("50")
    page.get_by_label("Size").press("Tab")
    minutes = round(1e-6 * 100 * 2500 * WIDE / 60)
    whole = page.locator(".actions button", has_text=f"about {minutes} minutes")
    whole.wait_for()
    assert whole.inner_text() == f"Render all {WIDE:,}, about {minutes} minutes"


def test_a_wall_is_sorted_and_its_order_is_in_the_address(visit: Visit, address: str) -> None:
    page = visit("mixed")
    ordered(page, "10 units, by number.")
    page.get_by_label("Sort by").select_option("likeness")
    ordered(page, "10 units, by likeness to unit 0.")
    page.get_by_label("Like unit").fill("4")
    page.get_by_label("Like unit").press("Enter")
    ordered(page, "by likeness to unit 4")
    order = numbers(page)
    asked = page.request.get(
        f"{address}/api/networks/small/wall?layer=mixed&sort=likeness&like=4"
    ).json()
    assert order == asked["units"] and order[0] == 4 and order != sorted(order)
    assert page.locator(".tile .amount").first.inner_text() == "1.00"
    page.reload()  # the address has all of it
    ordered(page, "by likeness to unit 4")
    assert numbers(page) == order
    # A unit that was looked at is what others are compared with.
    page.goto(f"{address}/#/small/unit?layer=first&unit=3")
    page.get_by_role("heading", level=1, name="first:3").wait_for()
    page.goto(f"{address}/#/small/layer?layer=mixed")
    page.get_by_label("Sort by").select_option("connection")
    ordered(page, "by the weights between them and first:3")
    assert page.locator(".tile .amount").first.inner_text().endswith(" %")
    page.get_by_label("Sort by").select_option("peak")
    ordered(page, "drop a folder of photos on this page")
    page.get_by_label("Units", exact=True).fill("3-5")
    page.get_by_label("Units", exact=True).press("Enter")
    ordered(page, "3 units, by number")
    assert numbers(page) == [3, 4, 5]
    page.goto("about:blank")


def test_a_photo_sorts_the_wall_and_is_in_the_address(visit: Visit, tmp_path: Path) -> None:
    from PIL import Image

    draw = np.random.default_rng(0)
    Image.fromarray(draw.integers(0, 256, (30, 40, 3), np.uint8)).save(tmp_path / "noise.png")
    page = visit("first")
    page.locator("#picture-file").set_input_files(tmp_path / "noise.png")
    ordered(page, "by their mean response to the photo")
    order = numbers(page)
    first = page.locator(".top a").first.inner_text().removeprefix("unit ")
    assert order[0] == int(first) and "photo=" in page.url
    page.reload()
    ordered(page, "by their mean response to the photo")
    assert numbers(page) == order
    page.locator(".order img").wait_for()


def test_a_wall_of_many_units_has_few_in_the_document_and_is_walked(visit: Visit) -> None:
    page = visit("wide", width=700, height=500)
    assert len(numbers(page)) <= 80
    page.locator(".tile").first.focus()
    page.keyboard.press("End")
    focused = "Number(document.activeElement.dataset.unit)"
    assert page.evaluate(focused) == WIDE - 1
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    columns = WIDE - 2 - page.evaluate(focused)
    assert 3 <= columns <= 7
    box = page.evaluate("(() => document.activeElement.getBoundingClientRect().toJSON())()")
    assert box["top"] >= 0 and box["bottom"] <= 500
    assert len(numbers(page)) <= 80 and page.locator(".tile[tabindex='0']").count() == 1
    assert numbers(page) == sorted(numbers(page))
    # The rows stand below each other without gaps or overlaps.
    boxes = page.locator(".wall .tile").evaluate_all(
        "tiles => tiles.map(tile => { const { x, y, width, height } = tile.getBoundingClientRect();"
        " return [x, y, width, height]; })"
    )
    rows = sorted({round(box[1]) for box in boxes})
    assert np.ptp(np.diff(rows)) <= 1 and np.diff(rows)[0] >= boxes[0][3]
    page.wait_for_timeout(400)  # until the view has remembered where it is scrolled to
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1, name="wide:").wait_for()
    page.go_back()
    page.locator(f".tile[data-unit='{WIDE - 1}']").wait_for()


def test_the_first_view_is_light_and_asks_nobody_else(browser: Any, address: str) -> None:
    for place, complete in (
        ("#/small", ".flow .strip"),
        ("#/small/layer?layer=wide", ".tile[data-state=empty]"),
    ):
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(PATIENCE)
        traffic = Traffic(page, address)
        page.goto(f"{address}/{place}")
        page.locator(complete).first.wait_for()
        page.wait_for_load_state("networkidle")
        assert 20_000 < traffic.bytes < MOST_BYTES, place
        assert traffic.elsewhere == []
        page.context.close()
