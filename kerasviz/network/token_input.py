"""Say which input of a program takes token ids, and what the inputs beside it are held at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import tensorflow as tf

from kerasviz.network.axes import TOKENS
from kerasviz.network.input_spec import InputSpec
from kerasviz.network.program import Port, Program, Value
from kerasviz.types import Size, Tensor

#: What an input beside the ids is held at: the file implies it by the name of the input.
Implied = Literal["ones", "zeros", "positions"]
#: The names of inputs beside the ids, as transformers and TensorFlow's models have them.
_NAMES: Mapping[Implied, re.Pattern[str]] = {
    "ones": re.compile(r"mask", re.IGNORECASE),
    "zeros": re.compile(r"(token_?type|segment|type_?ids)", re.IGNORECASE),
    "positions": re.compile(r"position", re.IGNORECASE),
}
#: The rows of a table of kinds of tokens, at most; tables of words have more.
_KINDS = 4
#: Operations whose whole numbers are no ids any more.
_COUNTS = ("Shape", "Size", "Range", "NonZero", "ArgMax", "ConstantOfShape")
#: Operations that only pass numbers on, in any type.
_COPIES = (
    *("Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten"),
    *("Expand", "Tile", "Transpose"),
)
#: How ids in pictures [B, 1, T, 1] become the ids of a network: they are the same.
IDENTITY = InputSpec(source="token ids")


def lookups(program: Program, name: str) -> list[Value]:
    """Return the values that are rows of tables, selected by an input of whole numbers.

    Each has the number of rows of its ``table``. One that is stored in a type of whole numbers is
    returned as the first floats that are computed from it.
    """
    reached: dict[str, int | None] = {name: None}
    found = []
    for value in program.values.values():
        sources = [source for source in value.inputs if source in reached]
        if not sources or value.op in _COUNTS:
            continue
        rows = value.table or next((reached[s] for s in sources if reached[s]), None)
        if value.auxiliary or (rows is None and value.op in _COPIES):
            reached[value.name] = rows
        elif rows is not None:
            found.append(replace(value, table=rows))
    return found


@dataclass(frozen=True)
class TokenInput:
    """Describe an input of token ids [B, T]; ``vocabulary`` is the number of ids.

    Inside, ids are pictures [B, 1, T, 1] of float32, which has all whole numbers below 2^24.
    """

    port: Port
    vocabulary: int
    medium: ClassVar[str] = "tokens"
    noun: ClassVar[str] = "sequence"
    axes: ClassVar[tuple[str, ...]] = TOKENS

    @classmethod
    def of(cls, program: Program, port: Port) -> TokenInput | None:
        """Return the token input that a port is, ``None`` for other inputs."""
        if port.dtype is None or port.dtype in (tf.bool, tf.string):
            return None
        if port.shape is None or len(port.shape) != 2:
            return None
        rows = [value.table or 0 for value in lookups(program, port.name)]
        return cls(port, max(rows)) if rows and max(rows) > _KINDS else None

    @property
    def lengths(self) -> tuple[int | None]:
        """The number of tokens that the file fixes, ``None`` for any."""
        assert self.port.shape is not None
        return (self.port.shape[1],)

    @property
    def size(self) -> tuple[int | None, int | None]:
        """The only (height, width) of its pictures: one row of tokens."""
        return 1, self.lengths[0]

    def lengths_in(self, size: Size) -> tuple[int, ...]:
        """Return the number of tokens of pictures of a (height, width)."""
        return (size[1],)

    @property
    def padding(self) -> int:
        """The id behind fewer tokens than it takes: 256 for a network of bytes, else 0."""
        return 256 if 256 < self.vocabulary <= 260 else 0

    @property
    def channels(self) -> int:
        """The number of channels of its pictures."""
        return 1

    @property
    def batch(self) -> int | None:
        """The number of sequences that the file names, ``None`` for any."""
        return self.port.batch

    @property
    def rows(self) -> int | None:
        """The length of the axis of the sequences, ``None`` where it is free."""
        return None if self.port.shape is None else self.port.shape[0]

    @property
    def default_spec(self) -> InputSpec:
        """The description of its numbers: ids are fed as they are."""
        return IDENTITY

    def feed(self, images: Tensor) -> Tensor:
        """Return ids [B, 1, T, 1] of float32 as the program takes them, [B, T]."""
        ids = tf.squeeze(images, [1, 3])
        return tf.cast(tf.round(ids), self.port.dtype)

    def own_layout(self, images: Tensor) -> Tensor:
        """Return ids [B, 1, T, 1] in the model's own layout, [B, T]."""
        return self.feed(images)

    def own_shape(self, size: Size, count: int = 1) -> tuple[int, ...]:
        """Return the shape of ``count`` sequences of a (1, T) in the model's own layout."""
        assert self.port.shape is not None
        pairs = zip(self.port.shape, (count, size[1]), strict=True)
        return tuple(length if fixed is None else fixed for fixed, length in pairs)


def token_inputs(program: Program) -> list[TokenInput]:
    """Return the inputs of a program that take token ids, those of the largest table first.

    Ids of positions and of kinds of tokens select rows as well; they are none, unless there are no
    others.
    """
    inputs = [t for port in program.inputs.values() if (t := TokenInput.of(program, port))]
    words = [t for t in inputs if _implied_by_name(t.port.name) is None] or inputs
    return sorted(words, key=lambda t: -t.vocabulary)


def _implied_by_name(name: str) -> Implied | None:
    return next((kind for kind, pattern in _NAMES.items() if pattern.search(name)), None)


def implied_inputs(program: Program, ids: TokenInput) -> dict[str, Implied]:
    """Return what the inputs beside the ids are held at, as far as their names say it."""
    implied = {}
    for name, port in program.inputs.items():
        kind = _implied_by_name(name)
        if name == ids.port.name or port.dtype is None or port.shape is None:
            continue
        if kind is not None and len(port.shape) == 2:
            implied[name] = kind
    return implied


def implied_feed(port: Port, kind: Implied, images: Tensor) -> Tensor:
    """Return what an input is held at beside pictures of ids [B, 1, T, 1]: [B, T]."""
    ids = tf.squeeze(images, [1, 3])
    if kind == "positions":
        row = tf.range(tf.shape(ids)[1])
        return tf.cast(tf.zeros_like(ids, tf.int32) + row, port.dtype)
    return tf.cast(tf.ones_like(ids) if kind == "ones" else tf.zeros_like(ids), port.dtype)
