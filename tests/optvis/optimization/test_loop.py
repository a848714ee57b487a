import io

import numpy as np
import pytest
import tensorflow as tf
from support.tiny import TinyProgram, network
from tensorflow.python.autograph.impl import api

from kerasviz.errors import ModelError
from kerasviz.network.input_spec import preset
from kerasviz.network.network import Identity, Network
from kerasviz.optvis.objectives.objective import channel, diversity, layer, logit
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.scoring import scores
from kerasviz.optvis.objectives.structure import structure_of, taps_in
from kerasviz.optvis.optimization.checkpoint import Checkpoint
from kerasviz.optvis.optimization.compile_cache import cache_of
from kerasviz.optvis.optimization.loops import loop_for
from kerasviz.optvis.optimization.optimize import optimize
from kerasviz.optvis.optimization.run import CHUNK, LoopInputs
from kerasviz.optvis.parameterizations import Fourier, Pixel
from kerasviz.optvis.recipes import recipe
from kerasviz.optvis.transforms.steps import Crop, Jitter, Pad, ResizedCrop, Shrink
from kerasviz.optvis.transforms.transform import FoldedTransform
from reference import objectives as twin
from reference.adam import Adam

SMALL = recipe("article").replace(steps=20, size=(13, 17))
STILL = SMALL.replace(transform=FoldedTransform(()))
SHRUNK = recipe("fast").replace(
    size=(26, 19),
    steps=20,
    transform=FoldedTransform((Pad(3), Jitter(4), ResizedCrop(0.6), Crop(), Shrink(0.5, 8))),
)
#: Shrinking crops of 12 x 13 pixels, several in a step, and an opacity.
MACO = recipe("maco").replace(size=(17, 22), steps=20)
MACO = MACO.replace(transform=MACO.transform.with_crops(size=(12, 13)), views=3)


def batch_of(net, chosen, objectives, seeds):
    structure = structure_of(objectives[0], net, chosen.pre_activation)
    data = pack_objectives(structure, objectives, net, chosen.pre_activation)
    rows = np.arange(len(objectives), dtype=np.int32)
    return LoopInputs(structure, data, np.array(seeds, np.int32), rows)


def run(net, chosen, objectives, seeds, **settings):
    return optimize(net, chosen, batch_of(net, chosen, objectives, seeds), **settings)


def test_the_score_rises_for_every_kind_of_network_input():
    for channels in (1, 3, 5):
        net = network(channels)
        result = run(net, SMALL, [channel("joined", 1), channel("joined", 2)], [0, 1])
        assert result.images.shape == (2, 13, 17, channels)
        assert (result.history[-1] > result.history[0]).all()
        assert result.images.min() >= 0 and result.images.max() <= 1


def test_one_step_of_gradient_descent_follows_the_gradient():
    """z after one step is z + rate * dscore/dz, with the gradient by finite differences."""
    net, rate = network(), 0.5
    chosen = STILL.replace(
        optimizer="gradient-descent", learning_rate=rate, steps=1, parameterization=Pixel(sd=0.3)
    )
    objective = channel("relu1", 1) - 0.5 * channel("relu1", 2)
    batch = batch_of(net, chosen, [objective], [4])
    loop = loop_for(net, batch.structure, chosen)
    data = {k: tf.constant(v) for k, v in batch.data.items()}
    seeds, groups = tf.constant(batch.seeds), tf.constant(batch.groups)
    state = loop.start(seeds)
    moved, _ = loop.advance(state, data, seeds, groups, tf.constant(0), tf.constant(1))
    before, after = state[0].numpy(), moved[0].numpy()

    def score(z):
        image = chosen.parameterization.to_image(tf.constant(z), *chosen.size)
        tap = net.activations(image, ["conv1"])["conv1"].numpy().astype(np.float64)
        return tap[..., 1].mean() - 0.5 * tap[..., 2].mean()

    for place in [(0, 0, 0, 0), (0, 5, 7, 1), (0, 6, 3, 2)]:
        nudge = np.zeros_like(before)
        nudge[place] = 0.05
        slope = (score(before + nudge) - score(before - nudge)) / 0.1
        assert (after - before)[place] == pytest.approx(rate * slope, rel=0.02, abs=1e-5)


