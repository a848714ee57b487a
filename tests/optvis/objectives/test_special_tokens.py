"""Means over the tokens of patches: what counts, what keeps all tokens, and where gradients go."""

import numpy as np
import pytest
import tensorflow as tf
from support.tokens import TokenProgram, network

from kerasviz.network.input_spec import preset
from kerasviz.network.network import Identity, Network
from kerasviz.optvis.objectives import objective as ask
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.scoring import own_scores, scores
from kerasviz.optvis.objectives.special_tokens import left_out, of_patches
from kerasviz.optvis.objectives.structure import structure_of
from kerasviz.optvis.optimization.optimize import optimize
from kerasviz.optvis.optimization.run import CHUNK, LoopInputs
from kerasviz.optvis.recipes import recipe

SIZE = (12, 20)


def reader() -> Network:
    """A transformer of one block whose hidden unit 0 is the red of a patch, less green and blue.

    Hidden unit 1 is on at the class token alone: the red that it gathers by attention from all
    patches. At patches that are not black it is off, to the last bit.
    """
    program = TokenProgram()
    weights = {name: np.zeros(w.shape, np.float32) for name, w in program.weights.items()}
    for colour in range(3):
        weights["patches"][:, :, colour, colour] = 1 / 16
    weights["special"][0, 0, 3] = 1.0
    weights["value"][0, 4] = 1.0  # red, gathered by even attention
    weights["project"][4, 4] = 1.0
    weights["fc1"][:3, 0] = 1.0, -0.5, -0.5
    weights["fc1"][4, 1] = 3.0
    weights["fc1"][:3, 1] = -200.0
    program.weights = {name: tf.constant(w) for name, w in weights.items()}
    identity = Identity("reader", "reader", "zoo", "e" * 64)
    return Network(program, identity, input_spec=preset("unit"))


def scored(net, objective, images, special):
    structure = structure_of(objective, net)
    packed = pack_objectives(structure, [objective] * len(images), net, size=SIZE)
    data = {name: tf.constant(array) for name, array in packed.items()}
    groups = tf.zeros(len(images), tf.int32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        activations = net.activations(images, [slot.tap for slot in structure])
        total = scores(structure, activations, data, groups, None, special)
    own = own_scores(structure, activations, data, groups, special)
    assert np.array_equal(total, own)
    return total.numpy(), tape.gradient(total, images).numpy(), activations


@pytest.mark.parametrize("special", [1, 2, 5])
def test_the_special_tokens_of_taps_are_counted(special):
    net = network(special)
    taps = ["block", "mean", "patches", "rows"]
    assert left_out(net, False, taps) == {"block": special}
    assert left_out(net, True, taps) == {}


@pytest.mark.parametrize(
    "objective",
    [
        ask.channel("active", 3),
        ask.direction("active", np.arange(8.0) - 3),
        ask.direction("active", np.arange(8.0) - 3, cosine=2),
        ask.layer("active"),
    ],
    ids=["channel", "direction", "cosine", "layer"],
)
def test_a_mean_over_patches_is_that_of_a_row_without_special_tokens(objective):
    net = network(2)
    images = tf.constant(np.random.default_rng(0).uniform(0, 1, (3, *SIZE, 3)), tf.float32)
    found, _, activations = scored(net, objective, images, {"active": 2})
    structure = structure_of(objective, net)
    packed = pack_objectives(structure, [objective] * 3, net, size=SIZE)
    rest = {name: np.asarray(a)[:, 2:] for name, a in activations.items()}
    expected = scores(structure, rest, packed, tf.zeros(3, tf.int32))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    plain, _, _ = scored(net, objective, images, {})
    assert not np.allclose(found, plain, rtol=1e-4)


def test_a_named_token_and_a_function_see_all_tokens():
    rows = tf.reshape(tf.range(12.0), [1, 4, 3])
    for reduction in ("point", "whole", "function"):
        assert of_patches(rows, reduction, 1) is rows
    assert np.array_equal(of_patches(rows, "mean", 1), rows[:, 1:])
    net = network(1)
    images = tf.constant(np.random.default_rng(1).uniform(0, 1, (1, *SIZE, 3)), tf.float32)
    at = ask.neuron("active", 3, (0,))  # the class token
    assert np.array_equal(scored(net, at, images, {"active": 1})[0], scored(net, at, images, {})[0])


def test_a_unit_of_the_class_token_gives_patches_no_gradient_unless_it_counts():
    net = reader()
    images = tf.constant(np.random.default_rng(2).uniform(0.2, 1, (1, *SIZE, 3)), tf.float32)
    score, gradient, _ = scored(net, ask.channel("active", 1), images, {"active": 1})
    assert score == 0 and not gradient.any()
    score, gradient, _ = scored(net, ask.channel("active", 1), images, {})
    assert score > 0 and (gradient[..., 0] > 0).all()


def test_the_recipe_vit_draws_the_colour_that_every_patch_is_read_for():
    net = reader()
    chosen = recipe("vit").replace(size=(24, 24), steps=128)
    structure = structure_of(ask.channel("active", 0), net)
    data = pack_objectives(structure, [ask.channel("active", 0)] * 2, net)
    rows = np.arange(2, dtype=np.int32)
    found = optimize(net, chosen, LoopInputs(structure, data, rows, rows))
    red, green, blue = found.images.mean((0, 1, 2))
    assert red > 0.5 and green < 0.3 and blue < 0.3  # of 0.5 each at the start
    patches = np.asarray(net.activations(found.images, ["active"])["active"])[:, 1:, 0]
    assert (patches > 0).mean() > 0.8
    np.testing.assert_allclose(found.scores, patches.mean(1), rtol=1e-5)


def test_a_row_does_not_know_of_the_others_and_continues_from_a_checkpoint():
    net, chosen = network(2), recipe("vit").replace(size=SIZE, steps=CHUNK + 3)
    structure = structure_of(ask.channel("active", 0), net, chosen.pre_activation)

    def run(units, seeds, **settings):
        rows = [ask.channel("active", unit) for unit in units]
        data = pack_objectives(structure, rows, net, chosen.pre_activation)
        numbers = np.arange(len(units), dtype=np.int32)
        inputs = LoopInputs(structure, data, np.array(seeds, np.int32), numbers)
        return optimize(net, chosen, inputs, **settings)

    reports = []
    first = run((1, 5), (3, 0), progress=reports.append)
    other = run((7, 5), (9, 0))
    assert np.array_equal(first.images[1], other.images[1])
    assert np.array_equal(first.history[:, 1], other.history[:, 1])
    again = run((1, 5), (3, 0), resume=reports[0].checkpoint())
    assert reports[0].step == CHUNK and np.array_equal(again.images, first.images)
