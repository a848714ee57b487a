"""Convert the models of ``ai.onnx.ml`` except trees: tables, scalers, linear models, SVMs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.element_types import finite_root
from kerasviz.importers.onnx.layout import LayoutTensor, model_layout
from kerasviz.importers.onnx.registry import Call, operator
from kerasviz.types import Tensor

ML = "ai.onnx.ml"


def rows_of(call: Call, dtype: Any = tf.float32) -> Tensor:
    """Return input 0 as a matrix of rows; a vector is one row."""
    x = tf.cast(call.tensor(), dtype)
    return x[None] if x.shape.rank == 1 else x


# -- tables --------------------------------------------------------------------------------------


def _listed(call: Call, *names: str) -> Any:
    """Return the first attribute that is given, as numpy."""
    for name in names:
        numbers = call.attribute(name)
        if numbers is None or (isinstance(numbers, tuple) and not numbers):
            continue
        if name.endswith("tensor"):
            return np.asarray(numbers).reshape(-1)
        kind: Any = object if "string" in name else np.float32 if "float" in name else np.int64
        return np.asarray(numbers, kind)
    return None


def _looked_up(x: Tensor, keys: Any, values: Any, default: Any, *, nan: bool = False) -> Tensor:
    """Return ``values`` at the first key that equals an entry, else ``default``.

    With ``nan`` a NaN matches the key NaN.
    """
    keys = tf.constant(keys)
    keys = keys if keys.dtype == x.dtype else tf.cast(keys, x.dtype)
    same = x[..., None] == keys
    if nan and x.dtype.is_floating:
        same = tf.logical_or(
            same, tf.logical_and(tf.math.is_nan(x)[..., None], tf.math.is_nan(keys))
        )
    values = tf.constant(values)
    found = tf.gather(values, tf.argmax(tf.cast(same, tf.int32), -1))
    return tf.where(tf.reduce_any(same, -1), found, tf.constant(default, values.dtype))


@operator("LabelEncoder", domain=ML)
def label_encoder_1(call: Call) -> LayoutTensor:
    """Compute indices in ``classes_strings`` from texts, or texts from indices."""
    x = call.tensor()
    classes = np.asarray(call.attribute("classes_strings"), object)
    places = np.arange(len(classes))
    if x.dtype == tf.string:
        return LayoutTensor(_looked_up(x, classes, places, call.attribute("default_int64", -1)))
    return LayoutTensor(_looked_up(x, places, classes, call.attribute("default_string", "_Unused")))


@operator("LabelEncoder", since=2, domain=ML)
def label_encoder(call: Call) -> LayoutTensor:
    """Compute the value of each key, and a default for other entries."""
    keys = _listed(call, "keys_tensor", "keys_strings", "keys_int64s", "keys_floats")
    values = _listed(call, "values_tensor", "values_strings", "values_int64s", "values_floats")
    if keys is None or values is None or len(keys) != len(values):
        raise call.error("it needs as many values as keys")
    if call.attribute("default_tensor") is not None:
        default: Any = np.asarray(call.attribute("default_tensor")).reshape(-1)[0]
    elif values.dtype == object:
        default = call.attribute("default_string", "_Unused")
    elif values.dtype.kind == "f":
        default = call.attribute("default_float", -0.0)
    else:
        default = call.attribute("default_int64", -1)
    nan = call.node.opset >= 4
    return LayoutTensor(_looked_up(call.tensor(), keys, values, default, nan=nan))


@operator("CategoryMapper", domain=ML)
def category_mapper(call: Call) -> LayoutTensor:
    """Compute numbers from texts, or texts from numbers, by two lists."""
    x = call.tensor()
    texts, numbers = _listed(call, "cats_strings"), _listed(call, "cats_int64s")
    if x.dtype == tf.string:
        return LayoutTensor(_looked_up(x, texts, numbers, call.attribute("default_int64", -1)))
    return LayoutTensor(_looked_up(x, numbers, texts, call.attribute("default_string", "_Unused")))


@operator("OneHotEncoder", domain=ML)
def one_hot_encoder(call: Call) -> LayoutTensor:
    """Compute 1 at the index of the category on a new last axis."""
    x = call.tensor()
    categories = _listed(call, "cats_strings", "cats_int64s")
    keys = tf.constant(categories)
    same = x[..., None] == (keys if x.dtype == tf.string else tf.cast(keys, x.dtype))
    if not call.attribute("zeros", 1):
        check = tf.debugging.assert_equal(
            tf.reduce_all(tf.reduce_any(same, -1)), True, "an entry is none of the categories"
        )
        with tf.control_dependencies([] if check is None else [check]):
            same = tf.identity(same)
    return LayoutTensor(tf.cast(same, tf.float32))


# -- features ------------------------------------------------------------------------------------


@operator("ArrayFeatureExtractor", domain=ML)
def array_feature_extractor(call: Call) -> LayoutTensor:
    """Compute the entries of the last axis at the given indices."""
    x = call.tensor(0)
    taken = tf.gather(x, tf.reshape(call.tensor(1), [-1]), axis=-1)
    return LayoutTensor(taken[None] if x.shape.rank == 1 else taken)


@operator("Binarizer", domain=ML)
def binarizer(call: Call) -> LayoutTensor:
    """Compute 1 above the threshold, else 0."""
    x = call.tensor()
    return LayoutTensor(tf.cast(x > tf.cast(call.attribute("threshold", 0.0), x.dtype), x.dtype))


@operator("FeatureVectorizer", domain=ML)
def feature_vectorizer(call: Call) -> LayoutTensor:
    """Compute the concatenation of all inputs as floats."""
    columns = []
    for value in call.all_inputs():
        x = tf.cast(model_layout(value), tf.float32)
        columns.append(x[None] if x.shape.rank == 1 else x)
    return LayoutTensor(tf.concat(columns, -1))


@operator("Imputer", domain=ML)
def imputer(call: Call) -> LayoutTensor:
    """Compute the input with each replaced value set to the value of its column."""
    x = call.tensor()
    kind = "float" if x.dtype.is_floating else "int64"
    values = tf.constant(call.attribute(f"imputed_value_{kind}s"), x.dtype)
    replaced = call.attribute(f"replaced_value_{kind}", 0)
    gone = tf.math.is_nan(x) if np.isnan(replaced) else x == tf.cast(replaced, x.dtype)
    return LayoutTensor(tf.where(gone, values, x))


@operator("Normalizer", domain=ML)
def normalizer(call: Call) -> LayoutTensor:
    """Compute each row divided by its largest entry, its sum of magnitudes or its length."""
    x = call.tensor()
    x = x if x.dtype == tf.float64 else tf.cast(x, tf.float32)
    norm = call.choice("norm", "MAX", "L1", "L2")
    if norm == "MAX":
        size = tf.reduce_max(x, -1, keepdims=True)
    elif norm == "L1":
        size = tf.reduce_sum(tf.abs(x), -1, keepdims=True)
    else:
        size = finite_root(tf.reduce_sum(x * x, -1, keepdims=True))
    return LayoutTensor(tf.cast(x / tf.where(size == 0, tf.ones_like(size), size), tf.float32))


@operator("Scaler", domain=ML)
def scaler(call: Call) -> LayoutTensor:
    """Compute ``(x - offset) * scale``."""
    x = tf.cast(call.tensor(), tf.float32)
    offset, scale = call.attribute("offset") or (0.0,), call.attribute("scale") or (1.0,)
    return LayoutTensor((x - tf.constant(offset, x.dtype)) * tf.constant(scale, x.dtype))


# -- scores --------------------------------------------------------------------------------------


def post_transform(scores: Tensor, name: str) -> Tensor:
    """Transform scores [N, classes] as the attribute of this name says."""
    if name == "LOGISTIC":
        return tf.sigmoid(scores)
    if name == "SOFTMAX":
        return tf.nn.softmax(scores)
    if name == "SOFTMAX_ZERO":  # scores of 0 stay 0 and do not count
        zero = tf.abs(scores) <= 1e-7
        largest = tf.reduce_max(scores, -1, keepdims=True)
        powers = tf.where(zero, tf.zeros_like(scores), tf.exp(scores - largest))
        total = tf.reduce_sum(powers, -1, keepdims=True)
        return powers / tf.where(total == 0, tf.ones_like(total), total)
    if name == "PROBIT":
        return tf.cast(np.sqrt(2.0), scores.dtype) * tf.math.erfinv(2 * scores - 1)
    return scores


def labels_of(call: Call, names: Sequence[str], places: Tensor) -> Tensor:
    """Return the labels of classes from an attribute, else the indices of the classes."""
    labels = _listed(call, *names)
    return places if labels is None else tf.gather(tf.constant(labels), places)


_LABELS = ("classlabels_strings", "classlabels_ints")


def _classified(call: Call, places: Tensor, scores: Tensor) -> list[LayoutTensor]:
    """Return the labels at ``places`` and the scores, the outputs of a classifier."""
    return [LayoutTensor(labels_of(call, _LABELS, places)), LayoutTensor(scores)]


@operator("LinearRegressor", domain=ML)
def linear_regressor(call: Call) -> LayoutTensor:
    """Compute ``x W' + b``."""
    return LayoutTensor(
        post_transform(_linear(call, int(call.attribute("targets", 1))), _post(call))
    )


