from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis.parameterizations import Fourier, Signal, from_json
from kerasviz.optvis.parameterizations.signal import axis_scale

SEEDS = np.array([4, 0, 11], np.int32)
LENGTHS = [(1,), (2,), (9,), (10,), (4, 1), (1, 7), (3, 4, 5), (4, 5, 6), (1, 1, 3)]


def folded(lengths):
    return int(np.prod(lengths[:-1])), lengths[-1]


@pytest.mark.parametrize("lengths", LENGTHS)
def test_signals_are_the_sum_of_their_waves(lengths):
    chosen = Signal(sd=0.3, lengths=lengths)
    height, width = folded(lengths)
    params = chosen.init(SEEDS, height, width, 2)
    found = chosen.values(params, height, width).numpy()
    assert found.shape == (3, height, width, 2)
    spectrum = (params[0].numpy() + 1j * params[1].numpy()) * axis_scale(lengths, 1.0) / 4
    last = lengths[-1] + lengths[-1] % 2
    axes = range(-len(lengths), 0)
    expected = np.fft.irfftn(spectrum, (*lengths[:-1], last), axes)[..., : lengths[-1]]
    expected = np.moveaxis(expected, 1, -1).reshape(found.shape)
    assert np.abs(found - expected).max() < 1e-5 * max(1, np.abs(expected).max())


def test_two_axes_are_the_image_method():
    plain, image = Signal(lengths=(12, 9)), Fourier(decorrelate=False)
    for one, other in zip(plain.init(SEEDS, 12, 9, 3), image.init(SEEDS, 12, 9, 3), strict=True):
        assert np.array_equal(one, other)
    params = image.init(SEEDS, 12, 9, 3)
    assert np.array_equal(plain.to_image(params, 12, 9), image.to_image(params, 12, 9))


@pytest.mark.parametrize("lengths", [(64,), (15, 16), (7, 8, 9)])
@pytest.mark.parametrize("weights", [False, True])
def test_the_scale_is_the_formula(lengths, weights):
    factors = (3.0, 1.0, 0.5)[: len(lengths)] if weights else ()
    found = axis_scale(lengths, 1.5, factors)
    places = [range(n) for n in found.shape]
    for place in itertools.islice(itertools.product(*places), 0, None, 7):
        factors_of = factors or (1.0,) * len(lengths)
        triples = zip(place, lengths, factors_of, strict=True)
        parts = [w * min(k, n - k) / n for k, n, w in triples]
        frequency = max(np.sqrt(np.sum(np.square(parts))), 1 / max(lengths))
        expected = np.sqrt(np.prod(lengths)) / frequency ** (1.5 * len(lengths) / 2)
        assert np.isclose(found[place], expected)


def test_octaves_have_the_same_energy_along_one_axis():
    energy = np.square(axis_scale((4096,), 1.0))
    octaves = [energy[2**k : 2 ** (k + 1)].sum() for k in range(3, 11)]
    assert max(octaves) / min(octaves) < 1.05


@pytest.mark.parametrize("lengths", [(9,), (10,), (5, 4), (3, 4, 5)])
def test_rows_are_independent(lengths):
    chosen = Signal(lengths=lengths)
    size = folded(lengths)
    together = chosen.to_image(chosen.init(SEEDS, *size, 2), *size)
    alone = chosen.to_image(chosen.init(SEEDS[1:2], *size, 2), *size)
    assert np.array_equal(together[1:2], alone)


@pytest.mark.parametrize("lengths", [(9,), (10,), (5, 4), (3, 4, 5), (4, 3, 6)])
def test_images_come_back(lengths):
    chosen = Signal(lengths=lengths)
    size = folded(lengths)
    images = np.random.default_rng(2).uniform(0.05, 0.95, (2, *size, 3)).astype(np.float32)
    again = chosen.to_image(chosen.from_images(tf.constant(images)), *size)
    assert np.abs(again - images).max() < 1e-4


def test_json_and_wrong_settings():
    chosen = Signal(weights=(4.0, 1.0), lengths=(5, 6))
    assert from_json(chosen.to_json()) == chosen
    data = {**chosen.to_json(), "weights": [4.0, 1.0], "lengths": [5, 6]}
    assert from_json(data) == chosen and hash(from_json(data)) == hash(chosen)
    for wrong in [{"lengths": (0,)}, {"lengths": (1, 1, 1, 1)}, {"weights": (0.0,)}, {"sd": -1}]:
        with pytest.raises(UsageError):
            Signal(**wrong)
    with pytest.raises(UsageError, match="2 weights for 1 axes"):
        Signal(weights=(1.0, 1.0)).along((5,))
    with pytest.raises(UsageError, match="in an image of"):
        Signal(lengths=(5, 6)).init(SEEDS, 4, 6, 1)