def test_adam_agrees_with_its_formula():
    """Five updates against a numpy twin of TensorFlow 1's Adam, gradients by another tape."""
    net = network()
    chosen = STILL.replace(parameterization=Pixel(sd=0.3), steps=5)
    batch = batch_of(net, chosen, [channel("relu1", 1)], [0])
    loop = loop_for(net, batch.structure, chosen)
    data = {k: tf.constant(v) for k, v in batch.data.items()}
    seeds, groups = tf.constant(batch.seeds), tf.constant(batch.groups)
    state = loop.start(seeds)
    z = state[0].numpy().astype(np.float64)
    adam = Adam(rate=0.05)
    for _ in range(5):
        with tf.GradientTape() as tape:
            variable = tf.constant(z, tf.float32)
            tape.watch(variable)
            image = chosen.parameterization.to_image(variable, *chosen.size)
            score = tf.reduce_mean(net.activations(image, ["conv1"])["conv1"][..., 1])
        g = tape.gradient(score, variable).numpy().astype(np.float64)
        z = adam(z, g)
    moved, _ = loop.advance(state, data, seeds, groups, tf.constant(0), tf.constant(5))
    np.testing.assert_allclose(moved[0], z, atol=1e-5)


def test_minimizing_is_not_maximizing():
    net = network()
    objective = channel("joined", 1)
    result = run(net, STILL, [objective, -objective], [0, 0])
    tap = net.activations(result.images, ["block_pre_relu"])["block_pre_relu"][..., 1].numpy()
    assert tap[0].mean() > 0 > tap[1].mean()
    assert result.scores == pytest.approx([tap[0].mean(), -tap[1].mean()], rel=1e-4)


def test_rows_do_not_depend_on_what_else_is_in_the_batch_or_in_which_order():
    net = network()
    objectives = [channel("joined", u) for u in (1, 2, 4, 5)]
    first = run(net, SMALL, objectives, [0, 1, 2, 3])
    turned = run(net, SMALL, objectives[::-1], [3, 2, 1, 0])
    others = run(net, SMALL, [objectives[0], *[channel("joined", 7)] * 3], [0, 9, 9, 9])
    np.testing.assert_array_equal(first.images, turned.images[::-1])
    np.testing.assert_array_equal(first.images[0], others.images[0])
    assert np.any(first.images[0] != first.images[1])


def test_images_are_seen_smaller_and_scored_whole():
    net, objectives = network(), [channel("joined", u) for u in (1, 2, 4)]
    result = run(net, SHRUNK, objectives, [3, 4, 5], snapshots=[0])
    start = tf.constant(result.snapshots[0])
    seen = SHRUNK.transform.apply(start, tf.constant([3, 4, 5]), 0)
    assert seen.shape == (3, *SHRUNK.seen_size, 3) == (3, 13, 9, 3)
    for images, found in ((seen, result.history[0]), (result.images, result.scores)):
        before = net.activations(images, ["block_pre_relu"])["block_pre_relu"].numpy()
        expected = [before[i, :, :, u].mean() for i, u in enumerate((1, 2, 4))]
        assert found == pytest.approx(expected, abs=1e-5)
    assert (result.history[-4:].mean(axis=0) > result.history[:4].mean(axis=0)).all()
    others = run(net, SHRUNK, [objectives[0], objectives[2], channel("joined", 7)], [9, 5, 1])
    np.testing.assert_array_equal(others.images[1], result.images[2])