def _post(call: Call) -> str:
    return str(call.attribute("post_transform", "NONE"))


def _linear(call: Call, rows: int) -> Tensor:
    x = rows_of(call)
    weights = np.asarray(call.attribute("coefficients"), np.float32).reshape(rows, -1)
    scores = x @ tf.constant(np.ascontiguousarray(weights.T))
    intercepts = call.attribute("intercepts")
    return scores + tf.constant(intercepts, scores.dtype) if intercepts else scores


@operator("LinearClassifier", domain=ML)
def linear_classifier(call: Call) -> list[LayoutTensor]:
    """Compute the label of the largest score of ``x W' + b``, and the scores."""
    intercepts = call.attribute("intercepts") or ()
    labels = _listed(call, *_LABELS)
    rows = len(intercepts) or (len(labels) if labels is not None else 1)
    scores = _linear(call, rows)
    if rows == 1 and labels is not None and len(labels) == 2:
        place = tf.cast(scores[:, 0] > 0, tf.int64)
        return _classified(call, place, _of_two(scores, _post(call)))
    return _classified(call, tf.argmax(scores, -1), post_transform(scores, _post(call)))


def _of_two(score: Tensor, post: str) -> Tensor:
    """Return the scores of two classes from that of the second, as onnxruntime does."""
    if post == "LOGISTIC":
        return tf.sigmoid(tf.concat([-score, score], 1))
    return tf.concat([1 - score, score], 1)


