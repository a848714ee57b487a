"""A set of figures of a small network, and pages of it in a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import tiny
from support.flat_pictures import flat_pictures

from kerasviz.figures import CATALOGUE, make_figures
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering import run

#: Names under which systems install Chromium.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
#: A figure with all its settings; of the others only some are shown.
WHOLE = "naive-noise"


@pytest.fixture(scope="session")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all figures, one of them made by a second run, with all its settings."""
    folder = tmp_path_factory.mktemp("set of figures")
    photos = folder / "photos"
    photos.mkdir()
    draw = np.random.default_rng(0)
    from kerasviz.io.images import to_image

    for name in ("first", "second", "third"):
        to_image(draw.random((20, 30, 3))).save(photos / f"{name}.png")
    fast = recipe("fast").replace(steps=4, size=(16, 24))
    net = tiny.network(input_spec=tiny.preset("unit"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "render_batches", flat_pictures)
        made = make_figures(net, (), fast, folder / "set", quick=True, photos=photos)
        assert not made.failed and made.index == folder / "set" / "index.html"
        make_figures(net, [WHOLE], fast, folder / "set")
    shutil.rmtree(photos)
    return folder / "set"


@pytest.fixture(scope="session")
def slugs() -> list[str]:
    """The figures in the article's order."""
    return list(CATALOGUE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; without one the tests are skipped, in CI they fail.

    One for each file: while Playwright is there an event loop runs, and other files start theirs.
    """
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        words = "no Chromium on PATH (Debian: apt-get install chromium)"
        needed = os.environ.get("CI") or os.environ.get("KERASVIZ_TEST_BROWSER") == "required"
        (pytest.fail if needed else pytest.skip)(words)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


@dataclass
class Watched:
    """A page, and what went wrong or went out while it was open."""

    page: Any
    problems: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)


def _words_of(message: Any) -> str:
    """A message of the console, with the address that it is about."""
    return f"{message.text} {message.location.get('url', '')}"


def _note_failure(request: Any, problems: list[str]) -> None:
    """What the browser gives up itself, as a page is left or closed, is no failure."""
    if request.failure != "net::ERR_ABORTED":
        problems.append(f"{request.url}: {request.failure}")


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Watched]]:
    """Open an address in a window of its own; at the end nothing may have gone wrong in any."""
    opened: list[tuple[Any, Watched]] = []

    def open_page(address: str, width: int = 1280, height: int = 900, **options: Any) -> Watched:
        options = {"reduced_motion": "reduce", **options}
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        watched = Watched(context.new_page())
        opened.append((context, watched))
        page, problems = watched.page, watched.problems
        page.on("console", lambda m: problems.append(_words_of(m)) if m.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("requestfailed", lambda r: _note_failure(r, problems))
        page.on("request", lambda request: watched.addresses.append(request.url))
        page.goto(address)
        return watched

    yield open_page
    for context, watched in opened:
        context.close()
        assert watched.problems == []
