from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from support.gradients import checked_gradient

from kerasviz.errors import UsageError
from kerasviz.optvis.transforms.presets import ARTICLE_STEPS, LUCID_STEPS, VIVID_STEPS
from kerasviz.optvis.transforms.steps import (
    CROPS,
    Crop,
    Jitter,
    Pad,
    ResizedCrop,
    Rotate,
    Scale,
    Shrink,
)
from kerasviz.optvis.transforms.transform import (
    FoldedTransform,
    SequentialTransform,
    transform_from_json,
)
from reference import transforms as twin

ODD_STEPS = (Pad(3, fill=0.2), Jitter(5), Scale((1.3, 0.7)), Rotate((30.0, -75.0)), Crop())
CROPPED = (Scale((0.8, 1.2)), ResizedCrop(0.35, 0.9), Jitter(3), Rotate((20.0,)), ResizedCrop(0.6))
ALL = [ARTICLE_STEPS, LUCID_STEPS, ODD_STEPS, (Jitter(5), Crop()), (Rotate((7.0,)),)]
SHRUNK = (Pad(4), Jitter(3), Rotate((20.0,)), ResizedCrop(0.4), Crop(), Shrink(0.53, 9))
ALL += [VIVID_STEPS, (ResizedCrop(0.3),), CROPPED, SHRUNK, (Shrink(0.3, 12), Jitter(2))]


def images(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, shape).astype(np.float32)


def uniforms(transform, rows, seed=1):
    return np.random.default_rng(seed).uniform(0, 1, (rows, transform.draws)).astype(np.float32)


def picked(steps, row):
    """What the uniform numbers of a row choose, in the twin's words."""
    row, said = list(row), []
    for step in steps:
        if isinstance(step, Jitter):
            down, right = (int(row.pop(0) * (step.pixels + 1)) for _ in range(2))
            said.append(("jitter", (step.pixels, down, right)))
        elif isinstance(step, Scale):
            said.append(("scale", step.factors[int(row.pop(0) * len(step.factors))]))
        elif isinstance(step, ResizedCrop):
            side, down, right = (int(row.pop(0) * CROPS) / (CROPS - 1) for _ in range(3))
            side = step.smallest + side * (step.largest - step.smallest)
            said.append(("resized_crop", (side, 2 * down - 1, 2 * right - 1)))
        elif isinstance(step, Rotate):
            said.append(("rotate", step.degrees[int(row.pop(0) * len(step.degrees))]))
        elif isinstance(step, Shrink):
            said.append(("shrink", (step.share, step.least)))
        else:
            said.append((step.kind, getattr(step, "pixels", None)))
    return said


@pytest.mark.parametrize(
    ("steps", "height", "width", "channels"),
    [
        *((steps, 19, 24, 3) for steps in ALL),
        (ARTICLE_STEPS, 22, 15, 1),
        (ODD_STEPS, 17, 12, 3),
        (ODD_STEPS, 13, 13, 5),
    ],
)
def test_folded_steps_agree_with_following_every_pixel_back(steps, height, width, channels):
    transform, x = FoldedTransform(steps), images(2, height, width, channels)
    u = uniforms(transform, 2)
    found = transform(x, u).numpy()
    fill = 0.2 if steps is ODD_STEPS else 0.5
    for row in range(2):
        expected = twin.folded(x[row].astype(np.float64), picked(steps, u[row]), fill)
        assert found[row].shape == expected.shape
        assert np.abs(found[row] - expected).max() < 2e-5


def test_the_article_keeps_the_size_and_its_moves_are_whole_pixels():
    still = (Pad(16), Jitter(16), Scale((1.0,)), Rotate((0.0,)), Jitter(8), Crop())
    x, transform = images(1, 40, 31, 3), FoldedTransform(still)
    for down, right in ((0.0, 0.0), (0.999, 0.999), (0.5, 0.2)):
        u = np.array([[down, right, 0.0, 0.0, down, right]], np.float32)
        found = transform(x, u).numpy()[0]
        dy, dx = (int(k * 17) - 8 + int(k * 9) - 4 for k in (down, right))
        expected = np.full((40 + 24, 31 + 24, 3), 0.5, np.float32)
        expected[12:-12, 12:-12] = x[0]
        assert found.shape == (40, 31, 3)
        assert np.array_equal(found, expected[12 + dy : 52 + dy, 12 + dx : 43 + dx])


