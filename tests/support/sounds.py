"""Small networks without a file that take sounds, or their spectrograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.network.network import Identity, Network
from kerasviz.network.program import PLAIN, Described, Kernels, Port, Value

RATE = 4000
#: The samples of a kernel.
KERNEL = 160


class ListenerProgram(Described):
    """Say how strongly tones are heard: tones [B, moments, F] = relu(conv of a sinusoid each)."""

    def __init__(self, frequencies: Sequence[float], samples: int | None):
        moments = np.arange(KERNEL) / RATE
        waves = [np.sin(2 * np.pi * hz * moments) * np.hanning(KERNEL) for hz in frequencies]
        self.kernel = tf.constant(np.stack(waves, axis=-1)[:, None] / 40, tf.float32)
        self._inputs = {"wave": Port("wave", tf.float32, (None, samples))}
        shape = (None, None, len(frequencies))
        self._values = {
            "linear": Value("linear", "Conv", shape, inputs=("wave",)),
            "tones": Value("tones", "Relu", shape, relu_input="linear", inputs=("linear",)),
        }
        self._outputs = ["tones"]

    def compute(
        self,
        feeds: Mapping[str, Any],
        names: Sequence[str],
        *,
        channels_last: bool = True,
        kernels: Kernels = PLAIN,
    ) -> dict[str, Any]:
        linear = tf.nn.conv1d(feeds["wave"][..., None], self.kernel, 8, "VALID")
        results = {"linear": linear, "tones": tf.nn.relu(linear)}
        return {name: results[name] for name in names}


class BandsProgram(Described):
    """Pass a spectrogram [B, frames, bands] on."""

    def __init__(self, bands: int, frames: int | None = None):
        self._inputs = {"mel": Port("mel", tf.float32, (None, frames, bands))}
        self._values = {"bands": Value("bands", "Identity", (None, frames, bands), inputs=("mel",))}
        self._outputs = ["bands"]

    def compute(
        self,
        feeds: Mapping[str, Any],
        names: Sequence[str],
        *,
        channels_last: bool = True,
        kernels: Kernels = PLAIN,
    ) -> dict[str, Any]:
        return dict.fromkeys(names, tf.identity(feeds["mel"]))


def listener(frequencies: Sequence[float] = (300.0, 750.0), samples: int | None = None) -> Network:
    """Return a network of tones in sounds of 4000 samples per second."""
    identity = Identity("listener", "listener", "zoo", "6" * 64)
    return Network(ListenerProgram(frequencies, samples), identity, rate=RATE)


def band_network(bands: int, frames: int | None = None) -> Network:
    """Return a network whose units are the bands of a spectrogram."""
    return Network(BandsProgram(bands, frames), Identity("bands", "bands", "zoo", "7" * 64))
