"""Pictures that start from a photo, or reproduce one: what the loop changes, and what not."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from support.tiny import network

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.network.input_spec import preset
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.objective import (
    Objective,
    caricature,
    channel,
    inversion,
    likeness,
)
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.structure import structure_of
from kerasviz.optvis.optimization.checkpoint import Checkpoint
from kerasviz.optvis.optimization.early_stopping import optimize_until_converged
from kerasviz.optvis.optimization.optimize import optimize
from kerasviz.optvis.optimization.run import PHOTO, LoopInputs, Run
from kerasviz.optvis.parameterizations import Fourier, LowResolution, Pixel, Pyramid
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.recipes import recipe
from kerasviz.optvis.transforms.transform import FoldedTransform

SIZE = (15, 21)
STILL = recipe("fast").replace(steps=12, size=SIZE, transform=FoldedTransform(()), opacity=True)
MOVING = recipe("accentuation").replace(steps=20, size=SIZE, views=2)


def photo_of(seed: int, size: tuple[int, int] = SIZE) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.float32) / 255


def batch(
    net: Network, chosen: Recipe, rows: list[Objective], seeds: list[int], photos: list[Any]
) -> LoopInputs:
    structure = structure_of(rows[0], net, chosen.pre_activation)
    data = pack_objectives(structure, rows, net, chosen.pre_activation, chosen.seen_size)
    data[PHOTO] = np.stack(photos)
    return LoopInputs(structure, data, np.array(seeds, np.int32), np.arange(len(rows)))


def run(
    net: Network,
    chosen: Recipe,
    rows: list[Objective],
    seeds: list[int],
    photos: list[Any],
    **more: Any,
) -> Run:
    return optimize(net, chosen, batch(net, chosen, rows, seeds, photos), **more)


def near(alpha: float, unit: int = 1) -> Objective:
    return channel("joined", unit) + likeness("relu1", -alpha)


@pytest.fixture(scope="module")
def net() -> Network:
    return network()


@pytest.mark.parametrize(
    ("kind", "size"), [(Fourier, (15, 21)), (Fourier, (9, 12)), (Pixel, SIZE), (Pyramid, SIZE)]
)
def test_step_0_is_the_photo(net: Network, kind: Any, size: tuple[int, int]) -> None:
    chosen = STILL.replace(parameterization=kind(), size=size, steps=1)
    photo = photo_of(0, size)
    photo[0, :3] = [[0, 0, 0], [1, 1, 1], [1, 0, 0]]
    made = run(net, chosen, [near(1.0)], [0], [photo], snapshots=(0,))
    assert np.abs(made.snapshots[0][0] - photo).max() < 1 / 255


def test_pictures_that_cannot_hold_a_photo_say_so(net: Network) -> None:
    chosen = STILL.replace(parameterization=LowResolution(8))
    with pytest.raises(UsageError, match="low-resolution: it cannot hold a photo"):
        run(net, chosen, [near(1.0)], [0], [photo_of(0)])


def test_a_strong_likeness_changes_nothing_visible_and_none_raises_most(net: Network) -> None:
    photos = [photo_of(seed) for seed in range(3)]
    made = run(net, STILL, [near(a) for a in (1e6, 1.0, 0.0)], [0, 0, 0], [photos[0]] * 3)
    start = np.abs(made.images - photos[0]).mean((1, 2, 3))
    assert start[0] < 2 / 255 < start[1] < start[2]
    assert made.scores[0] < made.scores[1] < made.scores[2]
    for photo in photos:  # whatever the photo
        free = run(net, STILL, [near(0.0), near(1.0)], [0, 0], [photo, photo], snapshots=(0,))
        assert free.scores[0] >= free.scores[1]


def test_only_the_part_that_the_network_reads_is_changed_and_masked() -> None:
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3), name="image")
    x = keras.layers.Cropping2D(((0, 8), (8, 0)))(image)
    x = keras.layers.Conv2D(5, 3, padding="same", activation="elu", name="early")(x)
    model = keras.Model(image, keras.layers.Conv2D(4, 1, name="late")(x))
    reads = kerasviz.load(model).with_input_spec(preset("unit"))
    chosen = STILL.replace(size=(16, 16), parameterization=Pixel())
    photo = photo_of(2, (16, 16))
    objective = channel("late", 1) + likeness("early")
    made = run(reads, chosen, [objective], [0], [photo])
    moved = np.abs(made.images[0] - photo).max(-1) > 1 / 255
    assert moved[:8, 8:].mean() > 0.9
    moved[:8, 8:] = False
    assert not moved.any()
    assert made.mask is not None and made.opacity is None
    assert (made.mask[0, 12:] == 0).all() and (made.mask[0, :, :4] == 0).all()
    assert made.mask[0, :8, 8:].min() > 0.5


@pytest.mark.parametrize(
    ("objective", "least"),
    [
        (inversion("mixed"), 0.999),
        (caricature("mixed", cosine=8), 0.99),
        (caricature("mixed", cosine=2), 0.95),
    ],
)
def test_an_invertible_linear_layer_is_reproduced(objective: Objective, least: float) -> None:
    keras.utils.set_random_seed(1)
    image = keras.Input((None, None, 3), name="image")
    model = keras.Model(image, keras.layers.Conv2D(3, 1, use_bias=False, name="mixed")(image))
    linear = kerasviz.load(model).with_input_spec(preset("inception"))
    chosen = STILL.replace(steps=500, size=(9, 12), parameterization=Pixel(), opacity=False)
    photo = 0.25 + 0.5 * photo_of(3, (9, 12))
    made = run(linear, chosen, [objective], [0], [photo], snapshots=(0,))
    assert np.abs(made.snapshots[0][0] - photo).mean() > 0.1  # from noise
    ours, theirs = (
        np.asarray(linear.activations(x[None], ["mixed"])["mixed"], np.float64).ravel()
        for x in (made.images[0], photo)
    )
    cosine = ours @ theirs / np.linalg.norm(ours) / np.linalg.norm(theirs)
    assert cosine > least


def test_rows_do_not_know_of_each_other_and_seeds_decide_bytes(net: Network) -> None:
    rows, photos = [near(1.0, 1), near(1.0, 2)], [photo_of(0), photo_of(1)]
    both = run(net, MOVING, rows, [0, 5], photos, snapshots=(0, 4))
    swapped = run(net, MOVING, rows[::-1], [5, 0], photos[::-1], snapshots=(0, 4))
    other = run(net, MOVING, [rows[0], rows[0]], [0, 6], [photos[0], photos[0]])
    for made, row in ((swapped, 1), (other, 0)):
        np.testing.assert_array_equal(both.images[0], made.images[row])
        np.testing.assert_array_equal(both.mask[0], made.mask[row])  # type: ignore[index]
    np.testing.assert_array_equal(both.snapshots[4][1], swapped.snapshots[4][0])
    assert np.abs(other.images[0] - other.images[1]).max() > 0


def test_a_checkpoint_is_continued_to_the_byte(net: Network) -> None:
    saved: list[Checkpoint] = []
    rows = batch(net, MOVING, [near(1.0)], [3], [photo_of(0)])
    whole = optimize(net, MOVING, rows, (0,), lambda p: saved.append(p.checkpoint()))  # type: ignore[misc]
    resumed = optimize(net, MOVING, rows, (0,), resume=saved[0])
    assert saved[0].step < MOVING.steps
    np.testing.assert_array_equal(resumed.images, whole.images)
    np.testing.assert_array_equal(resumed.mask, whole.mask)  # type: ignore[arg-type]


def test_rows_that_enter_a_batch_start_from_their_photos(net: Network) -> None:
    chosen = STILL.replace(steps=32, patience=16)
    photos = [photo_of(seed) for seed in range(3)]
    queue = batch(net, chosen, [near(1.0, u) for u in (0, 1, 2)], [0, 1, 2], photos)
    made = optimize_until_converged(net, chosen, queue, 2, (0,))
    for row, photo in enumerate(photos):
        assert np.abs(made.snapshots[0][row] - photo).max() < 1 / 255
    alone = run(net, chosen.replace(patience=0), [near(1.0, 2)] * 2, [2, 2], [photos[2]] * 2)
    if made.taken[2] == 32:
        np.testing.assert_array_equal(made.images[2], alone.images[0])
        np.testing.assert_array_equal(made.mask[2], alone.mask[0])  # type: ignore[index]


def test_low_precision_follows_float32(net: Network) -> None:
    rows = [near(1.0)], [0], [photo_of(0)]
    exact = run(net, STILL, *rows)
    rough = run(net, STILL.replace(precision="float16"), *rows)
    assert np.abs(exact.images - rough.images).mean() < 0.02
