"""Networks that hear a sound piece by piece and keep a state: run over the whole sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from kerasviz.errors import UsageError, check_names
from kerasviz.network.program import PLAIN, Described, Kernels, Port, Program, Value
from kerasviz.types import Tensor


@dataclass(frozen=True)
class StreamCard:
    """Describe how a recurrent network hears a sound.

    Args:
        rate: The samples per second.
        chunk: The samples that are new in a step.
        context: The samples before them that it takes too.
        states: Pairs of an input, which is first 0, and the output that it takes from the step
            before.
        held: Pairs of another input and the number that it is held at.

    Raises:
        UsageError: For impossible numbers.
    """

    rate: int
    chunk: int
    context: int = 0
    states: tuple[tuple[str, str], ...] = ()
    held: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        for name, least in (("rate", 1), ("chunk", 1), ("context", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise UsageError(
                    f"front end: {name} {value!r}; expected a whole number, {least} or more"
                )

    def to_json(self) -> dict[str, Any]:
        """Return the card as plain data, for :meth:`from_json`."""
        return {**vars(self), "states": dict(self.states), "held": dict(self.held)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], owner: str = "front end") -> StreamCard:
        """Return the card of plain data; raise :class:`UsageError` for impossible settings."""
        check_names(owner, data, ("rate", "chunk", "context", "states", "held"))
        for name in ("rate", "chunk"):
            if name not in data:
                raise UsageError(f"{owner}: {name} is missing, a number of samples")
        pairs = {name: data.get(name, {}) for name in ("states", "held")}
        for name, given in pairs.items():
            kind: Any = str if name == "states" else int | float
            if not isinstance(given, Mapping) or not all(
                isinstance(value, kind) for value in given.values()
            ):
                example = '{"state": "stateN"}' if name == "states" else '{"sr": 16000}'
                raise UsageError(f"{owner}: {name} {given!r}; expected inputs such as {example}")
        whole = {name: tuple(given.items()) for name, given in pairs.items()}
        return cls(**{**data, **whole})


class StreamingProgram(Described):
    """Compute the values of a program in all steps over sounds [B, T], one after the other.

    A value [B, C] becomes [B, steps, C], and one of moments [B, t, C] becomes [B, steps t, C].
    States, and values that have no row for each sound, are left out. Silence follows a sound whose
    length is no multiple of the chunk.

    Args:
        program: The network of one step.
        card: How it hears a sound.

    Raises:
        UsageError: If it has other inputs than the card says.
    """

    def __init__(self, program: Program, card: StreamCard):
        self.program, self.card = program, card
        self._heard = _heard_port(program, card)
        rank = len(self._heard.shape or ())
        free = tuple(None if n == self._samples_of_step else n for n in self._heard.shape or ())
        batch = (None, *free[1:])
        self._inputs = {self._heard.name: replace(self._heard, shape=batch if rank else None)}
        self._values, left_out = {}, dict(getattr(program, "left_out", {}))
        states = [output for _, output in card.states]
        computed = self._computed_shapes(states)
        for name, value in program.values.items():
            if name in computed:
                value = replace(value, shape=computed[name], auxiliary=False)
            shape = _unrolled_shape(value, states)
            if shape is None:
                left_out[name] = "it has no row for each sound"
            else:
                self._values[name] = replace(value, shape=shape, inputs=(self._heard.name,))
        self._outputs = [name for name in program.outputs if self._known(name)]
        self._module_kinds = program.module_kinds
        self._left_out = left_out

    def _known(self, name: str) -> bool:
        return name in self._values or any(name in v.aliases for v in self._values.values())

    def _computed_shapes(self, states: Sequence[str]) -> dict[str, tuple[int | None, ...]]:
        """Return the shapes of values that the file leaves open, by a step of one silent sound."""
        values = self.program.values.items()
        names = [name for name, value in values if value.shape is None and name not in states]
        if not names:
            return {}
        axis = _time_axis(self._heard, self._samples_of_step)
        lengths = [1 if n is None else n for n in self._heard.shape or ()]
        lengths[axis] = self._samples_of_step
        first = {name: self._first(name, 1) for name, _ in self.card.states}
        silence = tf.zeros(lengths, self._heard.dtype)
        found = self.program.compute({**self._held(), **first, self._heard.name: silence}, names)
        return {name: tuple(found[name].shape) for name in names if hasattr(found[name], "shape")}

    @property
    def _samples_of_step(self) -> int:
        return self.card.chunk + self.card.context

    def compute(
        self,
        feeds: Mapping[str, Tensor],
        names: Sequence[str],
        *,
        channels_last: bool = True,
        kernels: Kernels = PLAIN,
    ) -> dict[str, Tensor]:
        """Compute the values ``names`` from ``feeds``, as :class:`Program` does."""
        sounds = feeds[self._heard.name]
        axis = _time_axis(self._heard, self._samples_of_step)
        moved = tf.experimental.numpy.moveaxis(sounds, axis, 1)  # [B, T, ...]
        rows, length = moved.shape[0], moved.shape[1]
        chunk, context = self.card.chunk, self.card.context
        steps = -(-length // chunk)
        around = [[0, 0], [context, steps * chunk - length]] + [[0, 0]] * (moved.shape.rank - 2)
        padded = tf.pad(moved, around)
        outputs = [output for _, output in self.card.states]

        def one_step(piece: Tensor, states: list[Tensor]) -> dict[str, Tensor]:
            inner = {
                **self._held(),
                self._heard.name: tf.experimental.numpy.moveaxis(piece, 1, axis),
            }
            inner |= {name: t for (name, _), t in zip(self.card.states, states, strict=True)}
            asked = list(dict.fromkeys([*names, *outputs]))
            return self.program.compute(inner, asked, channels_last=channels_last, kernels=kernels)

        # One graph of a step, which is called again and again.
        called = tf.function(one_step, autograph=False)
        states = [self._first(name, rows) for name, _ in self.card.states]
        found: dict[str, list[Tensor]] = {name: [] for name in names}
        for step in range(steps):
            piece = padded[:, step * chunk : step * chunk + self._samples_of_step]
            values = called(piece, states)
            states = [values[output] for output in outputs]
            for name in names:
                found[name].append(values[name])
        return {name: _joined(parts) for name, parts in found.items()}

    def _held(self) -> dict[str, Tensor]:
        """Return the inputs that are held at a number."""
        held = {}
        for name, number in self.card.held:
            port = self.program.inputs[name]
            shape = [1 if n is None else n for n in port.shape or ()]
            held[name] = tf.fill(shape, tf.cast(number, port.dtype))
        return held

    def _first(self, name: str, rows: int) -> Tensor:
        """Return a state before the first step."""
        port = self.program.inputs[name]
        return tf.zeros([rows if n is None else n for n in port.shape or ()], port.dtype)


def _heard_port(program: Program, card: StreamCard) -> Port:
    """Return the input that takes the sound."""
    named = {*dict(card.states), *dict(card.held)}
    unknown = sorted(named - set(program.inputs)) + sorted(
        output
        for _, output in card.states
        if output not in program.values and output not in program.outputs
    )
    ports = [port for name, port in program.inputs.items() if name not in named]
    if unknown or len(ports) != 1 or ports[0].dtype is None or not ports[0].dtype.is_floating:
        shown = ", ".join(program.inputs)
        reason = f"no {unknown[0]!r}" if unknown else "one input of sound is expected beside them"
        raise UsageError(
            f"front end with states {dict(card.states)} and held {dict(card.held)}: {reason}; "
            f"inputs: {shown}; outputs: {', '.join(program.outputs)}"
        )
    return ports[0]


def _time_axis(port: Port, samples: int) -> int:
    """Return the axis of time of an input: one of a step's length, or a free one."""
    shape = port.shape or (None, None)
    axes = [k for k in range(1, len(shape)) if shape[k] in (None, samples)]
    return axes[-1] if axes else len(shape) - 1


def _unrolled_shape(value: Value, states: Sequence[str]) -> tuple[int | None, ...] | None:
    """Return the shape of a value of all steps, ``None`` for one without a row for each sound."""
    shape = value.shape
    if shape is None or len(shape) not in (2, 3) or value.auxiliary:
        return None
    if shape[0] not in (None, 1) or value.name in states or set(value.aliases) & set(states):
        return None
    return (None, None, shape[-1])


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """Return the values of all steps, [B, steps, C] or [B, steps t, C]."""
    return tf.stack(parts, axis=1) if parts[0].shape.rank == 2 else tf.concat(parts, axis=1)
