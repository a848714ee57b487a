"""Circuits: planted weights are found, and the layers around a unit are those of the map."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from support.analysed import SECOND, of_keras

import kerasviz
from kerasviz.analysis.circuit import find_circuit, layers_back, layers_onward
from kerasviz.errors import UsageError


@pytest.fixture(scope="module")
def branches():
    """first -> left and right -> joined -> last; unit 2 of ``last`` reads two planted units."""
    image = keras.Input((16, 16, 3))
    first = keras.layers.Conv2D(4, 3, activation="relu", name="first")(image)
    left = keras.layers.Conv2D(3, 3, padding="same", activation="relu", name="left")(first)
    right = keras.layers.Conv2D(2, 1, activation="relu", name="right")(first)
    joined = keras.layers.Concatenate(name="joined")([left, right])
    model = keras.Model(image, keras.layers.Conv2D(4, 3, activation="relu", name="last")(joined))
    kernel = np.zeros((3, 3, 5, 4), np.float32)
    kernel[0, 0, 1, 2], kernel[2, 1, 4, 2] = 5.0, -3.0
    model.get_layer("last").set_weights([kernel, np.zeros(4)])
    return kerasviz.load(model, preprocess="unit")


def test_planted_partners_are_found_with_their_places_and_signs(branches):
    circuit = find_circuit(branches, "last", 2, earlier=["joined"], partners=2)
    nearest = circuit.earlier[0]
    assert (nearest.tap, nearest.level) == ("joined", -1)
    (excites,), (inhibits,) = nearest.exciting, nearest.inhibiting
    assert (excites.unit, inhibits.unit) == (1, 4)
    assert (excites.total, inhibits.total) == (5.0, -3.0)
    assert excites.share == pytest.approx(5 / 8)
    box = np.zeros((3, 2))  # both weights, and no more around them
    box[0, 0] = 5
    np.testing.assert_allclose(excites.weights, box)
    assert nearest.scale == 5
    assert circuit.later == ()


def test_what_a_unit_feeds(branches):
    circuit = find_circuit(branches, "joined", 4, earlier=(), partners=3)
    (behind,) = circuit.later
    assert (behind.tap, behind.level, behind.exciting) == ("last", 1, ())
    assert [(p.unit, p.total) for p in behind.inhibiting] == [(2, -3.0)]


def test_partners_in_the_order_of_the_norms_of_their_weights():
    circuit = find_circuit(of_keras(), "second", 3, partners=4)
    found = circuit.earlier[0].partners
    norms = np.sqrt((SECOND[..., 3] ** 2).sum((0, 1)))
    for partner in found:
        assert partner.strength == pytest.approx(norms[partner.unit], rel=1e-5)
        assert (partner.total >= 0) == (partner in circuit.earlier[0].exciting)
    assert sum(p.share for p in found) == pytest.approx(1)


def test_layers_around_a_unit(branches):
    assert layers_back(branches, "last") == [("left", -1), ("right", -1), ("first", -2)]
    assert layers_onward(branches, "first") == [("left", 1), ("right", 1)]
    assert layers_onward(branches, "joined") == [("last", 1)]


def test_a_circuit_as_data(branches):
    data = json.loads(json.dumps(find_circuit(branches, "last", 2, earlier=["joined"]).to_json()))
    assert (data["tap"], data["unit"]) == ("last", 2)
    assert data["earlier"][0]["exciting"][0]["weights"][0][0] == 5


def test_errors_name_what_is_wrong(branches):
    with pytest.raises(UsageError, match="partners 0: expected 1 or more"):
        find_circuit(branches, "last", 2, partners=0)
    with pytest.raises(UsageError, match="no main layer is before or behind last"):
        find_circuit(branches, "last", 2, earlier=())
