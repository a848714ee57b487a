"""A walk over pages of circuits: to what a unit is built from, to what it feeds, and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.analysed import of_keras

from kerasviz.figures.circuits.make import make_circuits


def test_three_clicks_and_back(open_page: Callable[..., Any], tmp_path: Path) -> None:
    made = make_circuits(
        of_keras(), ["second:0-4", "first:0-3"], partners=3, factors=1, steps=1, size=16,
        out=tmp_path, progress=False,
    )  # fmt: skip
    watched = open_page(made.page.as_uri())
    page = watched.page
    page.emulate_media(color_scheme="dark")

    def title() -> str:
        return str(page.text_content("h1"))

    def walk(section: str) -> str:
        """Go to the first partner in a section by the keyboard, and return its name."""
        link = page.locator(f"section:has(h2:text-is('{section}')) .partners a").first
        name = str(link.text_content())
        link.focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/*.html")
        assert title() == name
        return name

    start = title()
    assert start == "second:0"
    before = walk("The layer before")
    assert before.startswith("first:")
    behind = walk("The layer behind")
    assert behind.startswith("second:")
    assert walk("The layer before").startswith("first:")
    for expected in (behind, before, start):
        page.go_back()
        assert title() == expected
    broken = "images => images.filter(i => i.loading !== 'lazy' && !i.naturalWidth).length"
    assert page.locator("main img").evaluate_all(broken) == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    outside = [
        address for address in watched.addresses if not address.startswith(("file:", "data:"))
    ]
    assert outside == []