def test_a_pad_by_reflection_is_folded_too():
    steps = (Pad(4, mode="reflect"), Jitter(4), Rotate((10.0,)))
    transform, x = FoldedTransform(steps), images(1, 9, 12, 3)
    u = uniforms(transform, 1)
    padded = twin.pad(x[0].astype(np.float64), 4, mode="reflect")
    expected = twin.folded(padded, picked(steps[1:], u[0]))
    assert np.abs(transform(x, u).numpy()[0] - expected).max() < 1e-5


def test_rotation_is_counterclockwise_and_scale_enlarges():
    x = np.zeros((1, 21, 21, 1), np.float32)
    x[0, 10, 16] = 1  # right of the centre
    turned = FoldedTransform((Rotate((90.0,)),))(x, np.zeros((1, 1), np.float32)).numpy()
    assert np.unravel_index(turned.argmax(), turned.shape)[1:3] == (4, 10)  # above it
    grown = FoldedTransform((Scale((1.5,)),))(x, np.zeros((1, 1), np.float32)).numpy()
    assert np.unravel_index(grown.argmax(), grown.shape)[1:3] == (10, 19)


@pytest.mark.parametrize(("height", "width"), [(19, 24), (26, 21)])
@pytest.mark.parametrize(
    "steps",
    [
        *(LUCID_STEPS, ARTICLE_STEPS[:-1], (Scale((0.63,)), Jitter(3)), (ResizedCrop(0.3),)),
        (Pad(2), Scale((1.1, 0.63)), ResizedCrop(0.4, 0.7), Jitter(3), ResizedCrop(0.8)),
        (Pad(2), Shrink(0.7, 5), Jitter(3), Shrink(0.1, 12)),
    ],
)
def test_each_step_by_itself_agrees_with_its_twin(steps, height, width):
    transform, x = SequentialTransform(steps), images(2, height, width, 3)
    u = uniforms(transform, 2, seed=4)
    found = transform(x, u).numpy()
    for row in range(2):  # both with the draws of the first
        y = x[row].astype(np.float64)
        for name, given in picked(steps, u[0]):
            given = given if isinstance(given, tuple) else (given,)
            y = getattr(twin, name)(y, *given)
        assert found[row].shape == y.shape
        assert (np.abs(found[row] - y).max(axis=-1) > 1e-5).mean() < 0.002  # ties of nearest


# At 180 degrees and 600 pixels from the centre a pi of 3.14 is off by nearly a pixel.
@pytest.mark.parametrize(
    ("degrees", "height", "width"),
    [(-10.0, 23, 30), (3.0, 23, 30), (77.0, 23, 30), (180.0, 5, 1201)],
)
def test_each_rotation_is_that_of_tensorflows_operation(degrees, height, width):
    x = images(1, height, width, 3)
    transform = SequentialTransform((Rotate((degrees,)),))
    angle, mx, my = 3.14 * degrees / 180, (width - 1) / 2, (height - 1) / 2
    c, s = np.cos(angle), np.sin(angle)
    matrix = [[c, -s, mx - c * mx + s * my, s, c, my - s * mx - c * my, 0, 0]]
    expected = tf.raw_ops.ImageProjectiveTransformV3(
        images=x,
        transforms=np.array(matrix, np.float32),
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="NEAREST",
    ).numpy()
    found = transform(x, np.zeros((1, 1), np.float32)).numpy()
    assert (found != expected).mean() < 0.005


@pytest.mark.parametrize(
    "transform",
    [
        FoldedTransform(ARTICLE_STEPS),
        FoldedTransform(LUCID_STEPS),
        FoldedTransform(VIVID_STEPS),
        FoldedTransform(CROPPED),
        FoldedTransform(SHRUNK),
        FoldedTransform((Shrink(0.2, 25),)),
        SequentialTransform(LUCID_STEPS),
        SequentialTransform(CROPPED),
        SequentialTransform(SHRUNK),
    ],
)
def test_gradients_are_adjoints(transform):
    x, u = tf.constant(images(3, 26, 31, 3)), uniforms(transform, 3)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = transform(x, u) - transform(tf.zeros_like(x), u)  # without the fill
    g = images(*y.shape, seed=5) - 0.5
    back = tape.gradient(y, x, output_gradients=tf.constant(g)).numpy()
    there = (y.numpy().astype(np.float64) * g).sum(axis=(1, 2, 3))
    here = (back.astype(np.float64) * x.numpy()).sum(axis=(1, 2, 3))
    size = np.linalg.norm(y.numpy()) * np.linalg.norm(g)
    assert np.abs(there - here).max() < 1e-5 * size
    assert np.abs(back).max() > 0


