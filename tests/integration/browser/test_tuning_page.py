"""The page of tuning in a browser: one unit alone by hover and by key, and the way to its card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import oriented
from support.oriented import gabor, kernels

from kerasviz.figures.tuning.make import make_tuning


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tuning")
    net = oriented.of_keras(kernels(gabor(30), gabor(150)))
    return make_tuning(
        net, "unit:0-1", stimuli="line", angles=36, pictures=False, out=out, progress=False
    ).page


def test_a_unit_alone_and_the_way_to_its_card(browser: Any, page: Path) -> None:
    view = browser.new_page(viewport={"width": 420, "height": 800})
    asked: list[str] = []
    view.on("request", lambda request: asked.append(request.url))
    view.goto(page.as_uri())
    first, second = view.locator(".radial .curve").all()

    def opacity(curve: Any) -> float:
        return float(curve.evaluate("e => getComputedStyle(e).opacity"))

    assert opacity(first) == opacity(second) == 1
    view.keyboard.press("Tab")
    assert opacity(first) == 1 and opacity(second) < 0.5
    view.keyboard.press("Enter")
    assert view.url.endswith("#unit-0-line")
    card = view.locator("#unit-0-line")
    assert card.evaluate("e => e.matches(':target')")
    assert "best direction" in card.inner_text()
    assert view.evaluate("document.documentElement.scrollWidth") <= 420
    assert all(url.startswith(("file:", "data:")) for url in asked)
    view.close()
