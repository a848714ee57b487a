"""Pages of figures and atlases for everyone: axe-core, a lightbox, 200 % zoom, on paper."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.axe import violations

from kerasviz.rendering import pages

Open = Callable[..., Any]
#: Pages of a set of figures, one of each kind.
PAGES = (
    "index.html",
    "frequency-penalization.html",
    "gradient-artifacts.html",
    "regularization-spectrum.html",
    "neuron-arithmetic.html",
    "appendix-layer.html",
    "pictures/index.html",
)
WIDER = "document.documentElement.scrollWidth > innerWidth"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_violation(figures: Path, open_page: Open, scheme: str) -> None:
    page = open_page((figures / PAGES[0]).as_uri(), color_scheme=scheme).page
    layers = [f"layers/{path.name}" for path in (figures / "layers").glob("*.html")]
    assert layers
    for name in (*PAGES, *layers):
        page.goto((figures / name).as_uri())
        assert "\n".join(violations(page)) == "", name
    page.goto((figures / "hero.html").as_uri())
    page.locator("a.picture").first.click()
    assert violations(page) == []


def test_no_page_scrolls_sideways_at_twice_the_size(figures: Path, open_page: Open) -> None:
    page = open_page((figures / PAGES[0]).as_uri(), width=640, height=450).page
    for name in PAGES:
        page.goto((figures / name).as_uri())
        assert not page.evaluate(WIDER), name


def test_pictures_are_walked_in_the_lightbox_and_have_an_address(
    figures: Path, open_page: Open
) -> None:
    page = open_page((figures / "hero.html").as_uri()).page
    links = page.locator("a.picture")
    names = links.locator("img").evaluate_all("images => images.map(image => image.alt)")
    dialog, title = page.locator("#zoom"), page.locator("#zoom-words")
    links.nth(1).click()
    assert (title.inner_text(), dialog.locator(".count").inner_text()) == (
        names[1],
        f"2 of {len(names)}",
    )
    page.keyboard.press("ArrowRight")
    assert title.inner_text() == names[2]
    dialog.get_by_role("button", name="Previous picture").click()
    page.keyboard.press("ArrowLeft")
    assert title.inner_text() == names[0]
    assert dialog.get_by_role("button", name="Previous picture").is_disabled()
    page.keyboard.press("End")
    assert title.inner_text() == names[-1]
    address = page.url
    page.keyboard.press("Escape")
    assert dialog.is_hidden()
    page.wait_for_function("() => location.hash === ''")  # as soon as it has told the page
    assert page.evaluate("document.activeElement.querySelector('img').alt") == names[-1]
    again = open_page(address).page
    assert again.locator("#zoom-words").inner_text() == names[-1]


def test_pages_have_the_typeface_of_the_pictures(figures: Path, open_page: Open) -> None:
    page = open_page((figures / "hero.html").as_uri()).page
    assert page.evaluate("document.fonts.ready.then(() => document.fonts.check('16px Aileron'))")
    assert page.evaluate("[...document.fonts].map(font => font.status)") == ["loaded"]


def test_underscores_in_inputs_are_seen(figures: Path, open_page: Open) -> None:
    page = open_page((figures / "hero.html").as_uri()).page
    folder = Path(pages.__file__).parents[1] / "service" / "page"
    css = "".join((folder / f"{name}.css").read_text() for name in ("base", "forms"))
    css = re.sub("@font-face {.*}", "", css)  # which is beside the page of the service
    shots = []
    for text in ("conv_4a", "conv 4a"):
        for kind in ("code", ""):
            page.set_content(f'<style>{css}</style><input class="{kind}" value="{text}">')
            shots.append(page.locator("input").screenshot())
    assert shots[0] != shots[2] and shots[1] != shots[3]


def test_on_paper_there_are_pictures_and_notes_but_no_controls(
    figures: Path, open_page: Open
) -> None:
    page = open_page((figures / "naive-noise.html").as_uri(), color_scheme="dark").page
    page.emulate_media(media="print", color_scheme="dark")
    for hidden in ("nav", "form.controls", "#zoom"):
        assert page.locator(hidden).first.is_hidden(), hidden
    assert page.locator("a.picture:visible").count() > 2
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    notes = "details => details.querySelector('p').getBoundingClientRect().height"
    assert page.locator("details.notes").first.evaluate(notes) > 10
