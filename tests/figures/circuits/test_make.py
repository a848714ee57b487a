"""The folder of circuits: pages that lead to each other, pictures, and data."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image
from support.analysed import of_keras

from kerasviz.errors import UsageError
from kerasviz.figures.circuits.make import make_circuits

QUICK = {"steps": 2, "size": 24, "partners": 1, "progress": False}


@pytest.fixture(scope="module")
def net():
    return of_keras()


def test_pages_pictures_and_data(net, tmp_path):
    made = make_circuits(net, ["second:1", "first:0-1"], out=tmp_path, **QUICK)
    assert made.page == tmp_path / "second-1.html"
    page = made.page.read_text()
    for file in re.findall(r'(?:src|href)="([^"#:]+)"', page):
        assert (tmp_path / file).is_file(), file
    record = json.loads((tmp_path / "second-1.json").read_text())
    assert record["network"]["name"] == net.name
    partner = record["circuit"]["earlier"][0]
    assert partner["tap"] == "first"
    names = [f"first:{p['unit']}" for p in (*partner["exciting"], *partner["inhibiting"])]
    assert set(record["pictures"]) == {"second:1", *names}
    assert "first-0.html" in page  # the circuits of one folder lead to each other
    assert (tmp_path / "index.html").is_file()


def test_the_same_call_renders_nothing_and_another_adds_a_page(net, tmp_path):
    make_circuits(net, "second:1", out=tmp_path, **QUICK)
    before = {p.name: p.read_bytes() for p in (tmp_path / "pictures").glob("*.png")}
    times = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "pictures").glob("*.png")}
    make_circuits(net, "second:1", out=tmp_path, **QUICK)
    assert times == {p.name: p.stat().st_mtime_ns for p in (tmp_path / "pictures").glob("*.png")}
    make_circuits(net, "second:2", out=tmp_path, **QUICK)
    assert (
        before.items()
        <= {p.name: p.read_bytes() for p in (tmp_path / "pictures").glob("*.png")}.items()
    )
    assert "second-2.html" in (tmp_path / "second-1.html").read_text()


def test_a_photo_and_named_layers(net, tmp_path):
    Image.fromarray(np.full((30, 30, 3), 90, np.uint8)).save(tmp_path / "grey.png")
    made = make_circuits(
        net,
        "second:1",
        from_="first",
        to=(),
        photo=tmp_path / "grey.png",
        out=tmp_path / "c",
        **QUICK,
    )
    assert [layer.tap for layer in made.circuits[0].earlier] == ["first"]
    assert "the photo grey.png" in made.page.read_text()


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ("second", "a circuit is that of one unit; give LAYER:UNIT"),
        ("second:1 + second:2", "a circuit is that of one unit"),
        ("second:9", "second has the units 0 to 4"),
        ([], "no units; give one or more"),
    ],
)
def test_targets_that_are_no_units(net, tmp_path, targets, message):
    with pytest.raises(UsageError, match=message):
        make_circuits(net, targets, out=tmp_path / "none", **QUICK)
    assert not (tmp_path / "none").exists()
