from itertools import pairwise

import numpy as np
from support.tiny import network

import kerasviz
from kerasviz.optvis.objectives.objective import channel, interpolation
from kerasviz.optvis.optimization.precision import PrecisionChoice
from kerasviz.optvis.parameterizations import Aligned, Fourier
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.batching import make_batches
from kerasviz.rendering.render import render, render_batch
from kerasviz.rendering.request import Request

SMALL = recipe("article").replace(steps=6, size=(13, 17))


def test_the_public_function_is_the_function():
    assert kerasviz.render is render


def test_a_rendering_has_images_losses_scores_snapshots_and_provenance():
    net = network()
    made = render(net, ["joined:1", "joined:4"], steps=5, size=12, seed=3, snapshots=(0, 2))
    assert made.images.shape == (2, 12, 12, 3)
    assert made.losses.shape == (2, 5) and made.scores.shape == (2,)
    assert list(made.snapshots) == [0, 2] and made.snapshots[2].shape == (2, 12, 12, 3)
    about = made.provenance[1]
    assert about["target"] == "joined:4" and about["seed"] == 3 and about["row"] == 0
    assert about["network"]["sha256"] == net.identity.sha256
    again = Request.from_json(about["target"], about)
    np.testing.assert_array_equal(
        render_batch(net, make_batches(net, [again, again])[0])[0].image.shape, (12, 12, 3)
    )


def test_pictures_come_in_the_order_asked_for():
    net = network()
    mixed = render(net, ["joined", "joined:2", "relu1:1", "joined:3"], steps=3, size=12)
    assert [p.request.text for p in mixed.pictures] == ["joined", "joined:2", "relu1:1", "joined:3"]


def test_objectives_may_be_given_instead_of_words():
    net = network()
    words = render(net, "joined:1 - 0.5*relu1:2", steps=3, size=12)
    things = render(net, channel("joined", 1) - 0.5 * channel("relu1", 2), steps=3, size=12)
    np.testing.assert_array_equal(words.images, things.images)


def test_an_interpolation_goes_evenly_from_one_unit_to_the_other():
    """The ends are for one unit each, neighbours are alike, other requests change nothing."""
    net = network()
    chosen = SMALL.replace(
        steps=60, parameterization=Aligned(Fourier(), shared=(8, 4), ramps=(4,)), learning_rate=0.1
    )
    faded = interpolation(channel("joined", 1), channel("left", 2), ["relu1"])
    wanted = Request("1 to 2", faded, chosen, rows=6, batch=8)
    pictures = render_batch(net, make_batches(net, [wanted])[0])
    images = np.stack([p.image for p in pictures])
    measured = net.activations(images, ["joined_pre_relu", "left"])
    first = measured["joined_pre_relu"].numpy()[..., 1].mean((1, 2))
    last = measured["left"].numpy()[..., 2].mean((1, 2))
    assert first.argmax() < 3 <= last.argmax()
    assert first[0] > first[5] and last[5] > last[0]
    apart = np.abs(images[:, np.newaxis] - images[np.newaxis]).mean((2, 3, 4))
    assert max(apart[k, k + 1] for k in range(5)) < apart[0, 5]
    # Pictures of their own would be as far from their neighbours as from any other.
    alone = wanted.recipe.replace(parameterization=Fourier())
    strangers = render_batch(
        net, make_batches(net, [Request("1 to 2", faded, alone, rows=6, batch=8)])[0]
    )
    gaps = [np.abs(a.image - b.image).mean() for a, b in pairwise(strangers)]
    assert np.mean([apart[k, k + 1] for k in range(5)]) < np.mean(gaps)


def test_the_defaults_are_the_fast_recipe_and_the_fastest_precision(monkeypatch):
    asked = []

    def chosen(net, taps, existing):
        asked.append(tuple(taps))
        return PrecisionChoice("bfloat16", "for this test")

    monkeypatch.setattr("kerasviz.optvis.optimization.precision.choose", chosen)
    made = render(network(), "joined:1", steps=2, size=16)
    (picture,) = made.pictures
    assert picture.request.recipe == recipe("fast").replace(
        steps=2, size=(16, 16), precision="bfloat16"
    )
    assert len(asked) == 1
    own = recipe("fast").replace(name="own", steps=2, size=(16, 16))
    for given in ({"recipe": own}, {"steps": 2, "size": 16, "precision": "float32"}):
        (picture,) = render(network(), "joined:1", **given).pictures
        assert picture.request.recipe.precision == "float32"
    assert len(asked) == 1
