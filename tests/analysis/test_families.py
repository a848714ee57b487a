"""Families: read from files, weighed, and counted by branches."""

from __future__ import annotations

import json
from math import comb

import keras
import numpy as np
import pytest
from support.analysed import of_keras

import kerasviz
from kerasviz.analysis.families import (
    Family,
    LayerBranch,
    branch_counts,
    branches_of,
    families_text,
    family_shares,
    read_families,
)
from kerasviz.errors import UsageError

FAMILIES = [Family("first", "red", (1, 3), "é"), Family("second", "all", (4, 0, 1))]


def test_a_file_and_back(tmp_path):
    path = tmp_path / "families.json"
    path.write_text(families_text(FAMILIES), encoding="utf-8")
    assert read_families(path, of_keras()) == FAMILIES


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", "cannot be read as families"),
        ("{}", "expected a list of families"),
        ('[{"tap": "first", "units": [1]}]', "family 0: expected tap, name, units, comment"),
        ('[{"tap": "first", "name": "a", "units": [1], "note": 1}]', "unknown key 'note'"),
        ('[{"tap": "first", "name": "a", "units": [true]}]', "units are a list of numbers from 0"),
        ('[{"tap": "first", "name": "a", "units": [1, 1]}]', "and each once"),
        ('[{"tap": "first", "name": "a", "units": [4]}]', "first has the units 0 to 3, given 4"),
        ('[{"tap": "third", "name": "a", "units": [0]}]', "unknown tap 'third'"),
    ],
)
def test_files_that_are_none(tmp_path, text, line):
    path = tmp_path / "families.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=line):
        read_families(path, of_keras())
    with pytest.raises(UsageError, match="cannot be read"):
        read_families(tmp_path / "missing.json")


def test_shares_sum_to_one_and_count_units_once():
    sizes = np.array([1.0, 2.0, 3.0, 4.0])
    families = [*FAMILIES, Family("first", "late", (3, 2))]
    shares = family_shares(sizes, "first", families)
    assert shares == [("red", 0.6), ("late", pytest.approx(0.3)), ("others", pytest.approx(0.1))]
    assert family_shares(sizes, "other", FAMILIES) == [("others", 1.0)]


@pytest.mark.parametrize("activation", [None, "relu"])
def test_branches_of_a_concatenation(activation):
    image = keras.Input((16, 16, 3))
    parts = [
        keras.layers.Conv2D(n, 3, padding="same", activation="relu", name=name)(image)
        for n, name in ((4, "left"), (6, "right"))
    ]
    x = keras.layers.Concatenate(name="joined")(parts)
    if activation:
        x = keras.layers.Activation("relu", name="active")(x)
    net = kerasviz.load(keras.Model(image, x), preprocess="unit")
    found = branches_of(net, "active" if activation else "joined")
    assert [(b.start, b.end) for b in found] == [(0, 4), (4, 10)]
    assert [b.name for b in found] == ["left", "right"]
    assert branches_of(net, "left") == ()


def test_p_values_against_the_formula():
    branches = [LayerBranch("left", 0, 4), LayerBranch("right", 4, 10)]
    found = branch_counts(Family("joined", "red", (0, 1, 3, 7)), branches)
    assert [b.count for b in found] == [3, 1]
    assert [b.expected for b in found] == pytest.approx([1.6, 2.4])
    exact = sum(comb(4, k) * comb(6, 4 - k) for k in (3, 4)) / comb(10, 4)
    assert found[0].p == pytest.approx(exact)
    assert json.dumps([b.p for b in found])
