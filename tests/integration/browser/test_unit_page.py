"""The page of a unit: four questions, each with an answer that opens large, with real renders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from support.facet_fixtures import write_themes

import kerasviz
from kerasviz.io.images import to_image
from kerasviz.network.input_spec import preset

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from support.running_service import running, small_network
from support.shown import shown_width

from kerasviz.service.settings import ServiceSettings
from kerasviz.zoo.model_source import ModelSource

#: Milliseconds that anything may take: a worker that starts has to import TensorFlow.
PATIENCE = 120_000
UNIT = "#/small/unit?layer=mixed&unit=2"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[str]:
    """A service of a network with examples of a layer and photos of two facets, and a worker."""
    folder = tmp_path_factory.mktemp("unit")
    model = small_network(folder / "small.onnx")
    (folder / "photos").mkdir()
    draw = np.random.default_rng(0)
    for k in range(12):
        image = draw.random((4, 4, 3)).repeat(8, 0).repeat(8, 1)
        to_image(image).save(folder / "photos" / f"{k}.png")
    net = kerasviz.load(model, preprocess="unit")
    examples = folder / "ex"
    kerasviz.find_examples(net, "mixed", folder / "photos", size=32, positions=4, out=examples)
    themes = write_themes(folder / "themes", {"blue": (60, 60, 200), "red": (200, 60, 60)})
    reading = ModelSource(input_spec=preset("unit"))
    setting = ServiceSettings(
        folder / "data", (str(model),), reading=reading, examples=examples, facets=themes
    )
    with running(setting) as at:
        yield at


@pytest.fixture
def visit(open_page: Callable[..., Any], address: str) -> Callable[..., Any]:
    def visit(place: str, **options: Any) -> Any:
        page = open_page(f"{address}/{place}", **options).page
        page.set_default_timeout(PATIENCE)
        page.locator(".panel").first.wait_for()
        return page

    return visit


def panel(page: Any, name: str) -> Any:
    return page.get_by_role("region", name=name, exact=True)


def violations(page: Any) -> list[str]:
    """Return what axe-core finds, a line for each element."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


def test_what_makes_it_large_grows_by_steps_that_were_rendered(visit: Callable[..., Any]) -> None:
    page = visit(UNIT)
    page.get_by_label("Size").fill("16")
    page.get_by_label("Steps").fill("8")
    page.get_by_label("Steps").press("Tab")
    page.get_by_role("button", name="Render all").click()
    part = panel(page, "What makes it large")
    kinds = part.locator(".slot")
    kinds.nth(4).locator("img[src^='/pictures/']").nth(2).wait_for()
    for k in range(4):
        kinds.nth(k).locator("img[src^='/pictures/']").nth(3 if k == 3 else 0).wait_for()
    assert kinds.locator("h3").all_inner_texts() == [
        *("Channel", "Neuron", "Negative", "Diversity", "Facets")
    ]
    names = kinds.nth(4).locator("img").evaluate_all("(all) => all.map((one) => one.alt)")
    assert names == ["Facets not steered", "Facets blue", "Facets red"]
    part.locator(".facts", has_text="fast · 8 steps · seed 0").first.wait_for()
    assert " s · score " in kinds.first.locator(".facts").inner_text()  # seconds

    # The slider has a stop for each step that was kept, and no other.
    slider = part.get_by_label("Growth")
    slider.wait_for()
    shown = kinds.first.locator("img")
    sources: list[str] = []
    for stop in ("finished, step 8", "step 3 of 8", "step 1 of 8", "step 0 of 8"):
        part.locator(f"[aria-valuetext='{stop}']").wait_for()
        source = "document.querySelector('.slot img').getAttribute('src')"
        page.wait_for_function(f"(before) => !before.includes({source})", arg=sources)
        sources.append(shown.get_attribute("src"))
        slider.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext") == "step 0 of 8"
    slider.press("End")

    # Any picture opens large; arrows go on, and the address opens it again.
    first = kinds.first.locator(".frame a")
    first.click()
    large = page.get_by_role("dialog")
    large.get_by_role("heading", name="Channel").wait_for()
    assert large.get_by_text("1 of 10").is_visible()
    assert "fast · 8 steps" in large.locator("footer").inner_text()
    assert violations(page) == []
    page.keyboard.press("ArrowRight")
    large.get_by_role("heading", name="Neuron").wait_for()
    with page.expect_download() as download:
        large.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename.endswith(".png")
    place = page.evaluate("location.hash")
    assert "panel=large&open=" in place
    large.get_by_role("button", name="Next picture").focus()
    page.keyboard.press("End")
    large.get_by_text("10 of 10").wait_for()
    page.keyboard.press("ArrowLeft")  # the button with the focus is disabled now
    large.get_by_text("9 of 10").wait_for()
    page.keyboard.press("Escape")
    large.wait_for(state="detached")
    assert "open" not in page.evaluate("location.hash")
    again = visit(place)
    again.get_by_role("dialog").get_by_role("heading", name="Neuron").wait_for()
    assert again.evaluate("location.hash") == place


