"""A network of spectrograms with its front end before it: its input is the sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.network.front_ends.card import FrontEndCard
from kerasviz.network.front_ends.spectrogram import spectrogram
from kerasviz.network.inputs import shown
from kerasviz.network.program import PLAIN, Described, Kernels, Port, Program, Value
from kerasviz.types import Tensor

#: The name of the input of a network with a front end.
WAVEFORM = "waveform"
#: The name of the tap that is the spectrogram.
SPECTROGRAM = "spectrogram"


class FrontEndProgram(Described):
    """Compute the values of a program whose input is the spectrogram of a sound [B, T] in [-1, 1].

    The spectrogram is a value itself, by the name of the program's input and ``spectrogram``.

    Args:
        program: The network of spectrograms.
        card: The front end.

    Raises:
        UsageError: If no input takes a spectrogram of the card, or several do.
    """

    def __init__(self, program: Program, card: FrontEndCard):
        self.program, self.card = program, card
        self._port, self._axes = _spectrogram_port(program, card)
        others = {n: port for n, port in program.inputs.items() if n != self._port.name}
        waveform = Port(WAVEFORM, tf.float32, (None, self.samples))
        self._inputs = {WAVEFORM: waveform, **others}
        self._outputs = program.outputs
        known = program.values
        aliases = () if SPECTROGRAM in known else (SPECTROGRAM,)
        shape = self._port.last_shape
        value = Value(self._port.name, "Spectrogram", shape, aliases, inputs=(WAVEFORM,))
        self._values = {self._port.name: value, **known}
        self._module_kinds = program.module_kinds
        self._left_out: Mapping[str, str] = getattr(program, "left_out", {})

    @property
    def usual_samples(self) -> int | None:
        """The samples of the spectrograms that the network takes, ``None`` for any number."""
        frames = self._length("frame") or self.card.frames
        return self.card.samples_of(frames) if frames else None

    @property
    def samples(self) -> int | None:
        """The only number of samples that it takes, ``None`` where shorter sounds are padded."""
        frames = self._length("frame")
        return None if frames is None or self.card.padding else self.card.samples_of(frames)

    def _length(self, axis: str) -> int | None:
        assert self._port.shape is not None
        return self._port.shape[self._axes.index(axis)] if axis in self._axes else 1

    def compute(
        self,
        feeds: Mapping[str, Tensor],
        names: Sequence[str],
        *,
        channels_last: bool = True,
        kernels: Kernels = PLAIN,
    ) -> dict[str, Tensor]:
        """Compute the values ``names`` from ``feeds``, as :class:`Program` does."""
        own = self._port.name
        given = self._spectrogram(feeds[WAVEFORM])
        if channels_last and self._port.channels_first:
            given = tf.transpose(given, [0, *range(2, given.shape.rank), 1])
        if own in kernels.edits:
            given = kernels.edits[own](given, lambda name: feeds[name])
        given = kernels.given.get(own, given)
        inner = {**{n: f for n, f in feeds.items() if n != WAVEFORM}, own: given}
        asked = [name for name in names if name not in (own, SPECTROGRAM)]
        values = (
            self.program.compute(inner, asked, channels_last=channels_last, kernels=kernels)
            if asked
            else {}
        )
        return {name: given if name in (own, SPECTROGRAM) else values[name] for name in names}

    def _spectrogram(self, sounds: Tensor) -> Tensor:
        """Return the spectrograms of sounds [B, T] in the layout of the program's input."""
        numbers = spectrogram(self.card, sounds)  # [B, frame, band]
        frames, wanted = numbers.shape[1], self._length("frame")
        if wanted not in (None, frames):
            raise UsageError(
                f"sound of {sounds.shape[1]} samples has {frames} frames, the network takes "
                f"{wanted}; give {self.card.samples_of(wanted)} samples, --seconds "
                f"{self.card.samples_of(wanted) / self.card.rate:.6g}"
            )
        order = [axis for axis in self._axes if axis in ("frame", "band")]
        if order == ["band", "frame"]:
            numbers = tf.transpose(numbers, [0, 2, 1])
        if order == ["band"]:
            numbers = numbers[:, 0]
        for place, axis in enumerate(self._axes):
            if axis == "channel":
                numbers = tf.expand_dims(numbers, place)
        if "batch" not in self._axes:
            if numbers.shape[0] != 1:
                raise UsageError(f"input {self._port.name!r} takes one spectrogram at a time")
            numbers = numbers[0]
        return tf.cast(numbers, self._port.dtype)


def _spectrogram_port(program: Program, card: FrontEndCard) -> tuple[Port, tuple[str, ...]]:
    """Return the input that takes the spectrograms of a card, and what its axes are."""
    found = [
        (port, axes)
        for port in program.inputs.values()
        if port.shape is not None and port.dtype is not None and port.dtype.is_floating
        if (axes := axes_of(port.shape, card)) is not None
    ]
    if len(found) == 1:
        return found[0]
    frames = card.frames or "any"
    raise UsageError(
        f"front end of {frames} frames of {card.width} numbers: expected one input of such a "
        f"spectrogram; inputs: {shown(program.inputs.values())}"
    )


def axes_of(shape: Sequence[int | None], card: FrontEndCard) -> tuple[str, ...] | None:
    """Return what the axes of a shape are, ``None`` if it is no spectrogram of a card.

    Axes of length 1 are batch or channels; the order of the card decides where two fit.

    >>> from kerasviz.network.front_ends.card import card_named
    >>> axes_of((None, 1, 64, 96), card_named("yamnet"))
    ('batch', 'channel', 'band', 'frame')
    """
    rank = len(shape)
    if card.standardized and rank == 2:  # a row is one frame
        return ("batch", "band") if shape[1] == card.width else None
    words = [axis for axis in card.axes if axis in ("frame", "band")]
    for order in (words, words[::-1]):
        for batch in (True, False):
            extra = rank - 2 - batch
            if extra not in (0, 1):
                continue
            middle = [*order, *(["channel"] * extra)]
            for axes in dict.fromkeys(permutations(middle)):
                kept = [axis for axis in axes if axis != "channel"]
                whole = (*(("batch",) if batch else ()), *axes)
                if kept == order and _fits(shape, whole, card):
                    return whole
    return None


def _fits(shape: Sequence[int | None], axes: Sequence[str], card: FrontEndCard) -> bool:
    """Return whether lengths may be those of axes."""
    wanted = {"channel": 1, "band": card.width}
    return all(
        length == wanted[axis] if axis in wanted else True
        for axis, length in zip(axes, shape, strict=True)
    )
