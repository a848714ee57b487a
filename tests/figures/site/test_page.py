"""The pages of figures and of a set, as data: sections, controls, and what made a picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import tiny

from kerasviz.figures import CATALOGUE, make_figures
from kerasviz.figures.catalogue.sections import SECTIONS
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.layout.tiles import FigureLayout
from kerasviz.figures.site.controls import controls_of, rows_of
from kerasviz.figures.site.page import set_page
from kerasviz.figures.site.record import RECORD
from kerasviz.optvis.recipes import recipe

FAST = recipe("fast").replace(steps=4, size=(16, 24))


def choice_of(slug: str, *, quick: bool = False) -> FigureLayout:
    return choose(CATALOGUE[slug], FigureOptions(tiny.network(), FAST, quick=quick))


def test_every_figure_has_one_section_in_the_catalogue_s_order() -> None:
    assert [slug for section in SECTIONS for slug in section.slugs] == list(CATALOGUE)
    anchors = [section.anchor for section in SECTIONS]
    assert len({*anchors, *CATALOGUE}) == len(anchors) + len(CATALOGUE)  # all are names of places


def test_units_are_picked_numbers_slide_and_two_valued_ones_are_switched() -> None:
    kinds = {
        slug: [(control.kind, control.title) for control in controls_of(choice_of(slug))]
        for slug in ("activation-spectrum", "interpolation", "preconditioning", "hero")
    }
    assert kinds == {
        "activation-spectrum": [("picker", "Unit")],
        "interpolation": [("picker", "Pair")],
        "preconditioning": [
            ("picker", "Unit"),
            ("switch", "Decorrelated space"),
            ("switch", "Transformation robustness"),
            ("slider", "Learning rate"),
        ],
        "hero": [],
    }


def test_units_are_picked_by_pictures_of_their_own_rows() -> None:
    choice = choice_of("frequency-penalization")
    (units, *_) = controls_of(choice)
    for k, option in enumerate(units.values):
        (row,) = [b for b in choice.blocks if b.setting == (k, *choice.initial[1:])]
        assert option.thumbs == (row.optimized[-1],)
    (pairs,) = controls_of(choice_of("interpolation"))
    first, last = pairs.values[0].thumbs
    assert (first.row, last.row) == (0, 5)  # both ends of the row


@pytest.mark.parametrize("slug", [s for s, f in CATALOGUE.items() if f.controls])
def test_the_first_setting_has_a_row_and_no_setting_has_two(slug: str) -> None:
    for quick in (False, True):
        choice = choice_of(slug, quick=quick)
        rows, initial = rows_of(choice)
        settings = [row.setting for row in rows]
        assert initial in settings and len(set(settings)) == len(settings)
        counts = [len(c.values) for c in controls_of(choice)]
        assert all(0 <= i < n for s in settings for i, n in zip(s, counts, strict=True))


def test_sums_have_a_row_for_each_pair_with_both_units() -> None:
    choice = choice_of("neuron-arithmetic")
    rows, initial = rows_of(choice)
    first, second = controls_of(choice)
    assert initial == (first.initial, second.initial) == (4, 0)  # the fifth and the first
    assert len(rows) == len(first.values) * len(second.values)
    for row in rows:
        i, j = row.setting
        assert row.places[:2] == (*first.values[i].thumbs, *second.values[j].thumbs)
        if len(row.optimized) == 3:
            a, b, both = (cell.request.objective for cell in row.optimized)
            assert both == a + b


def test_a_page_without_its_figure_is_led_to_by_a_card(tmp_path: Path) -> None:
    (tmp_path / "hero.html").write_text("a page of another version")
    page = set_page("net <1>", [CATALOGUE["hero"]], tmp_path, "pictures")
    assert '<a class="preview" href="hero.html"><img src="hero.png"' in page
    assert "net &lt;1&gt;" in page and "<h2" in page
    assert page.count("<h2") == 1  # sections without a figure are left out


def test_the_record_keeps_what_made_the_figures_of_earlier_runs(
    tmp_path: Path, drawn: list[str]
) -> None:
    net = tiny.network()
    make_figures(net, ["hero"], FAST, tmp_path, seed=3)
    made = make_figures(net, ["objectives"], FAST.replace(learning_rate=0.5), tmp_path)
    record = json.loads((tmp_path / RECORD).read_text())
    assert list(record["figures"]) == ["hero", "objectives"]
    hero, objectives = record["figures"].values()
    assert hero["command"] == (
        "kerasviz figures hero --model tiny --recipe fast --steps 4 --size 16x24 "
        "--precision float32 --seed 3 --out again"
    )
    assert objectives["command"] is None  # no option sets a learning rate
    assert objectives["recipe"]["learning_rate"] == 0.5
    assert record["network"]["sha256"] == net.identity.sha256
    index = made.index.read_text()
    assert hero["command"] in index and "kerasviz figures objectives" not in index
    (tmp_path / RECORD).write_text("{")
    make_figures(net, ["hero"], FAST, tmp_path, seed=3)
    figures = json.loads((tmp_path / RECORD).read_text())["figures"]
    assert figures["hero"] == hero and figures["objectives"] is None  # nobody knows any more
