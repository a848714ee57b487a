"""Compute scores of sequences of tokens, and which tokens would raise them, in fixed batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property

import numpy as np
import tensorflow as tf

from kerasviz.errors import ModelError, first_line
from kerasviz.network.embeddings import Probes, TokenEmbedding, find_embedding
from kerasviz.network.network import Network
from kerasviz.network.program import PLAIN, Kernels
from kerasviz.network.token_input import TokenInput
from kerasviz.optvis.objectives.scoring import rivals_of, scores
from kerasviz.optvis.objectives.special_tokens import ALL_COUNT
from kerasviz.optvis.objectives.structure import Structure, taps_in
from kerasviz.optvis.optimization.loop import compiled_function
from kerasviz.optvis.tokens.language_head import language_head
from kerasviz.types import Array, Tensor

#: The tensors of one objective, each with one row.
Row = Mapping[str, Tensor]


class TokenScorer:
    """The compiled functions that score sequences by objectives of one structure.

    Sequences are computed ``rows`` at a time, the last ones filled up, so that a value does not
    depend on how many there are. ``evaluated`` counts the sequences that were computed.
    """

    def __init__(
        self,
        net: Network,
        structure: Structure,
        rows: int,
        *,
        fluent: bool = True,
        special: Mapping[str, int] = ALL_COUNT,
        rivals: float = 0.0,
    ):
        self.rivals = rivals_of(net, structure, rivals)
        self.net, self.structure, self.rows, self.special = net, structure, rows, special
        ids = net.image_input
        if not isinstance(ids, TokenInput):
            raise ModelError(f"{net.name}: input {ids.port.name!r} takes no tokens")
        self.vocabulary = ids.vocabulary
        self.head = language_head(net, self.vocabulary) if fluent else None
        self.taps = list(dict.fromkeys((*taps_in(structure), *filter(None, [self.head]))))
        self.evaluated = 0
        self._evaluate = compiled_function(self._scored)
        self._slopes = compiled_function(self._candidates)

    @cached_property
    def embedding(self) -> TokenEmbedding:
        """The lookups of the ids, and their tables."""
        ids = self.net.image_input
        assert isinstance(ids, TokenInput)
        return find_embedding(self.net.program, ids, self.net.feeds)

    # -- values --------------------------------------------------------------------------------

    def evaluate(self, ids: Array, row: Row) -> tuple[Array, Array]:
        """Return the values and the cross-entropies of sequences [N, T]; 0 without a head."""
        parts = [self._computed(ids[k : k + self.rows], row) for k in range(0, len(ids), self.rows)]
        self.evaluated += len(ids)
        values, entropies = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return values, entropies

    def _computed(self, ids: Array, row: Row) -> tuple[Array, Array]:
        padded = np.concatenate([ids, np.repeat(ids[-1:], self.rows - len(ids), axis=0)])
        with self._explained(ids.shape[1]):
            results = self._evaluate(tf.constant(padded, tf.int32), row)
        values, entropies = (np.asarray(x, np.float32)[: len(ids)] for x in results)
        self._check(values, entropies)
        return values, entropies

    def exact(self, ids: Array, row: Row) -> tuple[float, float | None]:
        """Return the value and the cross-entropy of one sequence [T], computed alone."""
        results = self._evaluate(tf.constant(ids[None], tf.int32), row)
        value, entropy = (np.asarray(x, np.float32) for x in results)
        self._check(value, entropy)
        return float(value[0]), None if self.head is None else float(entropy[0])

    def values_with(self, ids: Tensor, row: Row, kernels: Kernels) -> Tensor:
        """Return the values [B] of sequences [B, T] in a program that is run with ``kernels``."""
        return self._totals(self._activations(ids, kernels), ids, row)[0]

    @contextmanager
    def _explained(self, length: int) -> Iterator[None]:
        """Turn an error of TensorFlow into one line: most are of sequences that are too long."""
        try:
            yield
        except tf.errors.OpError as error:
            reason = first_line(error).split(" [Op")[0].partition("Detected at")[0][:160]
            raise ModelError(
                f"{self.net.name}: sequences of {length} tokens cannot be computed, it may take "
                f"fewer ({reason.strip()}); give --tokens N"
            ) from error

    def _check(self, *arrays: Array) -> None:
        if not all(np.isfinite(array).all() for array in arrays):
            raise ModelError(
                f"{self.net.name}: scores of tokens are not finite (NaN or infinite); name another "
                "target, or export the network again from sound weights"
            )

    def _scored(self, ids: Tensor, row: Row) -> tuple[Tensor, Tensor]:
        return self._totals(self._activations(ids, PLAIN), ids, row)

    def _activations(self, ids: Tensor, kernels: Kernels) -> dict[str, Tensor]:
        images = tf.cast(ids, tf.float32)[:, tf.newaxis, :, tf.newaxis]
        return self.net.activations(images, self.taps, kernels=kernels)

    def _totals(
        self, activations: Mapping[str, Tensor], ids: Tensor, row: Row
    ) -> tuple[Tensor, Tensor]:
        """Return the values and the cross-entropies [B] of activations."""
        count = ids.shape[0]
        data = {name: tf.repeat(tensor, count, axis=0) for name, tensor in row.items()}
        groups = tf.range(count)
        settings = self.rivals, self.special
        values = scores(self.structure, activations, data, groups, *settings)
        if self.head is None or ids.shape[1] < 2:
            return values, tf.zeros_like(values)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            ids[:, 1:], tf.cast(activations[self.head][:, :-1], tf.float32)
        )
        return values, tf.reduce_mean(losses, axis=1)

    # -- gradients -----------------------------------------------------------------------------

    def candidates(
        self, ids: Array, row: Row, weights: Array, allowed: Array, count: int
    ) -> tuple[Array, Array]:
        """Return the tokens that would raise value - weight * cross-entropy most, to first order.

        Args:
            ids: Sequences [M, T].
            row: The tensors of the objective.
            weights: The weight of the cross-entropy for each sequence [M].
            allowed: Which ids may be chosen [V].
            count: The number of tokens for each position.

        Returns:
            The tokens [M, T, count] by falling gradient, and how much more each is than the
            present token to first order.
        """
        self.evaluated += len(ids)
        count = min(count, int(allowed.sum()) - 1)
        with self._explained(ids.shape[1]):
            tokens, gains = self._slopes(
                tf.constant(ids, tf.int32),
                row,
                tf.constant(weights, tf.float32),
                tf.constant(allowed),
                count,
            )
        return np.asarray(tokens), np.asarray(gains)

    def one_hot_gradient(self, ids: Array, row: Row, weights: Array) -> Array:
        """Return the gradient of value - weight * cross-entropy by one-hot tokens, [M, T, V].

        Less a constant at each position.
        """
        slopes, labels = self._by_rows(tf.constant(ids, tf.int32), row, tf.constant(weights))
        found = [
            self._one_hot([x[k] for x in slopes], None if labels is None else labels[k])
            for k in range(len(ids))
        ]
        return np.stack([np.asarray(x) for x in found])

    def _by_rows(
        self, ids: Tensor, row: Row, weights: Tensor
    ) -> tuple[list[Tensor], Tensor | None]:
        """Return the gradients by the rows of lookups [M, T, d], and those by labels [M, T, V].

        A token is also the label of the position before it: that part of the cross-entropy is the
        negative logarithm of its probability there.
        """
        count, length = ids.shape
        weights = tf.cast(weights, tf.float32)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            probes = Probes(self.embedding, tape)
            activations = self._activations(ids, probes.kernels())
            values, entropies = self._totals(activations, ids, row)
            total = tf.reduce_sum(values - weights * entropies)
        slopes = probes.gradient(total, (count, length))
        if self.head is None or length < 2:
            return slopes, None
        known = tf.nn.log_softmax(tf.cast(activations[self.head][:, :-1], tf.float32))
        labels = known * weights[:, tf.newaxis, tf.newaxis] / (length - 1)
        return slopes, tf.pad(labels, [[0, 0], [1, 0], [0, 0]])

    def _one_hot(self, slopes: list[Tensor], labels: Tensor | None) -> Tensor:
        gradient = self.embedding.one_hot_slopes(slopes)
        return gradient if labels is None else gradient + labels

    def _candidates(
        self, ids: Tensor, row: Row, weights: Tensor, allowed: Tensor, count: int
    ) -> tuple[Tensor, Tensor]:
        slopes, labels = self._by_rows(ids, row, weights)
        found = []
        for k in range(ids.shape[0]):  # one after the other: [T, V] may be large
            gradient = self._one_hot([x[k] for x in slopes], None if labels is None else labels[k])
            present = tf.gather(gradient, ids[k], batch_dims=1)
            hot = tf.one_hot(ids[k], self.vocabulary, True, False, dtype=tf.bool)
            usable = tf.logical_and(allowed[tf.newaxis], tf.logical_not(hot))
            gains = tf.where(usable, gradient - present[:, tf.newaxis], -np.inf)
            best = tf.math.top_k(gains, count)
            found.append((best.indices, best.values))
        return tuple(tf.stack(tensors) for tensors in zip(*found, strict=True))
