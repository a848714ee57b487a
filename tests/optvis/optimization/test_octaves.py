"""Pictures of photos in octaves: sizes and resampling against twins, and runs octave by octave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from support.tiny import network

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.network.input_spec import preset
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.objective import Objective, channel, layer
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.structure import structure_of
from kerasviz.optvis.optimization.checkpoint import Checkpoint
from kerasviz.optvis.optimization.loops import loop_for
from kerasviz.optvis.optimization.octaves import octave_ends, resized
from kerasviz.optvis.optimization.optimize import optimize
from kerasviz.optvis.optimization.run import PHOTO, LoopInputs
from kerasviz.optvis.parameterizations import Fourier, Pixel
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.verify import verify_pictures

SIZE = (21, 30)
DREAM = recipe("deepdream").replace(size=SIZE, steps=7, octaves=3, transform=[])
MOVING = DREAM.replace(transform=recipe("deepdream").transform)
SHORT: dict[str, Any] = {"recipe": "deepdream", "precision": "float32", "progress": False}


@pytest.fixture(scope="module")
def net() -> Network:
    return network()


def photos_of(count: int, size: tuple[int, int] = SIZE) -> Any:
    draw = np.random.default_rng(0)
    return (draw.integers(64, 192, (count, *size, 3)) / 255).astype(np.float32)


def inputs(net: Network, chosen: Recipe, rows: list[Objective], photos: Any) -> LoopInputs:
    structure = structure_of(rows[0], net, chosen.pre_activation)
    data = pack_objectives(structure, rows, net, chosen.pre_activation)
    data[PHOTO] = photos
    return LoopInputs(structure, data, np.arange(len(rows)), np.arange(len(rows)))


def weights(n: int, new: int) -> Any:
    """How much each of n pixels counts for each new one: a triangle, wider where they shrink."""
    width = max(1.0, n / new)
    centres = (np.arange(new) + 0.5) * n / new - 0.5
    apart = np.abs(np.arange(n)[None, :] - centres[:, None]) / width
    table = np.maximum(0, 1 - apart)
    return table / table.sum(1, keepdims=True)


@pytest.mark.parametrize(("size", "new"), [((9, 14), (5, 6)), ((7, 5), (13, 9)), ((8, 6), (5, 11))])
def test_resizing_is_bilinear_and_a_mean_where_it_shrinks(size, new):
    images = np.random.default_rng(1).random((2, *size, 3)).astype(np.float32)
    twin = np.einsum("yh,xw,bhwc->byxc", weights(size[0], new[0]), weights(size[1], new[1]), images)
    np.testing.assert_allclose(resized(images, new), twin, atol=1e-6)
    assert resized(images, size) is images


def test_octaves_grow_by_their_scale_and_share_the_steps():
    sizes = recipe("deepdream").replace(size=(100, 141), octaves=3).octave_sizes
    assert sizes == ((51, 72), (71, 101), (100, 141))
    assert octave_ends(40, 4) == (10, 20, 30, 40) and octave_ends(3, 3) == (1, 2, 3)
    assert recipe("fast").octave_sizes == ((128, 128),)


def test_each_octave_starts_from_the_photo_and_what_the_last_one_added(net):
    """Octave by octave, each a run of its own that starts from an image."""
    photos = photos_of(2)
    rows = [layer("joined"), layer("joined")]
    whole = optimize(net, DREAM, inputs(net, DREAM, rows, photos), snapshots=[0, 2, 7])
    added: Any = 0
    last = 0
    for size, end in zip(DREAM.octave_sizes, octave_ends(7, 3), strict=True):
        own = np.asarray(resized(photos, size))
        if last:
            added = np.asarray(resized(added, size))
        chosen = DREAM.replace(size=size, steps=end - last, octaves=1)
        run = optimize(net, chosen, inputs(net, chosen, rows, np.clip(own + added, 0, 1)))
        added, last = run.images - own, end
        if end == 2:
            early = np.clip(photos + np.asarray(resized(added, SIZE)), 0, 1)
    np.testing.assert_allclose(whole.images, run.images, atol=1e-5)
    np.testing.assert_allclose(whole.snapshots[2], early, atol=1e-5)
    assert np.abs(whole.snapshots[0] - photos).max() < 1.01 / 255
    assert whole.history.shape == (7, 2) and np.abs(whole.images - photos).max() > 0.05
    assert (
        whole.scores
        > optimize(net, DREAM.replace(steps=3), inputs(net, DREAM, rows, photos)).scores
    ).all()


def test_rows_are_independent_and_any_checkpoint_resumes_to_the_byte(net):
    photos = photos_of(2)
    batch = inputs(net, MOVING, [channel("joined", 1), channel("joined", 2)], photos)
    kept: list[Checkpoint] = []
    early = []

    def keep(progress: Any) -> None:
        kept.append(progress.checkpoint())
        early.append(progress.stopped())
        assert progress.images().shape == (2, *SIZE, 3)

    whole = optimize(net, MOVING, batch, snapshots=[3], progress=keep)
    assert [c.step for c in kept] == [2, 3, 5, 7]
    assert early[0].images.shape == whole.images.shape and not early[0].complete.any()
    for checkpoint in kept:
        resumed = optimize(net, MOVING, batch, snapshots=[3], resume=checkpoint)
        np.testing.assert_array_equal(resumed.images, whole.images)
        np.testing.assert_array_equal(resumed.history, whole.history)
        np.testing.assert_array_equal(resumed.snapshots[3], whole.snapshots[3])
    other = inputs(net, MOVING, [channel("joined", 5), channel("joined", 2)], photos[::-1][:2])
    other.data[PHOTO][1] = photos[1]
    np.testing.assert_array_equal(optimize(net, MOVING, other).images[1], whole.images[1])


@pytest.mark.parametrize("kind", [Pixel, Fourier])
def test_steps_have_the_learning_rate_as_mean_size_and_the_direction_of_the_gradient(net, kind):
    still = DREAM.replace(steps=1, octaves=1, parameterization=kind())
    batch = inputs(net, still, [channel("joined", 1), 3 * channel("joined", 2)], photos_of(2))
    steps = {}
    for optimizer, rate in (("normalized-gradient", 0.02), ("gradient-descent", 1.0)):
        loop = loop_for(
            net, batch.structure, still.replace(optimizer=optimizer, learning_rate=rate), batch.data
        )
        data, seeds, groups = batch.tensors()
        state = loop.begin(data, seeds)
        before = [part.numpy() for part in tf.nest.flatten(state[0])]
        after, _ = loop.advance(state, data, seeds, groups, tf.constant(0), tf.constant(1))
        moved = [part.numpy() for part in tf.nest.flatten(after[0])]
        steps[optimizer] = np.concatenate(
            [(new - old).reshape(2, -1) for new, old in zip(moved, before, strict=True)], 1
        )
    normalized, plain = steps.values()
    np.testing.assert_allclose(np.abs(normalized).mean(1), 0.02, rtol=2e-3)
    scale = 0.02 / np.abs(plain).mean(1, keepdims=True)
    np.testing.assert_allclose(normalized, plain * scale, atol=2e-3)


def test_a_folder_of_dreams_is_verified_to_the_byte(net, tmp_path: Path):
    photo = (photos_of(1, (31, 40))[0] * 255).astype(np.uint8)
    Image.fromarray(photo).save(tmp_path / "cat.png")
    more: dict[str, Any] = {"steps": 3, "octaves": 2, "size": (24, 30), "snapshots": [1]}
    made = kerasviz.render(
        net,
        "joined",
        from_=tmp_path / "cat.png",
        out=tmp_path / "out",
        **SHORT,
        **more,
    )
    assert made.images.shape == (1, 24, 30, 3)
    assert made[0].request.recipe.name == "deepdream" and made[0].mask is None
    assert {f.result for f in verify_pictures(tmp_path / "out", net).files} == {"same"}


def test_what_cannot_be_made_in_octaves_is_said_in_one_line(net):
    photo = photos_of(1)[0]
    with pytest.raises(UsageError, match=r"octaves.*start from a photo; give --from"):
        kerasviz.render(net, "joined", **SHORT)
    with pytest.raises(UsageError, match="and another target"):
        kerasviz.render(net, "caricature:joined", from_=photo, **SHORT)
    with pytest.raises(UsageError, match="a place is another one in each octave"):
        kerasviz.render(net, "joined:1@2,3", from_=photo, size=60, **SHORT)
    with pytest.raises(UsageError, match="octaves 4: expected a number of sizes from 1 to"):
        kerasviz.render(net, "joined", from_=photo, steps=3, **SHORT)
    for settings in ({"octaves": 0}, {"octave_scale": 1}, {"patience": 9}, {"opacity": True}):
        with pytest.raises(UsageError, match="octave"):
            recipe("deepdream").replace(**settings)
    inputs = keras.layers.Input((32, 32, 3))
    outputs = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    fixed = kerasviz.load(keras.Model(inputs, outputs), preprocess="unit")
    assert fixed.input_spec == preset("unit")
    with pytest.raises(UsageError, match="32"):
        kerasviz.render(fixed, "conv", from_=photo, **SHORT)
