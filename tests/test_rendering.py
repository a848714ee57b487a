from itertools import pairwise

import numpy as np
import pytest
from tiny import network

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.objectives import channel, interpolation
from kerasviz.parameterizations import Aligned, Fourier
from kerasviz.recipes import recipe
from kerasviz.rendering import Request, diverse, fitting, plan, render, render_plan
from kerasviz.targets import parse_target

SMALL = recipe("article").replace(steps=6, size=(13, 17))


def requests(units, **settings):
    return [Request(f"joined:{u}", channel("joined", u), SMALL, **settings) for u in units]


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
        render_plan(net, plan(net, [again, again])[0])[0].image.shape, (12, 12, 3)
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


def test_plans_have_canonical_sizes_and_keep_every_request():
    net = network()
    for count, sizes in ((1, [1]), (4, [4]), (16, [16]), (20, [8] * 3), (32, [16] * 2)):
        plans = plan(net, requests([i % 9 for i in range(count)]))
        assert [p.batch for p in plans] == sizes
        assert sum(p.rows for p in plans) == count


def test_big_pictures_get_small_batches():
    big = [
        Request("x", channel("joined", 1), SMALL.replace(size=(1024, 1024)), s) for s in range(9)
    ]
    assert {p.batch for p in plan(network(), big)} == {1}


def test_a_fixed_batch_is_padded_and_padding_does_not_show():
    net = network()
    alone = plan(net, requests([2], batch=4))
    assert [(p.batch, p.rows) for p in alone] == [(4, 1)]
    full = plan(net, requests([1, 2, 4, 5], batch=4))
    (picture,) = render_plan(net, alone[0])
    np.testing.assert_array_equal(picture.image, render_plan(net, full[0])[1].image)
    assert picture.batch == 4


def test_a_plan_of_what_is_missing_keeps_its_batch_size():
    net = network()
    (whole,) = plan(net, requests(range(4)))
    part = whole.only(lambda r: r.text == "joined:3")
    assert part.batch == 4 and len(part.requests) == 1
    np.testing.assert_array_equal(render_plan(net, part)[0].image, render_plan(net, whole)[3].image)
    assert whole.only(lambda r: False) is None


def test_diverse_pictures_stay_together_and_differ_more():
    net = network()
    (target,) = parse_target("joined:1", net)
    chosen = SMALL.replace(steps=60)

    def likeness(objective):
        (each,) = plan(net, [Request("x", objective, chosen, rows=3)])
        assert each.batch == 4
        images = np.stack([p.image for p in render_plan(net, each)])
        a = net.activations(images, ["joined"])["joined"].numpy().reshape(3, -1, 9)
        gram = np.einsum("bpc,bpd->bcd", a, a).reshape(3, -1)
        gram /= np.linalg.norm(gram, axis=1, keepdims=True)
        return ((gram @ gram.T).sum() - 3) / 6

    assert likeness(diverse(target, net, 5.0).objective) < likeness(target.objective) - 0.01


def test_groups_of_diverse_pictures_are_not_split():
    net = network()
    (target,) = parse_target("joined:1", net)
    many = [Request(f"{i}", diverse(target, net).objective, SMALL, i, rows=3) for i in range(6)]
    for each in plan(net, many):
        assert each.rows % 3 == 0 and each.rows <= each.batch


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": -1}, "seed -1"),
        ({"snapshots": (7,)}, "snapshot at step 7: this run has the steps 0 to 6"),
        ({"rows": 4, "batch": 2}, "batch 2: 4 pictures are optimized together"),
    ],
)
def test_wrong_requests(settings, message):
    with pytest.raises(UsageError, match=message):
        requests([1], **settings)


def test_a_unit_out_of_range_is_found_before_anything_runs():
    with pytest.raises(UsageError, match="joined_pre_relu has the units 0 to 8"):
        plan(network(), requests([9]))


def test_the_key_knows_what_matters():
    net = network()
    (base,) = requests([1])
    same = Request("other words", channel("joined", 1), SMALL.replace(name="mine"))
    assert base.key(net) == same.key(net)
    for other in (
        Request("joined:1", channel("joined", 1), SMALL, seed=1),
        Request("joined:1", channel("joined", 1), SMALL.replace(steps=7)),
        Request("joined:1", channel("joined", 2), SMALL),
        Request("joined:1", channel("joined", 1), SMALL, snapshots=(0,)),
    ):
        assert other.key(net) != base.key(net)
    assert base.key(network(seed=1)) != base.key(net)


def test_channels_of_the_first_relu_get_a_picture_and_not_a_colour():
    """Before it they are linear in the image: the recipe takes them after it, and starts them."""
    net = network()
    (picture,) = render(net, "relu1:3", steps=20, size=24).pictures  # a dead one
    chosen = picture.request.recipe
    assert not chosen.pre_activation and chosen.redirect_steps == 17
    assert picture.image.std() > 0.02
    for other in ("joined:1", "conv1:3", "relu1:1@center"):
        (target,) = parse_target(other, net)
        assert fitting(SMALL, target.objective, net) == SMALL
    lucid = recipe("lucid")
    assert fitting(lucid, channel("relu1", 1), net) == lucid


def test_an_interpolation_goes_evenly_from_one_unit_to_the_other():
    """The ends are for one unit each, neighbours are alike, other requests change nothing."""
    net = network()
    chosen = SMALL.replace(
        steps=60, parameterization=Aligned(Fourier(), shared=(8, 4), ramps=(4,)), learning_rate=0.1
    )
    faded = interpolation(channel("joined", 1), channel("left", 2), ["relu1"])
    wanted = Request("1 to 2", faded, chosen, rows=6, batch=8)
    pictures = render_plan(net, plan(net, [wanted])[0])
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
    strangers = render_plan(net, plan(net, [Request("1 to 2", faded, alone, rows=6, batch=8)])[0])
    gaps = [np.abs(a.image - b.image).mean() for a, b in pairwise(strangers)]
    assert np.mean([apart[k, k + 1] for k in range(5)]) < np.mean(gaps)