def test_rows_with_views_are_to_the_last_bit_the_same_wherever_they_stand():
    net = network()
    first = run(net, MACO, [channel("joined", u) for u in (1, 2, 4)], [5, 6, 7])
    second = run(net, MACO, [channel("joined", u) for u in (7, 4, 1)], [1, 2, 5])
    for name in ("images", "opacity"):
        np.testing.assert_array_equal(getattr(first, name)[0], getattr(second, name)[2])
    assert (first.history[-5:].mean(0) > first.history[0]).all()
    assert first.opacity.shape == (3, 17, 22) and first.images.shape == (3, 17, 22, 3)


def test_the_score_of_a_step_is_the_mean_over_views_and_rows_are_coupled_within_a_view():
    net = network()
    objective = channel("joined", 1) + diversity("joined", 0.5)
    batch = batch_of(net, MACO, [objective] * 2, [3, 4])
    groups = np.zeros(2, np.int32)
    batch = LoopInputs(batch.structure, batch.data, batch.seeds, groups)
    transform = MACO.transform.with_crops(steps=MACO.steps)
    result = optimize(net, MACO, batch, snapshots=(0, 9))
    data = {name: tf.constant(array) for name, array in batch.data.items()}
    for step in (0, 9):
        seen = transform.apply(tf.constant(result.snapshots[step]), batch.seeds, step, 3)
        expected = np.zeros(2)
        for view in range(3):
            activations = net.activations(seen[view::3], taps_in(batch.structure))
            expected += scores(batch.structure, activations, data, groups).numpy() / 3
        np.testing.assert_allclose(result.history[step], expected, rtol=1e-4)
    # The finished image is scored as a whole, in the size that the network sees.
    whole = net.activations(MACO.transform.whole(tf.constant(result.images)), ["left"])["left"]
    assert (
        whole.shape[1:3] == net.activations(np.zeros((1, 12, 13, 3)), ["left"])["left"].shape[1:3]
    )
    np.testing.assert_allclose(result.scores, whole[..., 1].numpy().mean((1, 2)), rtol=1e-4)


def test_crops_shrink_over_the_steps_of_the_recipe():
    net = network()
    batch = batch_of(net, MACO, [channel("joined", 1)], [0])
    short, long = (loop_for(net, batch.structure, MACO.replace(steps=n)) for n in (8, 16))
    assert short is not long and short.recipe.transform.crop.steps == 8
    again = loop_for(net, batch.structure, MACO.replace(steps=16, name="other"))
    assert again is long


def test_classes_are_optimized_against_their_rivals_and_scored_without():
    net = network()
    chosen = STILL.replace(steps=24, rivals=0.5)
    units, seeds = (3, 0, 2), (5, 6, 7)
    result = run(net, chosen, [logit(u) for u in units], seeds, snapshots=[0])
    logits = net.activations(result.snapshots[0], ["logits"])["logits"].numpy()
    for k, unit in enumerate(units):
        expected = twin.logit_among_rivals(logits[k].astype(np.float64), unit, 0.5)
        assert result.history[0, k] == pytest.approx(expected, abs=1e-4)
    logits = net.activations(result.images, ["logits"])["logits"].numpy()
    assert result.scores == pytest.approx([logits[k, u] for k, u in enumerate(units)], rel=1e-4)
    assert (result.history[-1] > result.history[0]).all()
    beside_others = run(net, chosen, [logit(u) for u in (1, 0, 1)], [1, 6, 2])
    np.testing.assert_array_equal(beside_others.images[1], result.images[1])
    turned = run(net, chosen, [logit(u) for u in units[::-1]], seeds[::-1])
    np.testing.assert_allclose(turned.images[::-1], result.images, atol=1e-4)
    plain = run(net, chosen.replace(rivals=0.0), [logit(u) for u in units], seeds)
    assert np.any(plain.images != result.images)