def test_where_it_is_in_data_is_a_spectrum_with_crops(visit: Callable[..., Any]) -> None:
    page = visit(UNIT)
    part = panel(page, "Where it is in data")
    part.locator(".bins button").first.wait_for()
    assert part.locator(".bins button").count() == 18
    assert "12 images" in part.locator(".how").inner_text()
    assert shown_width(part.locator(".sheet")) == 1080
    titles = part.locator(".examples h3").all_inner_texts()
    assert {"Largest", "Smallest"} <= set(titles) and len(titles) == part.locator(".crops").count()
    # A bin is a key away from the next one, and opens with its crops.
    free = part.locator(".bins button:not(:disabled)")
    free.first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.title") == free.nth(1).get_attribute("title")
    page.keyboard.press("Enter")
    large = page.get_by_role("dialog")
    large.get_by_role("heading", name=free.nth(1).get_attribute("title")).wait_for()
    assert large.locator(".bin-crops li").count() >= 1
    page.keyboard.press("Escape")
    # Examples open, too.
    part.locator(".crops button").first.click()
    large.get_by_role("heading", name=".png: ").wait_for()
    page.keyboard.press("Escape")
    assert part.locator(".left-out div").count() == 0


def test_columns_without_data_are_a_line_with_the_command(visit: Callable[..., Any]) -> None:
    page = visit("#/small/unit?layer=wide&unit=3")
    part = panel(page, "Where it is in data")
    assert "no data of this layer" in part.locator(".left-out").inner_text()
    command = part.locator(".left-out code").inner_text()
    assert command.startswith("kerasviz examples") and " wide --images PHOTOS" in command
    assert part.locator(".spectrum, .crops").count() == 0
    # What is like it is found by the weights, and said so.
    like = panel(page, "What is like it")
    like.locator(".how", has_text="Cosine of the weights from mixed").wait_for()
    like.get_by_text("Correlation in data is left out").wait_for()
    page.goto(page.url.replace("wide&unit=3", "first&unit=3"))
    page.locator("h1", has_text="first:3").wait_for()
    large = panel(page, "What makes it large")
    assert "Facets are left out: they take layers before this one." in large.inner_text()
    assert large.locator(".slot").count() == 4
    panel(page, "What is like it").get_by_text("Left out: neither data").wait_for()


def test_what_is_like_it_has_pictures_and_leads_there(visit: Callable[..., Any]) -> None:
    page = visit(UNIT, width=390, height=800)
    part = panel(page, "What is like it")
    part.scroll_into_view_if_needed()
    part.locator(".how", has_text="Correlation of the activations over 12 images").wait_for()
    tiles = part.locator(".tile")
    tiles.first.wait_for()
    part.get_by_role("button", name="Render their pictures").click()
    part.locator(".tile[data-state=there]").nth(3).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    part.get_by_role("button", name="Enlarge: What is like it").click()
    large = page.get_by_role("dialog")
    title = large.get_by_role("heading").inner_text()
    assert title.startswith("mixed:") and "correlation" in title
    large.get_by_role("link", name="Go to this unit").click()
    page.locator("h1", has_text=title.split(": ")[0]).wait_for()
    assert page.get_by_role("dialog").count() == 0
    with page.expect_download() as download:
        panel(page, "What is like it").get_by_role("link", name="Download").click()
    assert download.value.suggested_filename.startswith("neighbours-")