# -- support vector machines ---------------------------------------------------------------------


def _kernel(call: Call, x: Tensor, vectors: Tensor) -> Tensor:
    """Compute the kernel of each row of ``x`` with each vector: [N, vectors]."""
    kind = call.attribute("kernel_type", "LINEAR")
    gamma, shift, degree = (*(call.attribute("kernel_params") or ()), 0.0, 0.0, 0.0)[:3]
    if kind == "RBF":
        gaps = x[:, None] - vectors[None]
        return tf.exp(-gamma * tf.reduce_sum(gaps * gaps, -1))
    product = x @ tf.transpose(vectors)
    makers: dict[str, Callable[[Tensor], Tensor]] = {
        "LINEAR": lambda p: p,
        "POLY": lambda p: tf.pow(gamma * p + shift, degree),
        "SIGMOID": lambda p: tf.tanh(gamma * p + shift),
    }
    if kind not in makers:
        raise call.error(f"kernel {kind!r}; expected RBF, {', '.join(makers)}")
    return makers[kind](product)


def _vectors(call: Call, x: Tensor) -> Tensor:
    return tf.constant(
        np.asarray(call.attribute("support_vectors"), np.float32).reshape(-1, x.shape[-1])
    )


@operator("SVMRegressor", domain=ML)
def svm_regressor(call: Call) -> LayoutTensor:
    """Compute the weighted sum of the kernels with all support vectors; its sign for one class."""
    x = tf.cast(call.tensor(), tf.float32)
    weights = tf.constant(call.attribute("coefficients"), tf.float32)
    rho = tf.constant(call.attribute("rho"), tf.float32)[0]
    if int(call.attribute("n_supports", 0)):
        scores = _kernel(call, x, _vectors(call, x)) @ weights[:, None] + rho
    else:
        scores = _kernel(call, x, weights[None]) + rho
    if call.attribute("one_class", 0):
        return LayoutTensor(tf.where(scores > 0, tf.ones_like(scores), -tf.ones_like(scores)))
    return LayoutTensor(post_transform(scores, _post(call)))


@operator("SVMClassifier", domain=ML)
def svm_classifier(call: Call) -> list[LayoutTensor]:
    """Compute a vote of one machine for each pair of classes, or their coupled probabilities."""
    x = rows_of(call)
    rho = np.asarray(call.attribute("rho"), np.float32)
    weights = np.asarray(call.attribute("coefficients"), np.float32)
    counts = [int(n) for n in call.attribute("vectors_per_class") or ()]
    if not counts:  # one linear machine per class
        labels = _listed(call, *_LABELS)
        scores = _kernel(call, x, tf.constant(weights.reshape(len(labels), -1))) + rho[0]
        return _classified(call, tf.argmax(scores, -1), post_transform(scores, _post(call)))
    pairs = _decisions(_kernel(call, x, _vectors(call, x)), weights, counts) + tf.constant(rho)
    return _voted(call, pairs, len(counts))