def places(transform, seeds, steps, size=41):
    """Where the centres of the outputs come from, (x, y) relative to the centre of the image."""
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1).astype(np.float32)
    x = np.broadcast_to(grid - size // 2, (len(seeds), size, size, 2))
    found = [transform.apply(tf.constant(x), tf.constant(seeds), step).numpy() for step in steps]
    middle = found[0].shape[1] // 2
    return np.concatenate([f[:, middle, middle] for f in found])


def test_every_offset_occurs_and_equally_often():
    found = places(FoldedTransform((Pad(4), Jitter(6), Crop())), np.arange(250), range(10))
    assert np.array_equal(np.unique(found), np.arange(-3, 4))
    for axis in range(2):
        _, counts = np.unique(found[:, axis], return_counts=True)
        expected = len(found) / 7
        assert len(counts) == 7
        assert ((counts - expected) ** 2 / expected).sum() < 26  # chi square, 6 degrees
    assert abs(np.corrcoef(found.T)[0, 1]) < 0.08


@pytest.mark.parametrize("step", [Scale((0.9, 1.0, 1.1, 1.25)), Rotate((-9.0, 0.0, 4.0, 30.0))])
def test_every_scale_and_angle_occurs_and_equally_often(step):
    transform = FoldedTransform((Jitter(0), step))  # a jitter of nothing draws too
    grid = np.stack(np.meshgrid(np.arange(9.0) - 4, np.arange(9.0) - 4), -1)
    x = tf.constant(np.broadcast_to(grid, (80, 9, 9, 2)), tf.float32)
    found = np.concatenate(
        [transform.apply(x, tf.range(80), i).numpy()[:, 4, 6] for i in range(10)]
    )
    if isinstance(step, Scale):
        values = 2 / found[:, 0]
        expected = step.factors
    else:
        values, expected = np.degrees(np.arctan2(found[:, 1], found[:, 0])), step.degrees
    values, counts = np.unique(np.round(values, 3), return_counts=True)
    assert np.allclose(values, expected, atol=1e-2)
    assert ((counts - 200) ** 2 / 200).sum() < 22  # chi square, 3 degrees of freedom


def test_a_resized_crop_of_the_whole_changes_no_bit():
    x, steps = images(3, 18, 25, 3), (ResizedCrop(1.0),)
    for transform in (FoldedTransform(steps), SequentialTransform(steps)):
        assert np.array_equal(transform(x, uniforms(transform, 3)), x)


def test_resized_crops_lie_inside_the_image_and_reach_its_corners():
    grid = np.stack(np.meshgrid(np.arange(21.0), np.arange(15.0)), -1)  # (x, y) of every pixel
    x = tf.constant(np.broadcast_to(grid, (5, 15, 21, 2)), tf.float32)
    corners = [(0.0, 0.0, 0.0), (0.0, 0.999, 0.999), (0.5, 0.0, 0.999), (0.999, 0.3, 0.8)]
    u = np.array([*corners, (0.0, 0.5, 0.5)], np.float32)
    for kind in (FoldedTransform, SequentialTransform):
        found = [kind((ResizedCrop(0.5),))(x[i : i + 1], u[i : i + 1]).numpy()[0] for i in range(5)]
        windows = [np.concatenate([f[0, 0], f[-1, -1]]) for f in found]
        expected = [
            (0, 0, 10, 7),
            (10, 7, 20, 14),
            (5, 0, 20, 10.5),
            (0, 0, 20, 14),
            (5, 3.5, 15, 10.5),
        ]
        np.testing.assert_allclose(windows, expected, atol=1e-5)


def test_every_side_and_position_of_a_resized_crop_occurs_and_equally_often():
    grid = np.stack(np.meshgrid(np.arange(9.0) - 4, np.arange(9.0) - 4), -1)
    x = tf.constant(np.broadcast_to(grid, (80, 9, 9, 2)), tf.float32)
    transform = FoldedTransform((ResizedCrop(0.4, 0.8),))
    found = np.concatenate([transform.apply(x, tf.range(80), i).numpy() for i in range(10)])
    sides = (found[:, 4, 8, 0] - found[:, 4, 0, 0]) / 8
    moves = found[:, 4, 4] / (4 * (1 - sides))[:, None]
    for values, least, most in ((sides, 0.4, 0.8), (moves[:, 0], -1, 1), (moves[:, 1], -1, 1)):
        places = (values - least) / (most - least) * (CROPS - 1)
        assert np.allclose(places, np.round(places), atol=2e-3)  # of the table
        counts = np.histogram(places, 8, (-0.5, CROPS - 0.5))[0]
        assert ((counts - 100) ** 2 / 100).sum() < 28  # chi square, 7 degrees of freedom
    assert np.abs(np.corrcoef(np.stack([sides, *moves.T])) - np.eye(3)).max() < 0.12


@pytest.mark.parametrize("kind", [FoldedTransform, SequentialTransform])
def test_the_gradient_of_a_resized_crop_agrees_with_finite_differences(kind):
    x, weights = images(1, 6, 5, 1), images(1, 6, 5, 1, seed=3)
    transform, u = kind((Rotate((9.0,)), ResizedCrop(0.4))), np.array([[0, 0.3, 0.8, 0.1]], "f")

    def score(x):
        return tf.reduce_sum(weights * transform(x, u) ** 2)

    assert np.abs(checked_gradient(score, x)).max() > 0.1


@pytest.mark.parametrize("kind", [FoldedTransform, SequentialTransform])
def test_the_gradient_of_a_shrink_agrees_with_finite_differences(kind):
    x, weights = images(1, 9, 7, 1), images(1, 5, 4, 1, seed=3)

    def score(x):
        return tf.reduce_sum(weights * kind((Shrink(0.6, 2),))(x, np.zeros((1, 0), "f")) ** 2)

    assert np.abs(checked_gradient(score, x)).max() > 0.1


def test_a_shrunk_image_has_the_size_that_is_announced_and_its_borders():
    grid = np.stack(np.meshgrid(np.arange(160.0), np.arange(129.0)), -1)
    for share, least, size in ((0.7, 64, (129, 160)), (0.7, 64, (80, 160)), (0.3, 2, (129, 99))):
        transform = FoldedTransform((Pad(3), Jitter(5), Crop(), Shrink(share, least)))
        x = tf.constant(grid[None, : size[0], : size[1]], tf.float32)
        u = np.full((1, 2), 0.5, np.float32)  # the jitter's middle
        found = transform(x, u).numpy()[0]
        used = max(share, least / min(size))
        assert found.shape[:2] == transform.seen_size(size) == tuple(int(used * n) for n in size)
        for axis, n in ((0, size[1]), (1, size[0])):
            line = found[..., axis].mean(axis=axis)
            assert np.allclose(np.diff(line), 1 / used, atol=1e-3)
            assert 0 <= line[0] <= 1 / used and n - 1 - 1 / used <= line[-1] <= n - 1
    small = FoldedTransform((Shrink(0.7),))
    assert small.seen_size((48, 60)) == (48, 60)
    x = images(2, 48, 60, 3)
    assert np.array_equal(small.apply(x, tf.range(2), 0), x)


def test_networks_of_one_size_see_the_whole_size():
    transform, x = FoldedTransform(SHRUNK), images(2, 26, 31, 3)
    assert transform.unshrunk().steps == SHRUNK[:-1]
    assert transform.to_image_size() == transform.unshrunk()
    whole = transform.unshrunk()
    assert whole.unshrunk() is whole
    u = uniforms(transform, 2)
    assert transform.to_image_size()(x, u).shape == x.shape != transform(x, u).shape


@pytest.mark.parametrize("kind", [FoldedTransform, SequentialTransform])
def test_pads_and_jitters_scale_with_the_image(kind):
    steps = (Pad(16, fill=0.2), Jitter(17), Scale((1.0,)), Jitter(7), ResizedCrop(0.5), Crop())
    shrunk = (Pad(6, fill=0.2), Jitter(6), Scale((1.0,)), Jitter(3), *steps[-2:])
    transform = kind(steps, scaled_from=64)
    x = images(2, 24, 31, 3)
    expected = kind(shrunk).apply(tf.constant(x), tf.constant([3, 8]), 5)
    assert np.array_equal(transform.apply(tf.constant(x), tf.constant([3, 8]), 5), expected)
    assert transform.for_size((80, 64)) is transform
    assert transform.for_size((128, 130)).steps[:2] == (Pad(32, fill=0.2), Jitter(34))
    assert transform.for_size((24, 31)).choices == (7, 7, 1, 4, 4, CROPS, CROPS, CROPS)
    again = transform_from_json(json.loads(json.dumps(transform.to_json())))
    assert again == transform != kind(steps)
    assert "scaled_from" not in kind(steps).to_json()


def test_rows_and_steps_differ_unless_shared():
    x = tf.constant(np.broadcast_to(images(1, 16, 16, 3), (6, 16, 16, 3)))
    own, shared = FoldedTransform(ARTICLE_STEPS), FoldedTransform(ARTICLE_STEPS, shared=True)
    seeds = tf.range(6)
    rows = own.apply(x, seeds, 0).numpy()
    assert all(not np.array_equal(rows[i], rows[j]) for i in range(6) for j in range(i))
    assert not np.array_equal(rows, own.apply(x, seeds, 1))
    rows = shared.apply(x, seeds, 0).numpy()
    assert all(np.array_equal(row, rows[0]) for row in rows)
    assert np.array_equal(rows, shared.apply(x, tf.constant([0, 9, 9, 9, 9, 9]), 0))
    assert not np.array_equal(rows, shared.apply(x, seeds + 1, 0))
    given = shared(x, uniforms(shared, 6)).numpy()  # as many draws as rows: the first counts
    assert all(np.array_equal(row, given[0]) for row in given)


def test_a_row_depends_on_its_seed_and_step_only():
    x, transform = images(5, 17, 22, 3), FoldedTransform(VIVID_STEPS, scaled_from=64)
    seeds, order = np.array([5, 1, 9, 4, 2], np.int32), np.array([4, 2, 0, 3, 1])
    together = transform.apply(x, tf.constant(seeds), 7).numpy()
    for chosen in (order, np.array([3])):
        alone = transform.apply(x[chosen], tf.constant(seeds[chosen]), 7).numpy()
        assert np.array_equal(alone, together[chosen])


@pytest.mark.parametrize(
    "transform", [FoldedTransform(ARTICLE_STEPS), SequentialTransform(LUCID_STEPS)]
)
def test_it_runs_in_a_compiled_loop(transform):
    x, kernel = images(2, 20, 27, 3), images(3, 3, 3, 4, seed=6) - 0.5

    def advance(i, x, sizes):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = transform.apply(x, tf.constant([3, 8]), i)
            score = tf.reduce_mean(tf.nn.conv2d(y, kernel, 1, "SAME") ** 2)
        return i + 1, x + 10 * tape.gradient(score, x), sizes.write(i, tf.shape(y)[1:3])

    @tf.function
    def loop(x, steps):
        sizes = tf.TensorArray(tf.int32, 6)
        _, x, sizes = tf.while_loop(lambda i, *_: i < steps, advance, (0, x, sizes))
        return x, sizes.stack()

    looped, sizes = loop(tf.constant(x), 6)
    stepped = tf.constant(x)
    for i in range(6):
        _, stepped, _ = advance(i, stepped, tf.TensorArray(tf.int32, 6))
    assert np.allclose(looped, stepped, atol=1e-4)
    assert not np.allclose(looped, x, atol=1e-3)
    if transform.resample == "each":
        assert len(np.unique(sizes.numpy(), axis=0)) > 1
    else:
        assert (sizes.numpy() == (20, 27)).all()


def test_no_steps_do_nothing():
    x = images(2, 5, 6, 3)
    assert np.array_equal(FoldedTransform().apply(x, tf.range(2), 3), x)
    assert np.array_equal(FoldedTransform((Pad(2), Crop())).apply(x, tf.range(2), 3), x)


def test_presets_are_those_of_their_sources():
    kinds = [step.kind for step in ARTICLE_STEPS]
    assert kinds == ["pad", "jitter", "scale", "rotate", "jitter", "crop"]
    assert FoldedTransform(ARTICLE_STEPS).choices == (17, 17, 5, 11, 9, 9)
    assert [step.kind for step in LUCID_STEPS] == kinds[:-1]
    assert FoldedTransform(LUCID_STEPS).choices == (9, 9, 11, 26, 5, 5)
    assert LUCID_STEPS[3].degrees.count(0.0) == 6


@pytest.mark.parametrize("steps", [*ALL, (Pad(2, 0.5, "reflect"),)])
@pytest.mark.parametrize("kind", [FoldedTransform, SequentialTransform])
def test_json_round_trips(steps, kind):
    transform = kind(steps)
    again = transform_from_json(json.loads(json.dumps(transform.to_json())))
    assert again == transform and hash(again) == hash(transform)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: transform_from_json({"resample": "each"}), "shared"),
        (lambda: transform_from_json({"resample": "twice"}), "once, each"),
        (lambda: FoldedTransform((Jitter(2), Pad(2, mode="reflect"))), "first"),
        (lambda: FoldedTransform((Pad(2), Pad(2, fill=0.0))), "fills"),
        (lambda: Pad(-1), "0 or more"),
        (lambda: Pad(1, mode="wrap"), "constant, reflect"),
        (lambda: Jitter(1.5), "whole number"),
        (lambda: Scale(()), "above 0"),
        (lambda: Scale((1.0, 0.0)), "above 0"),
        (lambda: Rotate((float("nan"),)), "degrees"),
        (lambda: ResizedCrop(0.0), "above 0"),
        (lambda: ResizedCrop(0.5, 1.2), "up to 1"),
        (lambda: ResizedCrop(0.9, 0.5), "smallest first"),
        (lambda: ResizedCrop("0.5"), "shares"),
        (lambda: transform_from_json({"steps": [{"kind": "resized-crop"}]}), "smallest is missing"),
        (lambda: Shrink(1.5), "share"),
        (lambda: Shrink(0.5, -3), "0 or more"),
        (lambda: transform_from_json({"scaled_from": -1}), "or 0"),
        (lambda: transform_from_json({"steps": [{"kind": "blur"}]}), "unknown transform 'blur'"),
        (lambda: transform_from_json({"steps": [{"kind": "pad"}]}), "pixels is missing"),
        (lambda: transform_from_json({"steps": [{"kind": "crop", "w": 1}]}), "unknown setting 'w'"),
        (lambda: transform_from_json({"shard": True}), "shared"),
        (lambda: FoldedTransform((Jitter(8),)).apply(images(1, 8, 9, 3), [0], 0), "8x9"),
        (
            lambda: SequentialTransform((Jitter(8),)).apply(images(1, 8, 9, 3), [0], 0),
            "8x9",
        ),
    ],
)
def test_impossible_settings_are_explained(make, message):
    with pytest.raises(UsageError, match=message):
        make()