def test_the_border_of_a_small_vivid_picture_is_optimized():
    net = network()
    chosen = recipe("vivid").replace(size=(48, 48), steps=40)
    result = run(net, chosen, [channel("joined", u) for u in (1, 2)], [0, 1], snapshots=[0])
    middle = result.images.mean(axis=(1, 2), keepdims=True)
    variance = np.square(result.images - middle).mean(axis=(0, 3))
    change = np.square(result.images - result.snapshots[0]).mean(axis=(0, 3))
    frame = np.ones((48, 48), bool)
    frame[4:-4, 4:-4] = False
    # 0.46 and 0.32 with windows that lie inside the image
    assert variance[frame].mean() > 0.6 * variance[~frame].mean()
    assert change[frame].mean() > 0.35 * change[~frame].mean()
    for rows, columns in np.ndindex(2, 2):  # and no corner is left as it was
        corner = change[rows * 45 : rows * 45 + 3, columns * 45 : columns * 45 + 3]
        assert corner.mean() > 0.1 * change[~frame].mean()


def test_chunks_and_snapshots_change_nothing():
    net = network()
    long = SMALL.replace(steps=CHUNK + 5)
    plain = run(net, long, [channel("joined", 1)], [0])
    marked = run(net, long, [channel("joined", 1)], [0], snapshots=(0, 3, CHUNK + 5))
    np.testing.assert_array_equal(plain.images, marked.images)
    np.testing.assert_array_equal(plain.history, marked.history)
    np.testing.assert_array_equal(marked.snapshots[CHUNK + 5], marked.images)
    short = run(net, long.replace(steps=3), [channel("joined", 1)], [0])
    np.testing.assert_array_equal(marked.snapshots[3], short.images)


def test_step_0_is_the_noise_itself():
    net = network()
    result = run(net, SMALL, [channel("joined", 1)], [5], snapshots=(0,))
    params = Fourier().init(tf.constant([5]), 13, 17, 3)
    np.testing.assert_allclose(result.snapshots[0], Fourier().to_image(params, 13, 17), atol=1e-6)


def test_a_dead_unit_gets_a_picture():
    """relu1:3 never fires: nothing without help, a picture by either help."""
    net = network()
    dead = [channel("relu1", 3)]
    for help_, moves in (
        ({"pre_activation": False, "redirect_steps": 0}, False),
        ({"pre_activation": True}, True),
        ({"pre_activation": False, "redirect_steps": 17}, True),
    ):
        result = run(net, STILL.replace(**help_), dead, [0], snapshots=(0,))
        assert np.any(result.images != result.snapshots[0]) == moves


def test_redirection_ends_after_its_steps_and_begins_again_in_the_next_run():
    net = network()
    chosen = STILL.replace(pre_activation=False, redirect_steps=3, steps=6)
    # With gradient descent a step without gradient moves nothing.
    chosen = chosen.replace(optimizer="gradient-descent", learning_rate=1.0)
    for _ in range(2):
        result = run(net, chosen, [channel("relu1", 3)], [0], snapshots=(0, 2, 3, 6))
        assert np.any(result.snapshots[2] != result.snapshots[3])
        np.testing.assert_array_equal(result.snapshots[3], result.snapshots[6])


def test_units_seeds_and_step_counts_share_one_trace():
    net = network()
    for unit, seed, steps in ((1, 0, 5), (2, 7, 9), (4, 1, 20)):
        run(net, SMALL.replace(steps=steps), [channel("joined", unit)], [seed])
    assert len(cache_of(net)) == 1
    (loop,) = cache_of(net).values()
    assert loop.advance.experimental_get_tracing_count() == 1
    run(net, SMALL, [layer("joined")], [0])
    assert len(cache_of(net)) == 2


def test_a_step_is_a_function_of_its_own_in_the_loop():
    # Inside the loop's cyclic graph TensorFlow replaces gradients of pooling by chance: a process
    # ran at 1.2 or at 1.5 times the bare pass.
    net = network()
    batch = batch_of(net, SMALL, [channel("joined", 1)], [0])
    run(net, SMALL, [channel("joined", 1)], [0])
    loop = loop_for(net, batch.structure, SMALL)
    graph = loop.advance._list_all_concrete_functions()[0].graph
    functions = {f.signature.name: f for f in graph.as_graph_def().library.function}
    (while_node,) = [n for n in graph.as_graph_def().node if n.op in ("While", "StatelessWhile")]
    body = functions[while_node.attr["body"].func.name]
    calls = [n for n in body.node_def if n.op in ("PartitionedCall", "StatefulPartitionedCall")]
    called = [functions[n.attr["f"].func.name] for n in calls]
    assert [f.attr["_noinline"].b for f in called] == [True]
    assert not any("Conv2D" in n.op for n in body.node_def)
    assert any("Conv2D" in n.op for n in called[0].node_def)


