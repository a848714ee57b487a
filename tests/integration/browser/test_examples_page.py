"""The page of examples in a browser: folded units, a list to jump by, and what is left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import tiny, words
from support.axe import violations
from support.flat_pictures import fill_store
from support.shown import shown_width

import kerasviz
from kerasviz.examples import Question, make_examples
from kerasviz.examples.datasets import open_source
from kerasviz.examples.folder import read_manifest
from kerasviz.examples.pages import TITLES
from kerasviz.examples.ranking import BUCKETS
from kerasviz.optvis.recipes import recipe

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Path:
    """Examples of a layer with pictures of all its units but one, whose unit 3 is dead."""
    folder, net = tmp_path_factory.mktemp("made"), tiny.network()
    (folder / "photos").mkdir()
    for k in range(16):
        noise = np.random.default_rng(k).uniform(-128, 128, (30, 40, 3)) * 0.75**k
        Image.fromarray((128 + noise).clip(0, 255).astype(np.uint8)).save(
            folder / "photos" / f"{k}.png"
        )
    chosen = recipe("fast").replace(steps=2, size=(48, 48))
    fill_store(folder / "out", net, ["relu1:0-4"], chosen)
    question = Question(net, ("relu1",), open_source(str(folder / "photos")), (32, 32), count=10)
    return make_examples(question, folder / "examples", pictures=folder / "out").page


def heights(page: Any) -> list[float]:
    found: list[float] = page.locator(".unit").evaluate_all(
        "units => units.map((unit) => unit.getBoundingClientRect().height)"
    )
    return found


def test_units_are_folded_and_one_unfolds(page_file: Path, open_page: Open) -> None:
    page = open_page(page_file.as_uri()).page
    assert max(heights(page)) < 190
    unit = page.locator('[id="2"]')
    own = unit.locator(".own img")
    assert shown_width(own) == 48
    strip = unit.locator(".strip").first
    assert own.bounding_box()["x"] < strip.bounding_box()["x"]
    assert unit.locator("summary").inner_text().endswith("spectrum")
    unit.locator("summary").click()
    assert heights(page)[2] > 500 and max(heights(page)[:2]) < 190
    # Every strip shows its own part of the file: the crops of different kinds differ.
    shown = [one.screenshot() for one in unit.locator(".strip").all()]
    assert len(set(shown)) == len(shown) > 2
    strip.click()
    assert page.locator("#zoom-words").inner_text() == "Maximum examples of relu1:2"


def test_kinds_without_examples_have_no_place(page_file: Path, open_page: Open) -> None:
    page = open_page(page_file.as_uri()).page
    units = read_manifest(page_file.parent)["taps"][0]["units"]
    kinds = [[TITLES[bucket] for bucket in BUCKETS if unit[bucket]] for unit in units]
    assert len({tuple(each) for each in kinds}) > 1  # unit 3 is dead
    for one, titles in zip(page.locator(".unit").all(), kinds, strict=True):
        rest = [title for title in titles if title != "Maximum"]
        assert one.locator(".sheet > p").all_text_contents() == [*rest, "Spectrum"]
        assert one.locator(".strip").count() == len(titles)
    empty = page.locator(".strip").evaluate_all(
        "strips => strips.filter((strip) => !strip.querySelector('.places i')).length"
    )
    assert empty == 0
    assert page.locator('[id="5"] .none').inner_text() == "no optimized picture"


def test_the_list_leads_to_units(page_file: Path, open_page: Open) -> None:
    page = open_page(page_file.as_uri(), height=500).page
    assert page.locator(".jump img").count() == 5
    page.locator(".jump").get_by_role("link", name="Unit 4", exact=True).click()
    top = page.locator('[id="4"]').evaluate("unit => unit.getBoundingClientRect().top")
    assert page.url.endswith("#4") and -5 < top < 450


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_for_everyone(page_file: Path, open_page: Open, scheme: str) -> None:
    page = open_page(page_file.as_uri(), 390, 844, color_scheme=scheme).page
    page.locator('[id="1"] summary').click()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_passages_of_texts_show_the_token_of_the_largest_activation(
    tmp_path: Path, open_page: Open, scheme: str
) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.bin").write_bytes(bytes([*range(65, 75), 10]))
    table = np.arange(257 * 2, dtype=np.float32).reshape(257, 2) % 11
    nodes = [words.node("Gather", "table ids", "rows"), words.node("Relu", "rows", "units")]
    model = words.save(tmp_path / "bytes.onnx", nodes, {"table": table}, ["units"])
    made = kerasviz.find_examples(model, "units", folder, out=tmp_path / "out", progress=False)
    page = open_page(made.page.as_uri(), color_scheme=scheme).page
    page.locator(".text .peak").first.wait_for()
    first = table[[*range(65, 75), 10], 0].argmax()
    tokens = page.locator("[id='0'] .text span").all_inner_texts()
    assert tokens[:10] == list("ABCDEFGHIJ")
    assert page.locator("[id='0'] .text .peak").inner_text() == tokens[first]
    assert violations(page) == []
