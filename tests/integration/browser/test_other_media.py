"""The page of ``kerasviz open`` for a network that takes tokens: its words and its pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from support import words
from support.running_service import running
from support.shown import shown_width

from kerasviz.service.settings import ServiceSettings


@pytest.mark.slow
def test_a_network_of_tokens_is_explored_as_one_of_images(
    open_page: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERASVIZ_CACHE", str(tmp_path / "cache"))
    model = words.bag(tmp_path)
    setting = ServiceSettings(tmp_path / "data", (str(model),), filling=True, quiet=True)
    with running(setting) as address:
        page = open_page(f"{address}/#/bag").page
        page.set_default_timeout(120_000)
        page.get_by_text("the sequence", exact=True).wait_for()
        page.locator(".flow .strip img").first.wait_for()

        page.goto(f"{address}/#/bag/layer?layer=units")
        tile = page.locator(".tile[data-unit='0'][data-state=there]")
        tile.wait_for()
        box = tile.locator(".frame").bounding_box()
        assert box is not None and box["width"] >= 200 and box["height"] < box["width"]
        # not one of the small pictures of a wall of images
        assert shown_width(tile.locator("img")) > box["width"]

        page.goto(f"{address}/#/bag/unit?layer=units&unit=0")
        left_out = page.locator(".panel", has_text="Where it is in data")
        left_out.get_by_text("Examples are not shown here.").wait_for()
        assert f"kerasviz examples {model} units --images TEXTS" in left_out.inner_text()
        page.goto("about:blank")  # asks nothing of a service that has ended