def test_lucid_runs_with_its_growing_and_shrinking_images():
    net = network()
    chosen = recipe("lucid").replace(steps=6, size=(19, 23))
    result = run(net, chosen, [channel("joined", 1), logit(2)][:1] * 2, [0, 1])
    assert result.images.shape == (2, 19, 23, 3) and np.isfinite(result.history).all()


@pytest.mark.parametrize(
    "chosen",
    [
        SMALL.replace(redirect_steps=CHUNK + 3),
        recipe("fast").replace(size=(16, 24), patience=0),
        recipe("vivid").replace(size=(16, 24)),
        SHRUNK,
        STILL.replace(parameterization=Pixel(), optimizer="gradient-descent"),
        MACO,
    ],
    ids=["redirected", "fused", "vivid", "shrunk", "pixels", "maco"],
)
def test_a_run_goes_on_from_its_checkpoints_as_if_it_had_not_stopped(chosen):
    chosen, marks = chosen.replace(steps=3 * CHUNK + 5), (0, 7, 2 * CHUNK)
    seen = []
    rows = ([channel("joined", 1), channel("joined", 2)], [0, 4])
    whole = run(network(), chosen, *rows, snapshots=marks, progress=seen.append)
    there = {p.step: p.checkpoint() for p in seen}  # after the end: each is of its own step
    assert len(there) >= 5 and {7, 2 * CHUNK} <= set(there)
    for step, checkpoint in there.items():
        assert checkpoint.step == step == len(checkpoint.history)
        checkpoint.write(file := io.BytesIO())
        taken = []
        again = run(
            network(),  # with nothing compiled
            chosen,
            *rows,
            snapshots=marks,
            progress=lambda p, taken=taken: taken.append(p.step),
            resume=Checkpoint.from_bytes(file.getvalue()),
        )
        assert taken == [s for s in there if s > step]
        for name in ("images", "scores", "history", "taken", "opacity"):
            np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
        assert set(again.snapshots) == set(marks)
        for mark in marks:
            np.testing.assert_array_equal(again.snapshots[mark], whole.snapshots[mark])


def test_progress_comes_between_chunks():
    seen = []
    run(
        network(),
        SMALL.replace(steps=CHUNK + 1),
        [channel("joined", 1)],
        [0],
        progress=lambda p: seen.append((p.step, p.steps)),
    )
    assert seen == [(CHUNK, CHUNK + 1), (CHUNK + 1, CHUNK + 1)]


def test_numbers_that_are_not_finite_are_an_error():
    class Broken(TinyProgram):
        def compute(self, feeds, names, **settings):
            found = super().compute(feeds, names, **settings)
            return {name: value * float("inf") for name, value in found.items()}

    net = Network(Broken(), Identity("broken", "", "zoo", ""), input_spec=preset("unit"))
    with pytest.raises(ModelError, match="not finite"):
        run(net, SMALL, [channel("joined", 1)], [0])


def test_autograph_rewrites_nothing(monkeypatch):
    """It would take seconds in every process, and change nothing: the code is graph code."""

    converted, convert = [], api._convert_actual

    def noted(function, *settings):
        converted.append(function)
        return convert(function, *settings)

    monkeypatch.setattr(api, "_convert_actual", noted)
    for number, chosen in enumerate((SMALL, SHRUNK, MACO)):
        shorter = chosen.replace(size=(19 + number, 31), steps=1)  # nothing is compiled for it yet
        run(network(seed=5), shorter, [channel("joined", 1)], [0])
    assert converted == []
