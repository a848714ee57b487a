from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.network.optimized_inputs import optimized_inputs
from kerasviz.network.program import Described, Port
from kerasviz.network.sound_input import SOUND_SPEC, SoundInput


class Heard(Described):
    def __init__(self, shape):
        self._inputs = {"wave": Port("wave", tf.float32, shape)}
        self._values = {}


@pytest.mark.parametrize(
    ("shape", "rate", "medium"),
    [
        ((None, None), 16000, "sound"),
        ((None, 1, None), 16000, "sound"),
        ((None, 43844, 1), 22050, "sound"),
        ((None, 2, 9000), 44100, "sound"),
        ((None, 9000, 12), 16000, "signal"),
        ((None, 9000), 250, "signal"),
        ((None, 9000), None, "signal"),
        ((None, 20), 16000, "signal"),
    ],
)
def test_a_rate_that_can_be_heard_makes_a_sound(shape, rate, medium):
    found = optimized_inputs(Heard(shape), rate=rate)[0]
    assert found.medium == medium and isinstance(found, SoundInput) == (medium == "sound")
    assert (found.default_spec == SOUND_SPEC) == (medium == "sound")


@pytest.mark.parametrize("shape", [(None, 600), (None, 1, 600), (None, 600, 1)])
def test_samples_reach_the_network_in_its_layout(shape):
    heard = optimized_inputs(Heard(shape), rate=16000)[0]
    samples = np.random.default_rng(0).uniform(-1, 1, (2, 600)).astype(np.float32)
    images = tf.constant((samples[:, None, :, None] + 1) / 2)
    fed = heard.feed(SOUND_SPEC.apply(images)).numpy()
    assert fed.shape == tuple(n or 2 for n in shape)
    np.testing.assert_allclose(fed.reshape(2, 600), samples, atol=1e-6)
