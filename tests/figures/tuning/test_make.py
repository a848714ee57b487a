"""The folder of tuning: a page, drawings, pictures, and all numbers."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest
from PIL import Image
from support import oriented
from support.oriented import blob, gabor, kernels

from kerasviz.analysis.families import read_families
from kerasviz.errors import UsageError
from kerasviz.figures.tuning.make import make_tuning

QUICK = {"angles": 72, "pictures": False, "progress": False}
KINDS = "curve,line,circle,colour"
WEIGHTS = kernels(gabor(37), np.rot90(gabor(37)), blob())


@pytest.fixture(scope="module")
def net():
    return oriented.of_keras(WEIGHTS)


def test_several_kinds_with_pictures_and_again(net, tmp_path):
    options = {**QUICK, "pictures": True, "steps": 1, "stimuli": KINDS, "families": True}
    made = make_tuning(net, "unit:0-2", out=tmp_path / "t", **options)
    assert len(made.tunings) == 4 * 3
    by = {(t.kind, t.unit): t for t in made.tunings}
    assert abs(by["line", 0].preferred - 37) < 3
    assert by["curve", 1].preferred == by["curve", 0].preferred + 90
    assert {(0, 1)} == {family.units for family in made.families if len(family.units) == 2}
    page = made.page.read_text()
    files = set(re.findall(r'(?:src|href)="([^"#:]+)"', page))
    assert any(file.startswith("pictures/") for file in files)
    for file in files:
        assert (tmp_path / "t" / file).is_file(), file
    assert page.count('<li id="unit-0-') == 4
    record = json.loads((tmp_path / "t" / "tuning.json").read_text())
    layer = record["layers"][0]
    assert (layer["centre"], layer["radius"], layer["position"]) == ([15, 15], 7.5, [8, 8])
    assert record["network"]["sha256"] == net.identity.sha256
    rows = list(csv.DictReader((tmp_path / "t" / "tuning.csv").open()))
    curves = [r for r in rows if (r["stimuli"], r["part"]) == ("line", "curve")]
    assert [float(r["response"]) for r in curves if r["unit"] == "0"] == pytest.approx(
        by["line", 0].curve, rel=1e-4
    )
    assert sum(len(t.curve) + t.heat.size for t in made.tunings) == len(rows)
    families = read_families(tmp_path / "t" / "families.json", net)
    assert (families[0].tap, families[0].units) == ("unit", made.families[0].units)
    before = {p: p.read_bytes() for p in (tmp_path / "t").rglob("*") if p.is_file()}
    make_tuning(net, "unit:0-2", out=tmp_path / "t", **options)
    assert before == {p: p.read_bytes() for p in (tmp_path / "t").rglob("*") if p.is_file()}


def test_photos_and_families_by_them(net, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for k in range(3):
        blocks = np.random.default_rng(k).integers(0, 256, (4, 4, 3), np.uint8)
        Image.fromarray(np.kron(blocks, np.ones((8, 8, 1), np.uint8))).save(photos / f"p{k}.png")
    made = make_tuning(
        net,
        ["unit:0", "unit:1"],
        images=photos,
        photos=2,
        turns=36,
        families=True,
        out=tmp_path / "t",
        **QUICK,
    )
    assert [found.unit for found in made.joint] == [0, 1]
    assert made.families[0].units == (0, 1) and abs(made.families[0].degrees[1] - 90) <= 10
    page = made.page.read_text()
    assert "On the photos of unit" in page and "by turned photos" in page
    rows = list(csv.DictReader((tmp_path / "t" / "photos.csv").open()))
    assert len(rows) == 2 * 2 * 36
    assert (tmp_path / "t" / "figures" / "unit-0-photos.png").is_file()


def test_a_grey_network_at_another_position(tmp_path):
    grey = oriented.of_keras(kernels(gabor(37), channels=1))
    made = make_tuning(grey, "unit:0@9,8", stimuli=["line"], out=tmp_path / "t", **QUICK)
    assert "recorded at 9,8" in made.page.read_text()
    assert abs(made.tunings[0].preferred - 37) <= 5
    for options, message in (
        ({"stimuli": "colour"}, "sees grey images; leave colour out"),
        ({"colours": "red,blue"}, "sees grey images; give two greys"),
    ):
        with pytest.raises(UsageError, match=message):
            make_tuning(grey, "unit:0", out=tmp_path / "none", **{**QUICK, **options})
    assert not (tmp_path / "none").exists()


def test_bad_input_is_one_line(net, tmp_path):
    (tmp_path / "empty").mkdir()
    for options, message in (
        ({"stimuli": "curves"}, "curves"),
        ({"stimuli": []}, "no stimuli; give one or more of curve, line"),
        ({"style": "dotted"}, "dotted"),
        ({"colours": "black"}, "expected two names or #RRGGBB"),
        ({"colours": "black,nocolour"}, "expected two names"),
        ({"angles": 8}, "angles 8"),
        ({"turns": 0}, "turns 0"),
        ({"images": tmp_path / "empty"}, "no photos in"),
        ({"images": tmp_path / "nowhere"}, "no photos at"),
        ({"targets": "mean:0"}, "mean has no positions"),
    ):
        given = {"targets": "unit:0", **QUICK, **options}
        with pytest.raises(UsageError, match=message):
            make_tuning(net, given.pop("targets"), out=tmp_path / "none", **given)
    assert not (tmp_path / "none").exists()


def test_units_that_nothing_excites_are_not_in_the_radial_plot(tmp_path):
    still = oriented.of_keras(kernels(gabor(37), 0 * gabor(37)))
    made = make_tuning(still, "unit:0-1", out=tmp_path / "t", **QUICK)
    page = made.page.read_text()
    assert 'href="#unit-0-curve"' in page and 'href="#unit-1-curve"' not in page
    assert "1 with smaller responses, or none, is left out" in page
    assert 'id="unit-1-curve"' in page
    alone = make_tuning(still, "unit:1", out=tmp_path / "u", **QUICK)
    assert "<polygon" not in alone.page.read_text()
