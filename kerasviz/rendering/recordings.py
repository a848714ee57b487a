"""Read recordings from which sounds start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.io.sounds import read_sound, recording_of
from kerasviz.optvis.held_array import HeldArray


def hold_recording(sound: Any, number: int, samples: int, rate: int, channels: int) -> HeldArray:
    """Hold a recording as image [1, T, C] in [0, 1], at a rate and of a length.

    A file is resampled; an array of samples has that rate, and is named by its ``number``. Of a
    longer recording the middle is taken, and silence follows a shorter one. All channels are the
    same.

    Raises:
        UsageError: For a file that is none, is silent, or much too short.
    """
    if isinstance(sound, np.ndarray):
        name = f"recording {number}"
        recording = recording_of(sound, rate, name)
    elif isinstance(sound, Path):
        recording, name = read_sound(sound), sound.name
    else:
        raise UsageError(
            f"from {type(sound).__name__}: expected a recording: a file such as a .wav, a folder, "
            "or an array of samples"
        )
    try:
        fitted = recording.at_rate(rate).of_length(samples)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from error
    if not fitted.samples.any():
        raise UsageError(f"{name}: its middle is silent; give one with sound there")
    values = (np.clip(fitted.samples, -1, 1) + 1) / 2
    image = np.repeat(values[None, :, None], channels, axis=-1)
    return HeldArray.of(image.astype(np.float32), name)
