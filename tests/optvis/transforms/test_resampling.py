from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
from support.gradients import checked_gradient

from kerasviz.optvis.transforms import resampling
from kerasviz.optvis.transforms.resampling import Similarity, portable_sample, sample
from reference.transforms import bilinear


def similarity(factors, degrees, moves):
    """The map that enlarges, turns and moves the content of every row."""
    m = np.exp(1j * np.radians(degrees)) / np.asarray(factors)
    numbers = [m.real, m.imag, np.real(moves), np.imag(moves)]
    return Similarity(*(tf.constant(n, tf.float32) for n in numbers))


def random_similarity(rows, largest, degrees, seed=0):
    draw = np.random.default_rng(seed)
    factors = draw.uniform(1 / largest, largest, rows)
    moves = draw.uniform(-6, 6, rows) + 1j * draw.uniform(-6, 6, rows)
    return similarity(factors, draw.uniform(-degrees, degrees, rows), moves)


def reach(largest, degrees):
    return largest * math.sqrt(2) * math.sin(math.radians(45 + min(degrees, 45)))


def images(*shape, seed=1):
    return np.random.default_rng(seed).uniform(0, 1, shape).astype(np.float32)


@pytest.mark.parametrize(("shape", "size"), [((3, 9, 14, 3), (11, 8)), ((2, 7, 5, 1), (7, 5))])
def test_it_is_bilinear_interpolation_at_the_mapped_pixels(shape, size):
    x, along = images(*shape), random_similarity(shape[0], 1.4, 30)
    found = sample(x, along, size, 0.25, reach(1.4, 30)).numpy()
    for b in range(shape[0]):
        m = complex(along.real[b], along.imaginary[b])
        t = complex(along.right[b], along.down[b])
        for row, column in np.ndindex(*size):
            v = m * complex(column - (size[1] - 1) / 2, row - (size[0] - 1) / 2) + t
            at = v.imag + (shape[1] - 1) / 2, v.real + (shape[2] - 1) / 2
            expected = bilinear(x[b].astype(np.float64), *at, 0.25)
            assert np.allclose(found[b, row, column], expected, atol=1e-5)


def test_the_identity_changes_no_bit():
    x = images(2, 13, 8, 3)
    assert np.array_equal(sample(x, Similarity(), (13, 8), 0.5, 1.0), x)


def test_moves_by_whole_pixels_copy_and_fill():
    x = images(1, 6, 7, 2)
    moved = sample(x, Similarity(right=2.0, down=-1.0), (6, 7), 0.5, 1.0).numpy()
    assert np.array_equal(moved[0, 1:, :5], x[0, :-1, 2:])
    assert (moved[0, 0] == 0.5).all() and (moved[0, :, 5:] == 0.5).all()


@pytest.mark.parametrize(
    ("largest", "degrees"), [(1.0, 0), (1.05, 5), (1.1, 10), (1.3, 20), (1.5, 180), (2.5, 0)]
)
def test_the_gradient_is_the_adjoint(largest, degrees):
    # <T x, y> = <x, T' y> for the linear T of a fill of 0, and any x and y.
    x, y = images(5, 23, 18, 3), images(5, 20, 25, 3, seed=2) - 0.5
    along = random_similarity(5, largest, degrees)
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        sampled = sample(x, along, (20, 25), 0.0, reach(largest, degrees))
    adjoint = tape.gradient(sampled, x, output_gradients=tf.constant(y))
    there = np.sum(sampled.numpy().astype(np.float64) * y, axis=(1, 2, 3))
    back = np.sum(adjoint.numpy().astype(np.float64) * x.numpy(), axis=(1, 2, 3))
    sizes = np.linalg.norm(sampled.numpy().reshape(5, -1), axis=1)
    sizes *= np.linalg.norm(y.reshape(5, -1), axis=1)
    assert np.abs(there - back).max() < 1e-5 * sizes.max()
    assert np.abs(there).min() > 0


def test_the_gradient_agrees_with_finite_differences():
    x, weights = images(1, 6, 5, 1), images(1, 7, 7, 1, seed=3)
    along = similarity([1.2], [25], [1 - 0.5j])

    def score(x):
        return tf.reduce_sum(weights * sample(x, along, (7, 7), 0.5, reach(1.2, 25)) ** 2)

    checked_gradient(score, x)


@pytest.mark.parametrize("largest", [1.1, 2.2])  # windows that are unrolled, and run by rows
def test_rows_are_to_the_last_bit_the_same_wherever_they_stand(largest):
    x, along = images(5, 15, 11, 3), random_similarity(5, largest, 10)
    order = np.array([3, 1, 4, 0, 2])

    def both(x, along):
        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = sample(x, along, (15, 11), 0.5, reach(largest, 10))
            score = y**2
        return y.numpy(), tape.gradient(score, x).numpy()

    def rows(chosen):
        numbers = (along.real, along.imaginary, along.right, along.down)
        return Similarity(*(tf.gather(n, chosen) for n in numbers))

    together = both(x, along)
    for chosen in (order, np.array([2])):
        for found, expected in zip(both(x[chosen], rows(chosen)), together, strict=True):
            assert np.array_equal(found, expected[chosen])


def test_rows_of_a_large_window_add_up_to_what_all_of_them_do(monkeypatch):
    along, weights = random_similarity(3, 2.2, 10), images(3, 12, 13, 3, seed=4)
    window = resampling._window(reach(2.2, 10))
    numbers = (along.real, along.imaginary, along.right, along.down)
    maps = tf.stack([tf.cast(n, tf.float32) for n in numbers], axis=1)
    by_rows = resampling._spread(tf.constant(weights), maps, (14, 9), window)
    assert window > resampling.UNROLLED
    monkeypatch.setattr(resampling, "UNROLLED", window)
    unrolled = resampling._spread(tf.constant(weights), maps, (14, 9), window)
    np.testing.assert_allclose(by_rows, unrolled, rtol=0, atol=1e-6)


def test_without_xla_only_the_rounding_differs():
    x, along = images(3, 14, 9, 3), random_similarity(3, 1.2, 15)
    weights = images(3, 11, 12, 3, seed=4)
    found = []
    for sampled in (sample, portable_sample):
        watched = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(watched)
            y = sampled(watched, along, (11, 12), 0.5, reach(1.2, 15))
            score = weights * y**2
        found.append((y.numpy(), tape.gradient(score, watched).numpy()))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_without_xla_no_function_is_one_of_xla():
    spec, along = tf.TensorSpec([1, 8, 8, 1]), random_similarity(1, 1.1, 5)
    for sampled, fused in ((sample, True), (portable_sample, False)):
        traced = tf.function(lambda x, f=sampled: f(x, along, (8, 8), 0.5, 1.5))
        graph = traced.get_concrete_function(spec).graph.as_graph_def()
        compiled = [f for f in graph.library.function if "_XlaMustCompile" in f.attr]
        assert bool(compiled) == fused
