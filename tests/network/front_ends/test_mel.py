from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.network.front_ends.mel import MEL_KINDS, hz_to_mel, mel_filters, mel_to_hz
from reference import front_ends as twin


@pytest.mark.parametrize("kind", MEL_KINDS)
@pytest.mark.parametrize("area_norm", [False, True])
@pytest.mark.parametrize(
    ("fft", "bands", "low", "high"), [(512, 64, 125, 7500), (100, 13, 0, 8000)]
)
def test_filters_are_those_of_the_twin(kind, area_norm, fft, bands, low, high):
    found = mel_filters(kind, 16000, fft, bands, (low, high), area_norm)
    wanted = twin.filters(kind, 16000, fft, bands, low, high, area_norm)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert found.any()


def test_htk_is_the_matrix_of_tensorflow():
    wanted = tf.signal.linear_to_mel_weight_matrix(64, 257, 16000, 125.0, 7500.0)
    np.testing.assert_allclose(
        mel_filters("htk", 16000, 512, 64, (125, 7500), False), wanted, atol=1e-5
    )


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_scales_have_an_inverse(scale):
    hz = np.array([0.0, 20.0, 999.0, 1000.0, 1001.0, 8000.0])
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hz, scale), scale), hz, atol=1e-9)
    np.testing.assert_allclose(hz_to_mel(np.array([700.0]), "htk"), 2595 * np.log10(2))
