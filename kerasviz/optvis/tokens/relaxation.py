"""Optimize mixtures of tokens by gradient ascent, and say what is left of them as tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kerasviz.network.program import PLAIN, Kernels
from kerasviz.optvis.optimization.loop import compiled_function
from kerasviz.optvis.tokens.scorer import Row, TokenScorer
from kerasviz.types import Array, Tensor

#: The step of Adam (this and the temperatures: PAIR's notebook on prompts of activations).
RATE = 0.1
#: The first and the last temperature of the softmax.
TEMPERATURES = (2.0, 0.1)
#: The share of the steps that keep the first temperature; the source has 200 of 3000.
WARM = 1 / 15


@dataclass(frozen=True)
class Relaxation:
    """The result of a soft optimization.

    ``soft`` is the value of the mixtures of tokens, which no text has; ``snapped`` that of the
    largest token of each mixture, ``ids``. The second is what counts: it is usually far lower.
    """

    soft: float
    snapped: float
    ids: tuple[int, ...]


def relax(
    scorer: TokenScorer, row: Row, size: tuple[int, int], seed: int, allowed: Array
) -> Relaxation:
    """Optimize mixtures of tokens, softmax(logits / temperature), by Adam.

    Args:
        scorer: The compiled functions.
        row: The tensors of the objective.
        size: The numbers of steps and of tokens.
        seed: The seed of the first logits.
        allowed: Which ids may be part of a mixture [V].
    """
    steps, length = size
    draw = np.random.default_rng([seed, 0])
    logits = tf.constant(draw.normal(0, 1, (length, scorer.vocabulary)), tf.float32)
    barred = tf.constant(np.where(allowed, 0, -1e9), tf.float32)
    ascend = compiled_function(_Ascent(scorer, row, barred).step)
    moments = (tf.zeros_like(logits), tf.zeros_like(logits))
    soft = tf.constant(0.0)
    for step in range(steps):
        heat = tf.constant(_temperature(step, steps), tf.float32)
        logits, moments, soft = ascend(logits, moments, heat, tf.constant(step + 1.0))
    ids = np.asarray(tf.argmax(logits + barred, axis=1), np.int32)
    snapped, _ = scorer.exact(ids, row)
    return Relaxation(float(soft), snapped, tuple(map(int, ids)))


def _temperature(step: int, steps: int) -> float:
    """Return the temperature at a step: the first one, then falling by a factor to the last."""
    first, last = TEMPERATURES
    share = max(0.0, (step / max(steps - 1, 1) - WARM) / (1 - WARM))
    return float(first * (last / first) ** share)


class _Ascent:
    """Take steps of Adam on logits [T, V]."""

    def __init__(self, scorer: TokenScorer, row: Row, barred: Tensor):
        self.scorer, self.row, self.barred = scorer, row, barred

    def step(
        self, logits: Tensor, moments: tuple[Tensor, Tensor], heat: Tensor, number: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
        """Return the next logits and moments, and the value before the step."""
        with tf.GradientTape() as tape:
            tape.watch(logits)
            mixture = tf.nn.softmax((logits + self.barred) / heat)
            value = self._value(mixture)
        gradient = tape.gradient(value, logits)
        first = 0.9 * moments[0] + 0.1 * gradient
        second = 0.999 * moments[1] + 0.001 * tf.square(gradient)
        unbiased = first / (1 - tf.pow(0.9, number)), second / (1 - tf.pow(0.999, number))
        logits += RATE * unbiased[0] / (tf.sqrt(unbiased[1]) + 1e-8)
        return logits, (first, second), value

    def _value(self, mixture: Tensor) -> Tensor:
        """Compute the value of a mixture of tokens [T, V]."""
        ids = tf.zeros([1, mixture.shape[0]], tf.int32)
        embedding = self.scorer.embedding
        kernels = Kernels(
            **{
                **vars(PLAIN),
                "edits": {
                    name: _mixed(mixture, table)
                    for name, table in zip(embedding.values, embedding.tables, strict=True)
                },
            }
        )
        return self.scorer.values_with(ids, self.row, kernels)[0]


def _mixed(mixture: Tensor, table: Array) -> object:
    """Return an edit that adds to the rows of id 0 what mixtures of tokens differ by."""

    def edit(value: Tensor, _: object) -> Tensor:
        change = tf.matmul(mixture, table) - table[0]
        rows = tf.reshape(value, [-1, *change.shape])
        return tf.reshape(rows + tf.cast(change, value.dtype), tf.shape(value))

    return edit
