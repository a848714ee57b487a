"""The page of families: suggested or given, with branches and factors."""

from __future__ import annotations

import json
import re

import keras
import numpy as np
import pytest

import kerasviz
from kerasviz.analysis.families import read_families
from kerasviz.errors import UsageError
from kerasviz.figures.circuits.make import make_circuits
from kerasviz.figures.families.make import make_families

QUICK = {"steps": 2, "size": 24, "progress": False}


@pytest.fixture(scope="module")
def net():
    """Two branches; the left one has a kernel in four turns."""
    image = keras.Input((24, 24, 3))
    left = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="left")(image)
    right = keras.layers.Conv2D(3, 3, padding="same", activation="relu", name="right")(image)
    joined = keras.layers.Concatenate(name="joined")([left, right])
    model = keras.Model(image, keras.layers.Conv2D(3, 3, name="last")(joined))
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3))
    kernels = [np.rot90(kernel, k) for k in range(4)]
    model.get_layer("left").set_weights([np.stack(kernels, -1), np.zeros(4)])
    return kerasviz.load(model, preprocess="unit")


def test_suggested_families_and_their_branches(net, tmp_path):
    made = make_families(net, "joined", from_="left", out=tmp_path, **QUICK)
    (family,) = made.families
    assert family.units == (0, 1, 2, 3)
    assert read_families(made.file, net) == [family]
    record = json.loads((tmp_path / "details.json").read_text())
    assert record["families"][0]["turns"] == ["0°", "90°", "180°", "270°"]
    assert [b["count"] for b in record["families"][0]["branches"]] == [4, 0]
    assert record["families"][0]["branches"][0]["p"] == pytest.approx(1 / 35, abs=1e-4)
    page = made.page.read_text()
    for file in re.findall(r'(?:src|href)="([^"#:]+)"', page):
        assert (tmp_path / file).is_file(), file
    assert page.count('class="weights"') == 4
    assert page.count("data:image/png") == 4 + 4 * 2 + 4  # weights, factors, the sheet


def test_given_families_and_factors(net, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('[{"tap": "last", "name": "mine", "units": [2, 0], "comment": "by hand"}]')
    made = make_families(
        net, "last", families=path, from_="joined", pictures=False, out=tmp_path / "f", **QUICK
    )
    page = made.page.read_text()
    assert "by hand" in page and "suggested by" not in page
    assert page.count('class="pattern"') == 2 * 2
    factors = made.record["factors"]
    assert set(factors["band_scores"]) == {"0", "1", "2"}
    assert 0 <= factors["mean_band_score"] <= 1
    assert len(factors["families"]["mine"]["strengths"]) == 2


def test_shares_of_families_in_a_circuit(net, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('[{"tap": "joined", "name": "turned", "units": [0, 1, 2, 3]}]')
    made = make_circuits(
        net, "last:1", from_="joined", families=path, factors=0, partners=1, out=tmp_path, **QUICK
    )
    record = json.loads(made.page.with_suffix(".json").read_text())
    shares = dict(record["details"]["joined"]["families"])
    kernel = net.activations(np.zeros((1, 24, 24, 3)), ["last"])  # the network runs
    assert kernel["last"].shape[-1] == 3
    assert 0.2 < shares["turned"] < 0.9
    assert shares["turned"] + shares["others"] == pytest.approx(1, abs=1e-3)
    assert f"turned {shares['turned']:.1%}" in made.page.read_text()


def test_errors_are_one_line(net, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('[{"tap": "last", "name": "mine", "units": [0]}]')
    for tap, options, line in (
        ("joined", {"families": path}, "has no family of joined, but of last"),
        ("right", {"alike": 0.999}, "no units of right are alike"),
        ("right", {"alike": 2}, "expected a cosine"),
        ("nowhere", {}, "unknown tap 'nowhere'"),
        ("joined", {"from_": "last"}, "nothing of last reaches joined"),
    ):
        with pytest.raises(UsageError, match=line):
            make_families(net, tap, out=tmp_path / "none", **{**QUICK, **options})
    assert not (tmp_path / "none").exists()
