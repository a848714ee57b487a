"""Find the classes of detectors and segmenters, whose outputs have positions."""

from __future__ import annotations

from kerasviz.network.program import Program, Value
from kerasviz.network.taps import TapTable

#: Channels that stand before the classes: none, the box, or the box and its score.
BEFORE = (0, 4, 5)


def find_class_head(program: Program, classes: int) -> tuple[str, int] | None:
    """Return the value with the logits of classes at positions, and the channels before them.

    It is an output [B, N, C] or [B, h, w, C] with a channel for each of ``classes`` labels, perhaps
    after those of a box, or what stands before its softmax or sigmoid. Otherwise it is what an
    output joins with boxes, masks, keypoints or angles, and has a channel for each label.
    """
    values = program.values
    names = {alias: value for value in values.values() for alias in (value.name, *value.aliases)}
    outputs = [names[name] for name in program.outputs if name in names]
    for before in BEFORE if classes else ():
        for value in outputs:
            if len(value.shape or ()) in (3, 4) and _channels(value) == classes + before:
                return _before_activation(program, value, before)
    for value in outputs if classes else ():
        part = _part_with(program, value, classes)
        if part is not None:
            return _before_activation(program, part, 0)
    return None


def _part_with(program: Program, value: Value, classes: int) -> Value | None:
    """Return the part of a concatenation, at any depth, that has a channel for each class."""
    for part in (program.values[name] for name in value.parts if name in program.values):
        if _channels(part) == classes:
            return part
        inner = _part_with(program, part, classes)
        if inner is not None:
            return inner
    return None


def channels_before(shape: tuple[int | None, ...] | None, classes: int) -> int:
    """Return the number of channels before those of ``classes`` labels in a tap's shape."""
    if classes and shape is not None and len(shape) in (3, 4) and shape[-1] is not None:
        return next((before for before in BEFORE if shape[-1] == classes + before), 0)
    return 0


def _before_activation(program: Program, value: Value, before: int) -> tuple[str, int]:
    """Follow the classes to the input of their softmax or sigmoid, through a concatenation."""
    classes = (_channels(value) or 0) - before
    last = program.values.get(value.parts[-1]) if value.parts else None
    if last is not None and _channels(last) in (classes, classes + 1):
        return _before_activation(program, last, (_channels(last) or 0) - classes)
    source = value.softmax_input
    if value.op == "Sigmoid" and len(value.inputs) == 1:
        source = value.inputs[0]
    return (source if source in program.values else value.name) or value.name, before


def _channels(value: Value) -> int | None:
    return value.shape[-1] if value.shape else None


def find_logits(program: Program, taps: TapTable, classes: int = 0) -> str | None:
    """Return the tap before the final softmax, else an output of shape [batch, classes].

    Of several softmaxes the last computed one counts: the others are auxiliary heads. Of several
    outputs the one with ``classes`` channels counts.
    """
    outputs = [name for name in program.outputs if name in taps]
    heads = {taps[name].parts[0] for name in outputs}
    inputs = [value.softmax_input for name, value in program.values.items() if name in heads]
    before = [name for name in inputs if name is not None]
    if before:
        return before[-1]
    flat = [name for name in outputs if len(taps[name].shape or ()) == 2]
    fitting = [name for name in flat if taps[name].channels == classes]
    return next(iter(fitting or flat), None)