def _decisions(kernel: Tensor, weights: np.ndarray[Any, Any], counts: list[int]) -> Tensor:
    """Compute the decision of the machine of each pair of classes: [N, pairs]."""
    ends = np.cumsum(counts)
    parts = [slice(end - n, end) for end, n in zip(ends, counts, strict=True)]
    table = weights.reshape(len(counts) - 1, -1)
    columns = []
    for i in range(len(counts)):
        for j in range(i + 1, len(counts)):
            column = np.zeros(table.shape[1], np.float32)
            column[parts[i]], column[parts[j]] = table[j - 1, parts[i]], table[i, parts[j]]
            columns.append(column)
    return kernel @ tf.constant(np.stack(columns, 1))


def _voted(call: Call, decisions: Tensor, classes: int) -> list[LayoutTensor]:
    """Return the label with the most votes, and the scores by onnxruntime's rules."""
    pairs = [(i, j) for i in range(classes) for j in range(i + 1, classes)]
    first = decisions > 0
    votes = []
    for one in range(classes):
        won = [
            first[:, k] if i == one else ~first[:, k]
            for k, (i, j) in enumerate(pairs)
            if one in (i, j)
        ]
        votes.append(tf.add_n([tf.cast(w, tf.int32) for w in won]))
    place, post = tf.argmax(tf.stack(votes, 1), -1), _post(call)
    if call.attribute("prob_a"):
        slope = tf.constant(call.attribute("prob_a"), tf.float32)
        shift = tf.constant(call.attribute("prob_b"), tf.float32)
        chances = tf.clip_by_value(tf.sigmoid(-(decisions * slope + shift)), 1e-7, 1 - 1e-7)
        return _classified(call, place, post_transform(_coupled(chances, pairs, classes), post))
    if classes > 2:
        return _classified(call, place, post_transform(decisions, post))
    both = tf.concat([-decisions, decisions], 1)
    return _classified(call, place, both if post == "NONE" else _of_two(decisions, post))


def _coupled(chances: Tensor, pairs: Sequence[tuple[int, int]], classes: int) -> Tensor:
    """Compute the probabilities of all classes from those of all pairs.

    They minimize the sum of ``(r_ji p_i - r_ij p_j) ** 2`` (Wu, Lin and Weng, 2004, method 2). As
    in libsvm, one class is updated at a time until the error is small.
    """
    rows = tf.shape(chances)[0]
    zero = tf.zeros([rows], chances.dtype)
    r = [[zero] * classes for _ in range(classes)]
    for k, (i, j) in enumerate(pairs):
        r[i][j], r[j][i] = chances[:, k], 1 - chances[:, k]
    matrix = []
    for t in range(classes):
        square = tf.add_n([r[j][t] ** 2 for j in range(classes) if j != t])
        matrix.append([square if j == t else -r[j][t] * r[t][j] for j in range(classes)])
    q = tf.stack([tf.stack(row, 1) for row in matrix], 1)  # [N, classes, classes]
    p = tf.fill([rows, classes], tf.constant(1 / classes, chances.dtype))
    return tf.while_loop(
        lambda p: tf.logical_not(tf.reduce_all(_is_coupled(p, q, classes))),
        lambda p: (_coupling_round(p, q, classes),),
        (p,),
        maximum_iterations=max(100, classes),
    )[0]


def _is_coupled(p: Tensor, q: Tensor, classes: int) -> Tensor:
    qp = tf.linalg.matvec(q, p)
    total = tf.reduce_sum(p * qp, 1, keepdims=True)
    return tf.reduce_max(tf.abs(qp - total), 1) < 0.005 / classes


def _coupling_round(p: Tensor, q: Tensor, classes: int) -> Tensor:
    qp = tf.linalg.matvec(q, p)
    total = tf.reduce_sum(p * qp, 1)
    done, start = _is_coupled(p, q, classes), p
    for t in range(classes):
        step = (total - qp[:, t]) / q[:, t, t]
        total = (total + step * (step * q[:, t, t] + 2 * qp[:, t])) / (1 + step) ** 2
        p = (p + step[:, None] * tf.one_hot(t, classes, dtype=p.dtype)) / (1 + step)[:, None]
        qp = (qp + step[:, None] * q[:, t]) / (1 + step)[:, None]
    return tf.where(done[:, None], start, p)
