"""Describe inputs that take sounds: signals of time in [-1, 1] with an audible rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kerasviz.network.input_spec import InputSpec
from kerasviz.network.signal_input import SignalInput

#: The least samples per second of a sound; slower signals, such as EEG, are no sounds.
LEAST_RATE = 4000
#: The most channels of a sound.
MOST_CHANNELS = 2
#: How images in [0, 1] become sounds in [-1, 1].
SOUND_SPEC = InputSpec(scale=2.0, mean=(1.0,), source="sounds from -1 to 1")


@dataclass(frozen=True)
class SoundInput(SignalInput):
    """Describe an input that takes sounds [B, T], [B, 1, T] or [B, T, 1]."""

    medium: ClassVar[str] = "sound"
    noun: ClassVar[str] = "sound"

    @classmethod
    def of_signal(cls, signal: SignalInput) -> SignalInput:
        """Return the sound that a signal is; other signals are returned as they are."""
        is_sound = (
            (signal.rate or 0) >= LEAST_RATE
            and signal.positions == ("time",)
            and signal.channels <= MOST_CHANNELS
        )
        return cls(signal.port, signal.axes, signal.rate) if is_sound else signal

    @property
    def samples_per_second(self) -> int:
        """The rate, which a sound always has."""
        assert self.rate is not None
        return self.rate

    @property
    def default_spec(self) -> InputSpec | None:
        """The description that sounds have nearly always: numbers from -1 to 1."""
        return SOUND_SPEC
