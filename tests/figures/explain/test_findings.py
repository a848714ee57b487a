"""What is found in a photo adds up, in convolutional and token networks, from Keras and ONNX."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.analysed import of_keras, of_onnx, tokens_of_keras, tokens_of_onnx

from kerasviz.errors import UsageError
from kerasviz.figures.explain.findings import ViewOptions, find, one_target

PHOTO = np.random.default_rng(2).uniform(size=(16, 16, 3)).astype(np.float32)
NETS = {
    "keras": (of_keras, ["first", "second"], "second"),
    "onnx": (of_onnx, ["first", "second"], "second"),
    "tokens of keras": (tokens_of_keras, ["patches", "block"], "block"),
    "tokens of onnx": (tokens_of_onnx, ["patches", "block"], "block"),
}


@pytest.fixture(scope="module", params=list(NETS))
def seen(request):
    make, taps, detail = NETS[request.param]
    net = make()
    options = ViewOptions(units=2, gradients=64, groups=5, detail=detail)
    return net, find(net, "photo", PHOTO, None, taps, options)


def test_units_and_positions_of_every_layer_add_up(seen):
    _, found = seen
    for layer in found.explanation.layers:
        total = layer.attribution.by_channel.sum()
        assert layer.map.sum() + layer.special == pytest.approx(total, rel=1e-4, abs=1e-6)
        assert abs(layer.missing) < 0.02 * abs(layer.score - layer.baseline)
    last = found.explanation.layers[-1]
    assert last.score == pytest.approx(last.baseline + total, rel=1e-4)  # linear from there on
    assert found.guesses[0] == (
        int(found.explanation.target.removeprefix("logit:")),
        pytest.approx(found.explanation.score, rel=1e-5),
    )


def test_groups_add_up_to_the_positions_that_they_reproduce(seen):
    _, found = seen
    last = found.explanation.layers[-1]
    lack = found.groups.groups.error
    assert lack < 0.5 and found.groups.contributions.shape == (len(found.groups.groups.units),)
    mapped = np.abs(last.attribution.values).sum()
    assert abs(found.groups.contributions.sum() - last.map.sum()) < lack * mapped


def test_classes_add_up_to_logits_without_special_tokens(seen):
    net, found = seen
    classes, last = found.classes, found.explanation.layers[-1]
    logits = net.activations(PHOTO[None], ["logits"])["logits"].numpy()[0]
    total = classes.contributions.sum((0, 1)) + classes.special
    np.testing.assert_allclose(total, logits[list(classes.classes)], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(classes.contributions[..., 0], last.map, atol=1e-5)
    assert found.special == (1 if "tokens" in net.taps else 0)


def test_units_are_walked_from_layer_to_layer(seen):
    net, found = seen
    (pair,) = found.pairs
    assert pair.units[0] == found.explanation.layers[-1].raising[0].unit
    later = net.activations(PHOTO[None], [pair.later])[pair.later].numpy()[0]
    sums = later.reshape(-1, later.shape[-1]).sum(0)[list(pair.units)]
    if "tokens" not in net.taps:  # without a bias all of a unit is from the layer before
        np.testing.assert_allclose(pair.shares.sum(1), sums, rtol=1e-3)
        assert pair.positions.shape == (12, 12, 14, 14)
    else:
        assert pair.positions.shape == (4, 4, 4, 4)
        spots = pair.positions.reshape(16, 16)
        assert not spots[~np.eye(16, dtype=bool)].any()  # tokens do not mix here
    for row, partners in zip(pair.shares, pair.partners(1), strict=True):
        ends = dict.fromkeys([row.argmax(), row.argmin()])
        assert partners == [(n, row[n]) for n in ends if row[n]]


def test_all_numbers_are_plain_data(seen):
    _, found = seen
    data = json.loads(json.dumps(found.to_json()))
    assert set(data) == {"explanation", "winners", "detail", "groups", "classes", "pairs"}
    assert np.shape(data["detail"]["units"])[:2] == np.shape(
        data["explanation"]["layers"][-1]["map"]
    )
    assert data["detail"]["special"] == found.special


def test_errors_name_what_is_wrong():
    net = of_keras()
    for options, message in (
        (ViewOptions(detail="pooled"), "detail pooled: not among the layers"),
        (ViewOptions(detail="logits"), "give --tap logits too"),
    ):
        with pytest.raises(UsageError, match=message):
            find(net, "photo", PHOTO, None, ["first"], options)
    with pytest.raises(UsageError, match="detail pooled: it has no positions; name a layer"):
        find(net, "photo", PHOTO, None, ["pooled"], ViewOptions(detail="pooled"))
    with pytest.raises(UsageError, match="names 6; explain one"):
        one_target(net, "logit:*")
    with pytest.raises(UsageError, match="tabby"):
        one_target(net, "logit:tabby")