def test_a_crop_is_added_where_the_size_changes_only():
    kept = [ARTICLE_STEPS, (Rotate((5.0,)), Scale((1.1,))), (Pad(4), Jitter(8)), ()]
    for steps in kept:
        assert FoldedTransform(steps).to_image_size() == FoldedTransform(steps)
    rounded = FoldedTransform((Pad(4), Jitter(8)), scaled_from=40)
    assert rounded.for_size((16, 20)).steps == (Pad(2), Jitter(3))
    assert rounded.to_image_size()(images(2, 16, 20, 3), uniforms(rounded, 2)).shape[1:3] == (
        16,
        20,
    )
    grown = FoldedTransform((Pad(6, mode="reflect"), Jitter(3), Rotate((5.0, 0.0)))).to_image_size()
    assert grown.steps[-1] == Crop() and grown.draws == 3
    assert grown(images(2, 9, 13, 3), uniforms(grown, 2)).shape == (2, 9, 13, 3)
    shared = SequentialTransform(LUCID_STEPS).to_image_size()
    assert shared.shared and shared.to_image_size() == shared
    for seed in range(3):  # the reference library's sizes vary from step to step
        assert shared(images(2, 32, 24, 3), uniforms(shared, 2, seed)).shape == (2, 32, 24, 3)
