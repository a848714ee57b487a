"""The page of ``kerasviz open``: it asks what it cannot know, and fills itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from support.running_service import running, small_network
from support.shown import shown_width

from kerasviz.service.settings import ServiceSettings

#: Milliseconds that anything may take: a worker that starts has to import TensorFlow.
PATIENCE = 120_000
PRESETS = ["torchvision", "inception", "caffe", "unit", "byte"]
#: Makes a page believe that its window is hidden, or shown again.
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceSettings]:
    """A network of which nobody has said which numbers it takes, with a cache of its own."""
    folder = tmp_path_factory.mktemp("open")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERASVIZ_CACHE", str(folder / "cache"))
        model = small_network(folder / "small.onnx")
        yield ServiceSettings(folder / "data", (str(model),), filling=True, quiet=True)


def strips(page: Any) -> list[int]:
    """Return the number of pictures of each main layer."""
    return [one.locator("img").count() for one in page.locator(".flow .strip").all()]


def until(page: Any, holds: Callable[[], bool]) -> None:
    """Wait until something holds; the page's policy forbids Playwright to look for itself."""
    latest = time.monotonic() + PATIENCE / 1000
    while not holds():
        assert time.monotonic() < latest, page.locator("main").inner_text()
        page.wait_for_timeout(200)


def active(page: Any) -> int:
    """Return the number of jobs that wait or run."""
    states = page.evaluate("fetch('/api/renders').then((answer) => answer.json())")
    return sum(job["state"] in ("accepted", "running") for job in states)


def steps_of_done(page: Any) -> list[int]:
    """Return the steps of the jobs that are done."""
    jobs = page.evaluate("fetch('/api/renders?limit=200').then((answer) => answer.json())")
    return [job["request"]["steps"] for job in jobs if job["state"] == "done"]


def until_idle(page: Any) -> None:
    """Wait until no job waits or runs."""
    until(page, lambda: active(page) == 0)


@pytest.mark.slow
def test_a_strangers_file_is_explored_without_a_question_but_one(
    open_page: Callable[..., Any], setting: ServiceSettings
) -> None:
    with running(setting) as address:
        watched = open_page(f"{address}/#/small")
        page = watched.page
        page.set_default_timeout(PATIENCE)
        page.get_by_role("heading", name="Which numbers does small take?").wait_for()
        cards = page.locator(".preset")
        assert cards.locator("h2").all_inner_texts() == PRESETS
        assert [card.locator(".guesses li").count() for card in cards.all()] == [3] * 5
        assert shown_width(page.locator(".preset img").first) == 256
        page.get_by_role("button", name="Choose unit").focus()
        page.keyboard.press("Enter")
        page.locator(".flow").wait_for()
        assert "status of 409" in watched.problems.pop() and not watched.problems

        # Every layer gets rough pictures by itself, then good ones.
        until(page, lambda: all(strips(page)))
        until(page, lambda: 160 in steps_of_done(page))
        assert min(steps_of_done(page)) == 32

        # A unit fills its kinds.
        page.goto(f"{address}/#/small/unit?layer=first&unit=5")
        page.locator("h1", has_text="first:5").wait_for()
        until(page, lambda: page.locator(".slot[data-state=there]").count() >= 2)

        # It is given a name and a star, which the wall shows.
        page.get_by_label("Your name for it").fill("green edges")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Star").click()
        page.get_by_role("button", name="Starred").wait_for()
        page.goto(f"{address}/#/small/layer?layer=first")
        page.locator(".order [name=show]").select_option("starred")
        shown = page.locator(".tile:visible")
        until(page, lambda: shown.all_inner_texts() == ["5 green edges"])

        # Three steps from a unit to what it is built from, and from there to what it feeds.
        page.goto(f"{address}/#/small/unit?layer=wide&unit=3")
        for title, built_from, ahead in (
            ("wide:3", "mixed", True),
            ("mixed", "first", True),
            ("first", "mixed", False),
        ):
            page.locator("h1", has_text=title).wait_for()
            words = "Built from" if ahead else "Feeds"
            column = page.locator(".connected > div", has=page.get_by_text(words, exact=True))
            partner = column.locator(".partners", has_text=built_from).locator(".tile").first
            partner.wait_for()
            until(page, lambda tile=partner: tile.get_attribute("data-state") == "there")
            partner.click()
        page.locator("h1", has_text="mixed").wait_for()

        # A wall fills what is on the screen, and nothing after it was left.
        page.goto(f"{address}/#/small/layer?layer=wide")
        page.locator(".wall").evaluate("wall => scrollTo(0, wall.clientHeight * 0.7)")
        page.locator(".tile[data-unit='700'][data-state=there]").wait_for()
        page.goto(f"{address}/#/jobs")
        page.locator("h1", has_text="Jobs").wait_for()
        until_idle(page)
        page.wait_for_timeout(1500)
        assert active(page) == 0
        page.context.close()

    # The next start has them at once, at the same address.
    with running(setting) as address:
        page = open_page(f"{address}/#/small", width=390, height=800).page
        page.set_default_timeout(PATIENCE)
        page.locator(".flow .strip img").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.evaluate(HIDE, True)
        until_idle(page)
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_timeout(2500)
        assert active(page) == 0  # nobody looks
        page.context.close()


@pytest.mark.slow
def test_filling_can_be_paused(
    open_page: Callable[..., Any], setting: ServiceSettings, tmp_path: Path
) -> None:
    from kerasviz.network.input_spec import preset
    from kerasviz.zoo.model_source import ModelSource

    fresh = replace(setting, data=tmp_path, reading=ModelSource(input_spec=preset("unit")))
    with running(fresh) as address:
        page = open_page(f"{address}/#/small").page
        page.set_default_timeout(PATIENCE)
        page.get_by_text("Making rough pictures of").wait_for()
        page.get_by_role("button", name="Pause").click()
        page.get_by_text("Paused").wait_for()
        until_idle(page)
        page.wait_for_timeout(2500)
        assert active(page) == 0
        page.get_by_role("button", name="Continue").click()
        page.locator(".flow .strip img").first.wait_for()
        page.context.close()
