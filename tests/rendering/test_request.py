from dataclasses import replace

import numpy as np
import pytest
from support import tokens
from support.tiny import network

from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.objectives.targets import Target, parse_target
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.adapting import adapt_recipe, with_diversity
from kerasviz.rendering.batching import make_batches
from kerasviz.rendering.render import render, render_batch
from kerasviz.rendering.request import Request, in_one_loop, make_requests

SMALL = recipe("article").replace(steps=6, size=(13, 17))


def requests(units, **settings):
    return [Request(f"joined:{u}", channel("joined", u), SMALL, **settings) for u in units]


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


def test_diverse_pictures_stay_together_and_differ_more():
    net = network()
    (target,) = parse_target("joined:1", net)
    chosen = SMALL.replace(steps=60)

    def likeness(objective):
        (each,) = make_batches(net, [Request("x", objective, chosen, rows=3)])
        assert each.batch == 4
        images = np.stack([p.image for p in render_batch(net, each)])
        a = net.activations(images, ["joined"])["joined"].numpy().reshape(3, -1, 9)
        gram = np.einsum("bpc,bpd->bcd", a, a).reshape(3, -1)
        gram /= np.linalg.norm(gram, axis=1, keepdims=True)
        return ((gram @ gram.T).sum() - 3) / 6

    assert likeness(with_diversity(target, net, 5.0).objective) < likeness(target.objective) - 0.01


def test_channels_of_the_first_relu_get_a_picture_and_not_a_colour():
    """Before it they are linear in the image: the recipe takes them after it, and starts them."""
    net = network()
    (picture,) = render(net, "relu1:3", steps=20, size=24).pictures  # a dead one
    chosen = picture.request.recipe
    assert not chosen.pre_activation and chosen.redirect_steps == 17
    assert picture.image.std() > 0.02
    for other in ("joined:1", "conv1:3", "relu1:1@center"):
        (target,) = parse_target(other, net)
        assert adapt_recipe(SMALL, target.objective, net) == SMALL
    lucid = recipe("lucid")
    assert adapt_recipe(lucid, channel("relu1", 1), net) == lucid


def test_channels_of_the_first_activation_are_taken_after_it_by_a_recipe_that_looks_behind_any():
    net, vit = network(), recipe("vit")
    adapted = adapt_recipe(vit, channel("relu1", 3), net)
    assert adapted == vit.replace(pre_activation=False, redirect_steps=17)
    assert adapt_recipe(vit, channel("joined", 1), net) == vit


def test_targets_become_requests_of_their_kind():
    net = network()
    targets = [*parse_target("joined:1-2", net), *parse_target("relu1:3", net)]
    plain = make_requests(net, targets, SMALL, seed=3, snapshots=[0, 2])
    assert plain[0] == Request("joined:1", channel("joined", 1), SMALL, 3, (0, 2))
    assert [request.text for request in plain] == ["joined:1", "joined:2", "relu1:3"]
    assert not plain[2].recipe.pre_activation
    (against, _, _) = make_requests(net, targets, SMALL, kind="negative", rows=3)
    assert (against.text, against.rows) == ("-joined:1", 3)
    opposite = Target("-joined:1", -channel("joined", 1))
    assert against.objective == with_diversity(opposite, net).objective
    (centre, *_) = make_requests(net, targets, SMALL, kind="neuron")
    assert centre.text == "joined:1@center"
    with pytest.raises(UsageError, match="a neuron is the centre of one unit"):
        make_requests(net, parse_target("joined", net), SMALL, kind="neuron")


def test_keys_stay_as_they_were():
    """Stores, atlases and the service's queue find pictures of earlier versions by these."""
    (base,) = requests([1], batch=4, snapshots=(0, 2))
    assert base.key(network()) == "202b6c030cadbee3"


@pytest.mark.parametrize("target", ["block:3@0", "block:3@-1", "block:3@1,2", "block:3@center"])
def test_the_score_of_a_token_is_its_activation(target):
    net = tokens.network(2)
    made = render(net, [target], recipe="fast", steps=3, size=(13, 22))
    rows = net.activations(made.images, ["block"])["block"].numpy()[0, :, 3]
    number = {"block:3@0": 0, "block:3@-1": 16, "block:3@1,2": 9, "block:3@center": 9}[target]
    assert np.isclose(made.scores[0], rows[number], atol=1e-4)


