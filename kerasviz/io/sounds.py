"""Read and write sounds: WAV files by the standard library, others by soundfile."""

from __future__ import annotations

import importlib
import io
import math
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.errors import UsageError, first_line
from kerasviz.types import Array

#: The endings of files that may be recordings.
SOUND_ENDINGS = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".opus")
#: The value of a sample of 1 in 16 bits.
FULL = 32768
#: The lowest and the highest rate of recordings, in samples per second.
RATES = (1000, 768000)
#: The longest recording that is read, in seconds.
LONGEST = 3600.0
#: The shortest part of a sound's length that a recording may have; silence follows it.
SHORTEST = 0.1


@dataclass(frozen=True)
class Recording:
    """Hold samples [T], float32 in [-1, 1], of one channel, and their number per second."""

    samples: Array
    rate: int

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return len(self.samples) / self.rate

    def at_rate(self, rate: int) -> Recording:
        """Return the recording with another number of samples per second.

        >>> Recording(np.zeros(800, np.float32), 8000).at_rate(16000).samples.shape
        (1600,)
        """
        if rate == self.rate:
            return self
        from scipy.signal import resample_poly

        divisor = math.gcd(rate, self.rate)
        samples = resample_poly(
            self.samples.astype(np.float64), rate // divisor, self.rate // divisor
        )
        return Recording(samples.astype(np.float32), rate)

    def of_length(self, count: int) -> Recording:
        """Return ``count`` samples from the middle; silence follows a shorter recording.

        Raises :class:`UsageError` for one much shorter than that.
        """
        length = len(self.samples)
        if length < SHORTEST * count:
            raise UsageError(
                f"recording of {self.seconds:.3g} s: too short for a sound of "
                f"{count / self.rate:.3g} s; give a longer one, or --seconds {self.seconds:.2g}"
            )
        if length < count:
            return Recording(np.pad(self.samples, (0, count - length)), self.rate)
        first = (length - count) // 2
        return Recording(self.samples[first : first + count], self.rate)


def recordings_in(folder: Path) -> list[Path]:
    """Return the files of a folder that may be recordings, by name; none if it is no folder."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SOUND_ENDINGS)


def wav_bytes(samples: Array, rate: int) -> tuple[bytes, float]:
    """Return a WAV file of 16 bits of samples [T] or [T, C], and the factor they were made by.

    The factor is 1, but for sounds beyond -1 and 1, which are made softer. Equal samples give equal
    bytes.

    Raises:
        UsageError: For samples that are no numbers.

    Example:
        >>> data, factor = wav_bytes(np.array([0.0, 2.0, -1.0]), 8000)
        >>> factor, read_sound(io.BytesIO(data)).samples.round(3).tolist()
        (0.5, [0.0, 1.0, -0.5])
    """
    samples = np.asarray(samples, np.float64)
    if not np.isfinite(samples).all():
        raise UsageError("sound: its samples are not all numbers (NaN or infinite)")
    largest = float(np.abs(samples).max(initial=0.0))
    factor = 1.0 if largest <= 1 else 1 / largest
    whole = np.clip(np.rint(samples * factor * FULL), -FULL, FULL - 1).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(whole.tobytes())
    return buffer.getvalue(), factor


def read_sound(source: Path | io.BytesIO) -> Recording:
    """Read a recording; the channels of a stereo one are averaged.

    WAV files of whole numbers need nothing else; soundfile reads other formats where it is
    installed.

    Raises:
        UsageError: For a file that is none, is silent, empty, damaged or too long.
    """
    name = str(source) if isinstance(source, Path) else "sound"
    if isinstance(source, Path) and not source.is_file():
        raise UsageError(f"{name}: there is no such file")
    try:
        samples, rate = channels_of(source)
    except (wave.Error, EOFError) as error:
        samples, rate = _read_other(source, name, first_line(error))
    if not RATES[0] <= rate <= RATES[1]:
        raise UsageError(f"{name}: {rate} samples per second; expected {RATES[0]} to {RATES[1]}")
    if not len(samples):
        raise UsageError(f"{name}: an empty recording; give one with sound")
    if len(samples) > LONGEST * rate:
        raise UsageError(
            f"{name}: a recording of {len(samples) / rate:.0f} s; expected at most {LONGEST:.0f}"
        )
    return checked(Recording(samples.mean(axis=1).astype(np.float32), rate), name)


def checked(recording: Recording, name: str) -> Recording:
    """Return a recording; raise :class:`UsageError` for silence and samples that are no numbers."""
    if not np.isfinite(recording.samples).all():
        raise UsageError(f"{name}: its samples are not all numbers (NaN or infinite)")
    if not recording.samples.any():
        raise UsageError(f"{name}: a silent recording; give one with sound")
    return recording


def recording_of(samples: Any, rate: int, name: str = "recording") -> Recording:
    """Return the recording of an array [T] or [T, C] of numbers in [-1, 1], or of 16 bits.

    Raises :class:`UsageError` for others.
    """
    array = np.asarray(samples)
    if array.dtype == np.int16:
        array = array.astype(np.float32) / FULL
    if array.ndim == 2:
        array = array.mean(axis=1)
    if array.ndim != 1 or array.dtype.kind != "f" or not len(array):
        shape = " x ".join(map(str, np.shape(samples)))
        raise UsageError(
            f"{name} of {shape} {np.asarray(samples).dtype}: expected samples [T] in [-1, 1]"
        )
    recording = checked(Recording(array.astype(np.float32), rate), name)
    largest = float(np.abs(array).max())
    if largest > 1:
        raise UsageError(f"{name}: samples up to {largest:.3g}; expected numbers in [-1, 1]")
    return recording


def channels_of(source: Path | io.BytesIO) -> tuple[Array, int]:
    """Return samples [T, C], float64, and the rate of a WAV file of whole numbers.

    Raises ``wave.Error`` for other files.
    """
    with wave.open(str(source) if isinstance(source, Path) else source, "rb") as file:
        width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
        raw = np.frombuffer(file.readframes(file.getnframes()), np.uint8)
    raw = raw[: len(raw) // (width * channels) * width * channels].reshape(-1, channels, width)
    if width == 1:  # the only width without a sign
        return raw[..., 0].astype(np.float64) / 128 - 1, rate
    high = np.zeros((*raw.shape[:2], 4), np.uint8)
    high[..., 4 - width :] = raw
    return high.view("<i4")[..., 0].astype(np.float64) / 2**31, rate


def _read_other(source: Path | io.BytesIO, name: str, reason: str) -> tuple[Array, int]:
    """Return samples [T, C], float64, and the rate of a file that soundfile reads."""
    try:
        soundfile: Any = importlib.import_module("soundfile")
    except (ImportError, OSError) as error:
        raise UsageError(
            f"{name}: no WAV file of whole numbers ({reason}); for other formats: pip install "
            "'kerasviz[sound]'"
        ) from error
    try:
        samples, rate = soundfile.read(source, dtype="float64", always_2d=True)
    except (RuntimeError, OSError) as error:
        raise UsageError(f"{name}: no recording can be read: {first_line(error)}") from error
    return samples, int(rate)
