"""Find where a program looks up the vectors of token ids, and the table of the vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from kerasviz.errors import ModelError
from kerasviz.network.program import PLAIN, Kernels, Program
from kerasviz.network.token_input import TokenInput, lookups
from kerasviz.types import Array, Tensor

#: Sequences in one run, where the file names no number.
_TOGETHER = 64
#: The operation whose rows have those of positions and kinds of tokens added.
_SUMMED = "EmbedLayerNormalization"

#: Turns pictures of ids [B, 1, T, 1] into all inputs of a program.
FeedIds = Callable[[Tensor], Mapping[str, Tensor]]


@dataclass(frozen=True, eq=False)
class TokenEmbedding:
    """Hold the lookups of token ids in a program.

    Args:
        values: The names of the values that are rows of tables, [B, T, d] or [B T, d].
        tables: The vectors of all ids for each value, float32 [V, d]. Those of a sum with
            embeddings of positions have the first of them added, the same to all.
    """

    values: tuple[str, ...]
    tables: tuple[Array, ...]

    @property
    def vocabulary(self) -> int:
        """The number of token ids."""
        return len(self.tables[0])

    def one_hot_slopes(self, slopes: list[Tensor]) -> Tensor:
        """Return the gradient by one-hot tokens [T, V] of a sequence, less a constant by position.

        ``slopes`` are the gradients [T, d] by the rows of each lookup: the entry of token v at
        position t is the product of its vector with the gradient at t.
        """
        products = [
            tf.matmul(tf.cast(slope, tf.float32), table, transpose_b=True)
            for slope, table in zip(slopes, self.tables, strict=True)
        ]
        return tf.add_n(products)


class Probes:
    """Watch the rows that a program looks up, to take the gradient of a score by them.

    Each is replaced by its sum with zeros, which a tape watches. A program that computes a batch
    in parts adds zeros for each part.
    """

    def __init__(self, embedding: TokenEmbedding, tape: tf.GradientTape):
        self._parts: dict[str, list[Tensor]] = {name: [] for name in embedding.values}
        self._tape = tape

    def kernels(self, kernels: Kernels = PLAIN) -> Kernels:
        """Return kernels that add the zeros."""

        def edit_of(name: str) -> Callable[[Tensor, Callable[[str], Tensor]], Tensor]:
            def edit(value: Tensor, _: Callable[[str], Tensor]) -> Tensor:
                zeros = tf.zeros_like(value)
                self._tape.watch(zeros)
                self._parts[name].append(zeros)
                return value + zeros

            return edit

        return replace(kernels, edits={name: edit_of(name) for name in self._parts})

    def gradient(self, target: Tensor, shape: tuple[int, int]) -> list[Tensor]:
        """Return the gradient of a number by the rows of each lookup, [B, T, d].

        ``shape`` are the numbers of sequences and of tokens.
        """
        count, length = shape
        slopes = self._tape.gradient(
            target, self._parts, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        rows = [tf.concat(parts, 0) for parts in slopes.values()]
        return [tf.reshape(x, [-1, length, x.shape[-1]])[:count] for x in rows]


def find_embedding(program: Program, ids: TokenInput, feed: FeedIds) -> TokenEmbedding:
    """Find the lookups of the largest table whose rows change with the ids, and compute the table.

    Args:
        program: The program.
        ids: The input of its token ids.
        feed: All inputs of the program for pictures of ids.

    Raises:
        ModelError: If no value that a run can change has the rows, [B, T, d].
    """
    length = ids.lengths[0] or 1
    count = ids.batch or _TOGETHER
    found = [value for value in lookups(program, ids.port.name) if value.table == ids.vocabulary]
    names = [value.name for value in found]

    def rows(numbers: Array) -> dict[str, Array]:
        """Return rows of ids [count, length], [count, length, d]."""
        images = tf.constant(numbers.reshape(count, 1, length, 1), tf.float32)
        values = program.compute(feed(images), names)
        return {
            n: _by_token(n, np.asarray(x, np.float32), numbers.shape) for n, x in values.items()
        }

    with tf.init_scope():
        first, second = (rows(np.full((count, length), k)) for k in (0, 1))
        names = [name for name in names if not np.array_equal(first[name], second[name])]
        if not names:
            raise ModelError(f"input {ids.port.name!r}: no embedding of its tokens was found")
        everywhere = not any(value.op == _SUMMED for value in found)
        tables = _tables(rows, names, ids.vocabulary, (count, length if everywhere else 1, length))
    return TokenEmbedding(tuple(names), tables)


def _by_token(name: str, rows: Array, shape: tuple[int, ...]) -> Array:
    """Return the rows of ids of a shape [B, T] as [B, T, d]."""
    if rows.ndim < 2 or rows.size % rows.shape[-1] or rows.size // rows.shape[-1] != np.prod(shape):
        raise ModelError(
            f"{name}: its rows {list(rows.shape)} are not those of {list(shape)} tokens"
        )
    return rows.reshape(*shape, rows.shape[-1])


def _tables(
    rows: Callable[[Array], Mapping[str, Array]],
    names: list[str],
    vocabulary: int,
    lengths: tuple[int, int, int],
) -> tuple[Array, ...]:
    """Return the rows of all ids; ``lengths`` are those of sequences, of ids in one, and of all."""
    count, different, length = lengths
    together = count * different
    parts: dict[str, list[Array]] = {name: [] for name in names}
    for first in range(0, vocabulary, together):
        ids = np.minimum(np.arange(first, first + together), vocabulary - 1)
        ids = np.repeat(ids.reshape(count, different), length // different, axis=1)
        for name, values in rows(ids).items():
            if name in parts:
                parts[name].append(values[:, :different].reshape(together, -1))
    return tuple(np.concatenate(parts[name])[:vocabulary] for name in names)
