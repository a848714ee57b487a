from __future__ import annotations

import numpy as np
import tensorflow as tf

from kerasviz.optvis.randomness import normal, uniform

SEEDS = np.array([3, 0, 2**31 - 1, -5, 3000, 7], np.int32)


def test_a_row_depends_on_its_seed_only():
    order = np.array([4, 2, 0, 5, 1, 3])
    for draw in (
        lambda seeds: normal(seeds, (3, 5), stream=2),
        lambda seeds: uniform(seeds, 11, 7, stream=2),
    ):
        together = draw(SEEDS).numpy()
        assert np.array_equal(draw(SEEDS[order]).numpy(), together[order])
        for i in range(len(SEEDS)):
            assert np.array_equal(draw(SEEDS[i : i + 1]).numpy(), together[i : i + 1])


def test_the_numbers_are_those_that_tensorflow_draws_for_a_row():
    step = np.array([0, 1, 2**31 - 1, 17, -1, 3])
    for stream in (0, 2, 2**31 - 1):
        drawn, noise = uniform(SEEDS, step, 7, stream), normal(SEEDS, (3, 5), stream)
        for i, seed in enumerate(SEEDS.astype(np.int64) + (stream << 32)):
            own = tf.random.stateless_uniform((7,), (seed, step[i]), alg="philox")
            assert np.array_equal(drawn[i], own)
            own = tf.random.stateless_normal((3, 5), (seed, 0), alg="philox")
            assert np.array_equal(noise[i], own)


def test_a_graph_with_tensors_and_any_batch_size_draws_the_same():
    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32)])
    def free(seeds, step):
        return uniform(seeds, step, 5), normal(seeds, (2, 2))

    @tf.function(input_signature=[tf.TensorSpec([6], tf.int32), tf.TensorSpec([], tf.int32)])
    def fixed(seeds, step):
        return uniform(seeds, step, 5), normal(seeds, (2, 2))

    for graph in (free, fixed):
        drawn, noise = graph(SEEDS, 9)
        assert np.array_equal(drawn, uniform(SEEDS, 9, 5))
        assert np.array_equal(noise, normal(SEEDS, (2, 2)))


def test_seeds_steps_and_streams_are_independent():
    rows = [
        uniform([seed], step, 1000, stream).numpy()[0]
        for seed in (0, 1, 2)
        for step in (0, 1, 2)
        for stream in (0, 1, 2)
    ]
    correlation = np.corrcoef(rows) - np.eye(len(rows))
    assert np.abs(correlation).max() < 0.16  # five standard deviations of 1 / sqrt(1000)


def test_normal_numbers_are_normal():
    numbers = normal(np.arange(20), (5000,)).numpy().ravel().astype(np.float64)
    moments = [np.mean(numbers**k) for k in (1, 2, 3, 4)]
    assert np.allclose(moments, [0, 1, 0, 3], atol=0.08)
    assert np.abs(numbers).max() > 4


def test_uniform_numbers_fill_the_unit_interval_evenly():
    numbers = np.concatenate([uniform(np.arange(10), step, 10).numpy() for step in range(100)])
    assert numbers.min() >= 0 and numbers.max() < 1
    counts, _ = np.histogram(numbers, 20, (0, 1))
    expected = numbers.size / 20
    assert ((counts - expected) ** 2 / expected).sum() < 50  # chi square, 19 degrees of freedom


def test_the_global_seed_is_neither_used_nor_changed():
    tf.random.set_seed(1)
    first = normal(SEEDS, (4,)).numpy()
    state = tf.random.uniform([3]).numpy()
    tf.random.set_seed(1)
    uniform(SEEDS, 0, 3)
    assert np.array_equal(state, tf.random.uniform([3]).numpy())
    tf.random.set_seed(2)
    assert np.array_equal(first, normal(SEEDS, (4,)).numpy())
