"""Attribution: exact sums in linear networks, integrated ones elsewhere, finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from support.analysed import DENSE, of_keras, of_onnx

from kerasviz.analysis.attribution import attribute
from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.objective import channel, logit

PHOTO = np.random.default_rng(2).uniform(size=(13, 12, 3)).astype(np.float32)


@pytest.fixture(scope="module", params=["keras", "onnx"])
def net(request):
    return {"keras": of_keras, "onnx": of_onnx}[request.param]()


def test_behind_the_last_activation_the_sum_is_the_score(net):
    """From ``second`` on the logit is linear, without a bias."""
    (found,) = attribute(net, logit(3), PHOTO, ["second"], steps=1)
    second = net.activations(PHOTO[None], ["second"])["second"].numpy()[0]
    expected = second * DENSE[:, 3] / np.prod(second.shape[:2])
    np.testing.assert_allclose(found.values, expected, atol=1e-6)
    np.testing.assert_allclose(found.activations, second)
    assert abs(found.missing) < 1e-5
    assert found.baseline == 0
    np.testing.assert_allclose(found.by_channel.sum(), found.score, rtol=1e-5)
    np.testing.assert_allclose(found.by_position.sum(), found.score, rtol=1e-5)
    most, least = found.top(2)
    order = np.argsort(found.by_channel)
    assert most == [int(n) for n in order[::-1][:2] if found.by_channel[n] > 0]
    assert least == [int(n) for n in order[:2] if found.by_channel[n] < 0]


def test_one_step_is_activation_times_gradient(net):
    """Against finite differences: the layer times 1 + e changes the score by e times the sum."""
    (found,) = attribute(net, logit(1) - logit(2), PHOTO, ["first"], steps=1)
    (more,) = attribute(net, logit(1) - logit(2), PHOTO, ["first"], steps=512)
    assert abs(more.missing) < 0.01 * abs(more.score - more.baseline)
    assert found.score == pytest.approx(more.score, rel=1e-5)
    assert found.score == pytest.approx(found.values.sum(), rel=1e-4)  # no bias: homogeneous


def test_several_layers(net):
    found = attribute(net, logit(0), PHOTO, ["first", "second"], steps=1)
    assert [a.tap for a in found] == ["first", "second"]
    assert found[0].values.shape == (11, 10, 4)


def test_a_unit_is_taken_before_its_relu(net):
    (first,) = attribute(net, channel("second", 2), PHOTO, ["first"], steps=1)
    # The mean of the unit before the ReLU is linear in the first layer.
    assert abs(first.missing) < 1e-5


def test_rows_are_independent_of_the_number_of_steps(net):
    (few,) = attribute(net, logit(3), PHOTO, ["second"], steps=3)
    (many,) = attribute(net, logit(3), PHOTO, ["second"], steps=40)
    np.testing.assert_allclose(few.values, many.values, rtol=1e-4, atol=1e-6)


def test_errors_name_what_is_wrong(net):
    with pytest.raises(UsageError, match="does not depend on second; name a layer before it"):
        attribute(net, channel("first", 2), PHOTO, ["second"])
    with pytest.raises(UsageError, match="steps 0: expected 1 or more"):
        attribute(net, logit(3), PHOTO, ["first"], steps=0)