def test_the_score_of_a_head_is_the_mean_of_its_squares():
    net = tokens.network(1)
    made = render(net, ["projected:head-1"], recipe="fast", steps=3, size=(13, 22))
    joined = net.activations(made.images, ["joined"])["joined"].numpy()[0]
    assert np.isclose(made.scores[0], np.mean(joined[:, 3:] ** 2), rtol=1e-4)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("joined:1@6,0", "joined has 6x8 positions in images of 13x17; give joined:1@y,x with y"),
        ("joined:1@0,-9", "x from 0 to 7"),
        ("joined:1@3", "give joined:1@y,x"),
        ("pooled:1@0,0", "pooled has no positions; give pooled:1"),
    ],
)
def test_positions_outside_are_refused_before_the_first_step(target, message):
    net = network()
    with pytest.raises(UsageError, match=message):
        make_requests(net, parse_target(target, net), SMALL)
    stored = Request(target, parse_target("joined:1@6,0", net)[0].objective, SMALL)
    with pytest.raises(UsageError, match="joined has 6x8 positions"):
        make_batches(net, [stored])


def test_negative_positions_count_from_the_end():
    net = network()
    made = render(net, ["right:2@-1,-2", "right:2@5,6"], recipe="fast", steps=3, size=(13, 17))
    assert np.array_equal(made.images[0], made.images[1])
    there = net.activations(made.images, ["right"])["right"].numpy()[:, 5, 6, 2]
    assert np.allclose(made.scores, there, atol=1e-4)


def test_diversity_of_classes_is_that_of_tokens_where_there_are_any():
    net = tokens.network(1)
    assert with_diversity(parse_target("logit:1", net)[0], net).objective.terms[1].tap == "block"
    shown = replace(net, main_taps=("added", "mean"))
    assert with_diversity(parse_target("logit:1", net)[0], shown).objective.terms[1].tap == "added"
    only_maps = network()
    target = parse_target("logit:1", only_maps)[0]
    assert with_diversity(target, only_maps).objective.terms[1].tap == "joined"
    requests = make_requests(net, parse_target("block:1", net), SMALL, rows=3)
    (batch,) = make_batches(net, requests)
    pictures = render_batch(net, batch)
    assert len({p.image.tobytes() for p in pictures}) == 3


def test_objectives_of_maps_are_written_as_before():
    net = network()
    written = [
        ("joined:2@3,1", {"kind": "neuron", "tap": "joined", "unit": 2, "position": (3, 1)}),
        ("joined:2@center", {"kind": "neuron", "tap": "joined", "unit": 2}),
        ("joined", {"kind": "layer", "tap": "joined"}),
        ("logit:1", {"kind": "logit", "unit": 1}),
    ]
    for text, data in written:
        assert parse_target(text, net)[0].objective.to_json() == [{**data, "weight": 1.0}]


def in_loop(targets, layers, net, **settings):
    """The requests of targets whose layers share a loop."""
    found = [parse_target(text, net)[0] for text in targets]
    made = make_requests(net, found, SMALL, **settings)
    return [in_one_loop(request, layers, net) for request in made]


def test_units_of_layers_that_share_a_loop_are_made_in_one_batch_as_if_alone():
    net = network()
    targets = ["joined:1", "conv1:2", "logit:goldfish", "left:0"]
    shared = in_loop(targets, ["left", "conv1", "joined", "logits"], net)
    (batch,) = make_batches(net, [shared[0], *shared[2:]])  # conv1 is the first: its own recipe
    assert batch.rows == 3
    pictures = [*render_batch(net, batch), *render_batch(net, make_batches(net, [shared[1]])[0])]
    for picture in pictures:
        (alone,) = render_batch(
            net, make_batches(net, [replace(picture.request, loop_layers=())])[0]
        )
        np.testing.assert_allclose(picture.image, alone.image, atol=2e-3)
        assert picture.score == pytest.approx(alone.score, rel=1e-3)
    # A row depends on the layers of its loop, not on the units beside it.
    other = in_loop(["joined:1", "left:3"], ["logits", "conv1", "left", "joined"], net)
    one = replace(other[0], batch=4)
    (again,) = render_batch(net, make_batches(net, [one])[0])
    np.testing.assert_array_equal(again.image, pictures[0].image)


def test_layers_of_a_loop_are_recorded_and_part_of_the_key():
    net = network()
    (plain,) = requests([1])
    (shared,) = in_loop(["joined:1"], ["left/relu", "first"], net)
    assert shared.loop_layers == ("left/relu", "relu1"), "sorted, by their own names"
    assert Request.from_json(shared.text, shared.to_json()) == shared
    assert "loop_layers" not in plain.to_json() and shared.key(net) != plain.key(net)
    with pytest.raises(UsageError, match=r"lefd.*left"):
        in_one_loop(plain, ["lefd"], net)
