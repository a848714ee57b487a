"""A photo's pass: derivatives from a layer's values on, in networks of every format and batch."""

from __future__ import annotations

import numpy as np
import pytest
from support.analysed import of_keras, of_onnx, onnx_model

import kerasviz
from kerasviz.analysis import photo_pass
from kerasviz.analysis.photo_pass import PhotoPass, score_of
from kerasviz.optvis.objectives.objective import channel, logit

PHOTO = np.random.default_rng(2).uniform(size=(13, 12, 3)).astype(np.float32)


def of_one_image():
    """The same network, whose file names one image."""
    model = onnx_model()
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.shape.dim[0].dim_value = 1
    return kerasviz.load(model, preprocess="unit")


@pytest.fixture(scope="module", params=[of_keras, of_onnx, of_one_image])
def net(request):
    return request.param()


def test_scores_and_derivatives_at_shares_of_a_layer(net):
    """Against finite differences along the layer itself; 18 rows are several batches."""
    score = score_of(net, logit(1) - 2 * logit(4), (13, 12))
    run = PhotoPass(net, PHOTO, ["first"], score.taps)
    shares = np.linspace(0, 1, 18)
    found, slopes = run.derivatives("first", score, shares)
    assert found[0] == pytest.approx(0, abs=1e-6)  # no bias
    assert found[-1] == pytest.approx(run.score(score), rel=1e-4)
    np.testing.assert_allclose(found, shares * found[-1], rtol=1e-3, atol=1e-5)
    along = (slopes * run.values("first")).reshape(18, -1).sum(1)
    np.testing.assert_allclose(along[1:], found[-1], rtol=1e-3)


def test_values_are_those_of_the_network(net):
    run = PhotoPass(net, PHOTO, ["first", "second"], ["logits"])
    plain = net.activations(PHOTO[None], ["first", "second", "logits"])
    for tap, value in plain.items():
        np.testing.assert_allclose(run.values(tap), value[0], rtol=1e-5, atol=1e-6)
    assert run.on_map("second", run.values("second")).shape == (9, 8, 5)
    assert run.on_map("logits", run.values("logits")) is None and run.special("second") == 0


def test_a_score_that_reads_the_layer_itself(net):
    score = score_of(net, channel("second", 2), (13, 12), pre_activation=False)
    run = PhotoPass(net, PHOTO, ["second"], score.taps)
    _, slopes = run.derivatives("second", score, [1.0])
    np.testing.assert_allclose(slopes[0, ..., 2], 1 / 72, rtol=1e-5)
    assert not slopes[0, ..., [0, 1, 3, 4]].any()


def test_large_layers_are_computed_in_small_batches(net, monkeypatch):
    """The results are those of one batch, and none has more numbers of a layer than allowed."""
    score = score_of(net, logit(1), (13, 12))
    run = PhotoPass(net, PHOTO, ["second"], score.taps)
    shares = [0.2, 0.4, 0.6, 0.8, 1.0]
    expected = run.derivatives("second", score, shares)
    largest = max(run.values(tap).size for tap in ("second", *score.taps))
    monkeypatch.setattr(photo_pass, "MOST_NUMBERS", 2 * largest)
    batches = []
    original = PhotoPass._differentiated

    def noted(self, tap, score, shares, rows):
        batches.append(len(rows))
        return original(self, tap, score, shares, rows)

    monkeypatch.setattr(PhotoPass, "_differentiated", noted)
    found = run.derivatives("second", score, shares)
    assert sum(batches) == 5 and max(batches) == 2
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
