"""Show and keep sounds: a spectrogram above the waveform, and a WAV file beside it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from kerasviz.io.sounds import channels_of, wav_bytes
from kerasviz.rendering.media.sound_plot import draw_sound
from kerasviz.types import Array


@dataclass(frozen=True)
class SoundMedium:
    """Show sounds [1, T, C] in [0, 1], where 0.5 is silence, of ``rate`` samples per second."""

    rate: int
    suffixes: tuple[str, ...] = (".wav",)

    def pil(self, values: Array, opacity: Array | None = None) -> Image.Image:
        """Draw a sound: its spectrogram and its waveform."""
        return draw_sound(samples_of(values).mean(axis=-1), self.rate)

    def companions(self, values: Array) -> dict[str, bytes]:
        """Return the WAV file of a sound, by its suffix."""
        samples = samples_of(values)
        return {".wav": wav_bytes(samples if samples.shape[1] > 1 else samples[:, 0], self.rate)[0]}

    def read(self, image: Image.Image, files: Mapping[str, bytes]) -> Array | None:
        """Return the values of a WAV file; ``None`` without one."""
        if not files.get(".wav"):
            return None
        samples, _ = channels_of(io.BytesIO(files[".wav"]))
        return ((samples[None] + 1) / 2).astype(np.float32)


def samples_of(values: Array) -> Array:
    """Return samples [T, C] in [-1, 1] of a sound [1, T, C] in [0, 1].

    >>> import numpy as np
    >>> samples_of(np.full((1, 2, 1), 0.75)).tolist()
    [[0.5], [0.5]]
    """
    samples: Array = 2 * values[0] - 1
    return samples
