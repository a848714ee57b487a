"""Find the inputs that can be optimized: images, or else tokens, or else sounds and signals."""

from __future__ import annotations

from collections.abc import Sequence

from kerasviz.errors import UsageError
from kerasviz.network.axes import TOKENS, axes_of
from kerasviz.network.inputs import OptimizedInput, image_inputs, shown
from kerasviz.network.program import Program
from kerasviz.network.signal_input import signal_inputs
from kerasviz.network.sound_input import SoundInput
from kerasviz.network.token_input import token_inputs

#: The number of axes of inputs that may take grey images or signals.
AMBIGUOUS = 3


def optimized_inputs(
    program: Program, axes: str | None = None, rate: int | None = None
) -> Sequence[OptimizedInput]:
    """Return the inputs of a program that can be optimized, all of one medium.

    Images come first, unless ``axes`` say what an input takes: ``batch,token`` are those of token
    ids, others those of floats. ``rate`` is that of signals in Hz. Raises :class:`UsageError` if no
    input has these axes.
    """
    named = axes is not None and axes_of(axes) == TOKENS
    if axes is None:
        images = image_inputs(program)
        if rate is not None:  # which tells signals from grey images
            images = [image for image in images if len(image.axes) != AMBIGUOUS]
        if images:
            return images
    if (axes is None or named) and (tokens := token_inputs(program)):
        return tokens
    if named:
        raise UsageError(
            f"axes {axes!r}: no input selects rows of a table; inputs: "
            f"{shown(program.inputs.values())}"
        )
    return [SoundInput.of_signal(found) for found in signal_inputs(program, axes, rate)]
