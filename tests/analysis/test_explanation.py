"""Explanations: sums over layers, places of units, and tokens apart from special ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.analysed import DENSE, of_keras

from kerasviz.analysis.explanation import explain, is_before, layers_before, pass_for
from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.objective import channel, logit

PHOTO = np.random.default_rng(3).uniform(size=(13, 12, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def net():
    return of_keras()


def test_positions_and_units_of_a_linear_layer(net):
    run = pass_for(net, PHOTO, logit(3), ["second"])
    found = explain(run, "logit:3", logit(3), ["second"], units=2, steps=1)
    second = net.activations(PHOTO[None], ["second"])["second"].numpy()[0]
    shares = second * DENSE[:, 3] / np.prod(second.shape[:2])
    layer = found.layers[0]
    np.testing.assert_allclose(layer.map, shares.sum(-1), atol=1e-6)
    assert layer.map.sum() == pytest.approx(found.score, rel=1e-4)
    assert abs(layer.missing) < 1e-5 and layer.special == 0
    sums = shares.sum((0, 1))
    for unit in (*layer.raising, *layer.lowering):
        assert unit.contribution == pytest.approx(sums[unit.unit], rel=1e-4)
        signed = shares[..., unit.unit] * np.sign(sums[unit.unit])
        assert unit.position == np.unravel_index(signed.argmax(), signed.shape)
    assert [u.unit for u in layer.raising] == [int(n) for n in np.argsort(-sums)[:2] if sums[n] > 0]


def test_main_layers_before_a_target(net):
    assert layers_before(net, logit(0)) == ["first", "second"]
    assert layers_before(net, channel("second", 1)) == ["first"]
    assert is_before(net, "first", "logits") and not is_before(net, "logits", "first")
    run = pass_for(net, PHOTO, logit(0))
    found = explain(run, "logit:0", logit(0), run.taps, steps=2)
    assert [layer.tap for layer in found.layers] == ["first", "second"]
    data = json.loads(json.dumps(found.to_json()))
    assert np.shape(data["layers"][0]["map"]) == (11, 10)
    units = data["layers"][0]["units"]
    assert sum(units) == pytest.approx(np.sum(data["layers"][0]["map"]), rel=1e-3)


def test_errors_name_what_is_wrong(net):
    with pytest.raises(UsageError, match="no main layer is before first"):
        pass_for(net, PHOTO, channel("first", 1))
    with pytest.raises(UsageError, match="units 0"):
        explain(pass_for(net, PHOTO, logit(0)), "logit:0", logit(0), ["first"], units=0)


def test_a_vector_has_no_map():
    net = of_keras()
    run = pass_for(net, PHOTO, logit(3), ["pooled"])
    found = explain(run, "logit:3", logit(3), ["pooled"], steps=1)
    assert found.layers[0].map is None
    assert found.layers[0].raising[0].position is None
