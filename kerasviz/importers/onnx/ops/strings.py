"""Convert text operators: normalization, splitting, joining, matching, n-gram counts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import LayoutTensor
from kerasviz.importers.onnx.registry import Call, operator
from kerasviz.types import Tensor


@operator("StringConcat", since=20)
def string_concat(call: Call) -> LayoutTensor:
    """Compute the texts of two tensors joined pair by pair, with broadcasting."""
    return LayoutTensor(tf.add(call.tensor(0), call.tensor(1)))


@operator("RegexFullMatch", since=20)
def regex_full_match(call: Call) -> LayoutTensor:
    """Compute whether a whole text matches ``pattern`` (RE2)."""
    return LayoutTensor(tf.strings.regex_full_match(call.tensor(), call.attribute("pattern")))


@operator("StringSplit", since=20)
def string_split(call: Call) -> list[LayoutTensor]:
    """Compute the parts between delimiters, filled up with empty texts, and their numbers."""
    texts = call.tensor()
    delimiter, most = call.attribute("delimiter") or None, int(call.attribute("maxsplit", -1))
    flat = tf.reshape(texts, [-1])
    if delimiter is None:
        flat = tf.strings.regex_replace(flat, r"^\s+", "")
    parts = tf.strings.split(flat, delimiter, most)
    if delimiter is None:  # TensorFlow adds an empty rest below ``most`` splits
        parts = tf.ragged.boolean_mask(parts, parts != "")
    shape = tf.shape(texts, out_type=tf.int64)
    table = parts.to_tensor("")
    wide = tf.reshape(table, tf.concat([shape, tf.shape(table, out_type=tf.int64)[1:]], 0))
    wide.set_shape([*texts.shape, None])
    return [
        LayoutTensor(wide),
        LayoutTensor(tf.reshape(tf.cast(parts.row_lengths(), tf.int64), shape)),
    ]


@operator("StringNormalizer", since=10)
def string_normalizer(call: Call) -> LayoutTensor:
    """Compute the texts without stop words, in one case; one empty text if none is left."""
    texts = call.tensor()
    if texts.shape.rank not in (1, 2) or (
        texts.shape.rank == 2 and texts.shape[0] not in (1, None)
    ):
        raise call.error(f"its input has shape {texts.shape}; expected [C] or [1, C]")
    kept = tf.reshape(texts, [-1])
    stopwords = list(call.attribute("stopwords") or ())
    if stopwords:
        compared = kept
        if not call.attribute("is_case_sensitive", 0):
            compared, stopwords = _lower(kept), [word.lower() for word in stopwords]
        stops = tf.reduce_any(compared[:, None] == tf.constant(stopwords)[None], 1)
        kept = tf.boolean_mask(kept, ~stops)
    change = call.attribute("case_change_action", "NONE")
    if change == "LOWER":
        kept = _lower(kept)
    elif change == "UPPER":
        kept = tf.strings.upper(kept, "utf-8")
    kept = tf.concat([kept, tf.fill([tf.cast(tf.size(kept) == 0, tf.int32)], "")], 0)
    return LayoutTensor(kept[None] if texts.shape.rank == 2 else kept)


def _lower(texts: Tensor) -> Tensor:
    return tf.strings.lower(texts, "utf-8")


@operator("TfIdfVectorizer", since=9)
def tf_idf_vectorizer(call: Call) -> LayoutTensor:
    """Compute how often each n-gram of a pool occurs, with gaps of up to ``max_skip_count``.

    ``mode`` TF gives the counts, IDF the weights of those that occur, TFIDF their product.
    """
    x = call.tensor()
    rows = x[None] if x.shape.rank == 1 else x
    counts = tf.concat([_occurrences(call, rows, grams) for grams in _pool(call)], 1)
    counts = tf.cast(counts, tf.float32)
    mode = call.choice("mode", "TF", "IDF", "TFIDF", default="")
    if mode == "IDF":
        counts = tf.cast(counts > 0, tf.float32)
    places = [int(n) for n in call.attribute("ngram_indexes")]
    if mode != "TF":
        counts *= tf.constant(call.attribute("weights") or [1.0] * len(places), tf.float32)
    wide = max(places) + 1
    y = tf.transpose(tf.math.unsorted_segment_sum(tf.transpose(counts), places, wide))
    y.set_shape([rows.shape[0], wide])
    return LayoutTensor(y[0] if x.shape.rank == 1 else y)


def _pool(call: Call) -> list[np.ndarray[Any, Any]]:
    """Return the n-grams of the pool: an array [count, n] for each n."""
    entries: Sequence[Any] = call.attribute("pool_strings") or call.attribute("pool_int64s") or ()
    starts = [*(int(n) for n in call.attribute("ngram_counts")), len(entries)]
    kind: Any = object if call.attribute("pool_strings") else np.int64
    pool = []
    for n, (begin, end) in enumerate(pairwise(starts), start=1):
        pool.append(np.asarray(entries[begin:end], kind).reshape(-1, n))
    return pool


def _occurrences(call: Call, rows: Tensor, grams: np.ndarray[Any, Any]) -> Tensor:
    """Return how often each n-gram occurs in each row."""
    count, n = grams.shape
    total = tf.zeros([tf.shape(rows)[0], count], tf.int64)
    shortest, longest = call.attribute("min_gram_length", 1), call.attribute("max_gram_length", n)
    if not count or not shortest <= n <= longest:
        return total
    wanted = (
        tf.constant(grams) if grams.dtype == object else tf.cast(tf.constant(grams), rows.dtype)
    )
    for gap in range(1, 2 if n == 1 else int(call.attribute("max_skip_count", 0)) + 2):
        windows = tf.maximum(tf.shape(rows)[1] - (n - 1) * gap, 0)
        found = tf.fill([tf.shape(rows)[0], windows, count], True)
        for k in range(n):
            column = rows[:, k * gap : k * gap + windows, None]
            found = tf.logical_and(found, column == wanted[None, None, :, k])
        total += tf.reduce_sum(tf.cast(found, tf.int64), 1)
    return total
