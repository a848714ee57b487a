"""Transparent images against numpy twins, and the loop that lays them on backgrounds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from support.tiny import network

from kerasviz.errors import UsageError
from kerasviz.optvis import randomness
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.structure import structure_of
from kerasviz.optvis.optimization.checkpoint import Checkpoint
from kerasviz.optvis.optimization.early_stopping import optimize_until_converged
from kerasviz.optvis.optimization.loops import loop_for
from kerasviz.optvis.optimization.optimize import optimize
from kerasviz.optvis.optimization.run import CHUNK, LoopInputs
from kerasviz.optvis.parameterizations import Alpha, Cppn, Fourier, LowResolution, Pixel, from_json
from kerasviz.optvis.parameterizations.alpha import BACKGROUND_STREAM, laid_on, opaque
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.recipes import recipe
from kerasviz.optvis.transforms.transform import FoldedTransform
from reference import fourier
from reference.colour import to_rgb

SEEDS = np.array([4, 0, 11], np.int32)
SMALL = recipe("article").replace(steps=20, size=(13, 17)).transparent()
STILL = SMALL.replace(transform=FoldedTransform(()))


def inputs(net: Any, chosen: Recipe, units: list[int], seeds: list[int]) -> LoopInputs:
    objectives = [channel("joined", unit) for unit in units]
    structure = structure_of(objectives[0], net, chosen.pre_activation)
    data = pack_objectives(structure, objectives, net, chosen.pre_activation)
    return LoopInputs(structure, data, np.array(seeds, np.int32), np.arange(len(units)))


@pytest.mark.parametrize(("height", "width", "channels"), [(7, 10, 3), (5, 5, 1), (4, 9, 5)])
def test_the_last_channel_is_an_opacity_beside_the_colours(height, width, channels):
    chosen = Alpha(Pixel(sd=0.7), Pixel(sd=0.5))
    colours, opacity = chosen.init(SEEDS, height, width, channels)
    found = chosen.to_image((colours, opacity), height, width).numpy()
    assert found.shape == (3, height, width, channels + 1)
    np.testing.assert_allclose(found[..., :-1], to_rgb(colours.numpy()), atol=1e-6)
    np.testing.assert_allclose(found[..., -1:], to_rgb(opacity.numpy()), atol=1e-6)
    np.testing.assert_array_equal(colours, chosen.own.init(SEEDS, height, width, channels))


def test_colours_and_opacity_start_apart_and_half_transparent():
    colours, opacity = Alpha(Pixel(sd=1.0), Pixel(sd=1.0)).init(SEEDS, 40, 41, 1)
    assert abs(np.corrcoef(colours.numpy().ravel(), opacity.numpy().ravel())[0, 1]) < 0.05
    start = Alpha().to_image(Alpha().init(SEEDS, 20, 21, 3), 20, 21)
    assert np.abs(start[..., -1] - 0.5).max() < 0.05


@pytest.mark.parametrize("own", [Fourier(), LowResolution(size=4)])
def test_a_row_depends_on_its_seed_only(own):
    chosen, steps = Alpha(own, own), np.array([3, 9, 0])
    together = chosen.to_image(chosen.init(SEEDS, 6, 7, 3), 6, 7).numpy()
    alone = chosen.to_image(chosen.init(SEEDS[1:2], 6, 7, 3), 6, 7).numpy()
    np.testing.assert_array_equal(alone, together[1:2])
    grounds = chosen.background(SEEDS, steps, 6, 7, 3).numpy()
    alone = chosen.background(SEEDS[1:2], steps[1:2], 6, 7, 3).numpy()
    np.testing.assert_array_equal(alone, grounds[1:2])
    other = chosen.background(SEEDS, steps + 1, 6, 7, 3).numpy()
    assert np.abs(grounds - other).mean() > 0.05


@pytest.mark.parametrize(("height", "width"), [(6, 8), (5, 7)])
def test_backgrounds_are_fourier_images_of_random_spectra(height, width):
    chosen, step = Alpha(background_sd=0.4, background_decay=1.5), 7
    columns = width // 2 + 1 + width % 2
    noise = randomness.normal(SEEDS, (2, 3, height, columns), BACKGROUND_STREAM, step).numpy()
    assert abs(noise.mean()) < 0.15 and abs(noise.std() - 1) < 0.1
    spectra = 0.4 * noise[:, 0], 0.4 * noise[:, 1]
    found = chosen.background(SEEDS, tf.constant(step), height, width, 3)
    np.testing.assert_allclose(found, fourier.image(spectra, height, width, 1.5), atol=1e-5)
    layers = np.random.default_rng(0).random((3, height, width, 4)).astype(np.float32)
    shown = chosen.on_background(tf.constant(layers), SEEDS, tf.constant(step))
    opacity = layers[..., 3:]
    np.testing.assert_allclose(shown, opacity * layers[..., :3] + (1 - opacity) * found, atol=1e-6)


@pytest.mark.parametrize("tile", [0, 8])
def test_a_step_follows_the_score_on_the_background_and_the_price_of_opacity(tile):
    """The gradient of score - |score now| weight mean(opacity), by finite differences."""
    net = network()
    chosen = STILL.replace(
        optimizer="gradient-descent",
        learning_rate=0.5,
        parameterization=Alpha(Pixel(sd=0.3), Pixel(sd=0.3), weight=3.0),
        size=(16, 16) if tile else (13, 17),
        tile=tile,
        pre_activation=True,
    )
    batch = replace(inputs(net, chosen, [1], [4]), structure=structure_of(channel("relu1", 1), net))
    batch = replace(batch, data=pack_objectives(batch.structure, [channel("relu1", 1)], net))
    loop = loop_for(net, batch.structure, chosen)
    data, seeds, groups = batch.tensors()
    state = loop.start(seeds)
    at = tf.constant(6)
    moved, (reached,) = loop.advance(state, data, seeds, groups, at, tf.constant(1))
    own = chosen.parameterization
    before = [part.numpy() for part in state[0]]

    def parts(params):
        images = own.to_image([tf.constant(part) for part in params], *chosen.size)
        shown = own.on_background(images, seeds, at[None]).numpy()
        cuts = [shown] if not tile else np.concatenate(np.split(shown, 2, 1), 2)
        cuts = cuts if not tile else np.split(cuts, 4, 2)
        taps = [net.activations(cut, ["conv1"])["conv1"][..., 1] for cut in cuts]
        score = np.mean([np.asarray(tap, np.float64).mean() for tap in taps])
        return score, own.weight * float(np.mean(images[..., -1], dtype=np.float64))

    first, cost = parts(before)
    assert float(reached[0]) == pytest.approx(first - abs(first) * cost, rel=1e-4)
    for part, place in [(0, (0, 5, 7, 1)), (1, (0, 5, 7, 0)), (1, (0, 12, 3, 0))]:
        nudge = np.zeros_like(before[part])
        nudge[place] = 0.05
        up, down = (
            parts([p + sign * nudge if k == part else p for k, p in enumerate(before)])
            for sign in (1, -1)
        )
        slope = (up[0] - down[0] - abs(first) * (up[1] - down[1])) / 0.1
        step = (moved[0][part].numpy() - before[part])[place]
        assert float(step) == pytest.approx(0.5 * slope, rel=0.03, abs=2e-6)


def test_a_higher_price_leaves_less_and_images_are_scored_on_grey():
    net = network()
    results = []
    for weight in (0.0, 8.0):
        chosen = STILL.replace(steps=40, parameterization=Alpha(weight=weight))
        result = optimize(net, chosen, inputs(net, chosen, [1, 2], [0, 1]), snapshots=[0, 3])
        grey = result.opacity[..., None] * result.images + (1 - result.opacity[..., None]) * 0.5
        before_relu = net.activations(grey, ["block_pre_relu"])["block_pre_relu"].numpy()
        reached = [before_relu[row, ..., unit].mean() for row, unit in enumerate((1, 2))]
        np.testing.assert_allclose(result.scores, reached, rtol=1e-4)
        assert result.images.shape == (2, 13, 17, 3) and result.opacity.shape == (2, 13, 17)
        assert set(result.snapshot_opacities) == {0, 3}
        assert np.abs(result.snapshot_opacities[0] - 0.5).max() < 0.05
        results.append(result)
    assert (results[1].opacity.mean((1, 2)) < 0.8 * results[0].opacity.mean((1, 2))).all()


def test_rows_are_independent_and_a_run_resumes_to_the_byte():
    net = network()
    whole = optimize(net, SMALL, inputs(net, SMALL, [1, 2], [0, 1]))
    other = optimize(net, SMALL, inputs(net, SMALL, [5, 2], [7, 1]))
    np.testing.assert_array_equal(whole.images[1], other.images[1])
    np.testing.assert_array_equal(whole.opacity[1], other.opacity[1])
    kept: list[Checkpoint] = []
    batch = inputs(net, SMALL, [1, 2], [0, 1])
    shown = []

    def keep(progress: Any) -> None:
        kept.append(progress.checkpoint())
        shown.append(progress.images())

    optimize(net, SMALL, batch, progress=keep)
    assert kept[0].step == CHUNK and shown[0].shape == (2, 13, 17, 3)
    resumed = optimize(net, SMALL, batch, resume=kept[0])
    np.testing.assert_array_equal(resumed.images, whole.images)
    np.testing.assert_array_equal(resumed.opacity, whole.opacity)


def test_pictures_that_end_when_they_have_converged_have_opacities_too():
    net, chosen = network(), SMALL.replace(patience=16, steps=32)
    run = optimize_until_converged(net, chosen, inputs(net, chosen, [1, 2, 4], [0, 1, 2]), 2, [0])
    assert run.images.shape == (3, 13, 17, 3) and run.opacity.shape == (3, 13, 17)
    fixed = optimize(net, SMALL.replace(steps=32), inputs(net, SMALL, [1, 2], [0, 1]), [0])
    np.testing.assert_array_equal(run.images[:2], fixed.images)
    np.testing.assert_array_equal(run.snapshot_opacities[0][:2], fixed.snapshot_opacities[0])


def test_settings_travel_and_wrong_ones_are_one_line():
    chosen = Alpha(Pixel(sd=0.2), weight=1.0, background_decay=1.5)
    assert from_json(chosen.to_json()) == chosen and hash(from_json(chosen.to_json()))
    assert from_json({"kind": "alpha"}) == Alpha()
    assert Alpha().opacity.decay_power > Alpha().own.decay_power
    painted = recipe("fast").of_kind("cppn").transparent().parameterization
    assert painted == Alpha(Cppn(), Cppn())
    assert SMALL.transparent() == SMALL == Recipe.from_json(SMALL.to_json())
    assert "alpha" not in str(recipe("article").to_json())
    for wrong in ({"weight": -1}, {"background_sd": float("nan")}, {"own": chosen.to_json()}):
        with pytest.raises(UsageError, match="alpha parameterization: "):
            from_json({"kind": "alpha", **wrong})
    grey = np.random.default_rng(0).random((1, 2, 2, 3)).astype(np.float32)
    assert opaque(Fourier(), grey) is grey
    np.testing.assert_allclose(laid_on(np.append(grey, grey[..., :1] * 0, -1), 0.5), 0.5)
