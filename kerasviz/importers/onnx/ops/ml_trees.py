"""Convert ensembles of decision trees of ``ai.onnx.ml``; all trees advance one level at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import LayoutTensor
from kerasviz.importers.onnx.ops.ml import ML, labels_of, post_transform, rows_of
from kerasviz.importers.onnx.registry import Call, operator
from kerasviz.types import Array, Tensor

_MODES = (
    "BRANCH_LEQ",
    "BRANCH_LT",
    "BRANCH_GTE",
    "BRANCH_GT",
    "BRANCH_EQ",
    "BRANCH_NEQ",
    "BRANCH_MEMBER",
)


@dataclass(frozen=True)
class _Forest:
    """List the nodes of all trees; the children of a leaf are the leaf itself."""

    roots: Array
    modes: Array  # indices in _MODES
    features: Array
    splits: Array
    true: Array
    false: Array
    nan_true: Array
    members: dict[int, Array]  # sets of the membership nodes
    depth: int

    def leaves(self, x: Tensor) -> Tensor:
        """Return the leaf that each row of ``x`` reaches in each tree: [N, trees]."""
        at = tf.zeros([tf.shape(x)[0], 1], tf.int32) + tf.constant(self.roots, tf.int32)[None]
        member = [self._member(x, node) for node in self.members]
        order = {node: k for k, node in enumerate(self.members)}
        column = np.asarray([order.get(k, 0) for k in range(len(self.modes))], np.int32)
        features, splits, modes = map(tf.constant, (self.features, self.splits, self.modes))
        nan_true, true, false = map(tf.constant, (self.nan_true, self.true, self.false))
        for _ in range(self.depth):
            value = tf.gather(x, tf.gather(features, at), batch_dims=1)
            split, mode = tf.gather(splits, at), tf.gather(modes, at)
            tests = [value <= split, value < split, value >= split, value > split]
            tests += [value == split, value != split]
            if member:
                asked = tf.gather(tf.stack(member, 1), tf.gather(column, at), batch_dims=1)
                tests.append(asked)
            passed = tf.zeros_like(value, tf.bool)
            for number, test in enumerate(tests):
                if (self.modes == number).any():
                    passed = tf.where(mode == number, test, passed)
            missing = tf.logical_and(tf.math.is_nan(value), tf.gather(nan_true, at))
            passed = tf.logical_or(passed, missing)
            at = tf.where(passed, tf.gather(true, at), tf.gather(false, at))
        return at

    def _member(self, x: Tensor, node: int) -> Tensor:
        values = tf.constant(self.members[node], x.dtype)
        return tf.reduce_any(x[:, int(self.features[node]), None] == values, -1)


def _depth(roots: Array, true: Array, false: Array) -> int:
    """Return the number of steps to the deepest leaf."""
    at = np.unique(roots)
    for depth in range(len(true) + 1):
        if (true[at] == at).all():
            return depth
        at = np.unique(np.concatenate([true[at], false[at]]))
    raise ValueError("a tree leads back to one of its own nodes")


def _by_nodes(call: Call) -> tuple[_Forest, dict[tuple[int, int], int]]:
    """Build the forest from one attribute per property of a node; return the node indices too."""
    trees, nodes = call.attribute("nodes_treeids"), call.attribute("nodes_nodeids")
    place = {key: k for k, key in enumerate(zip(trees, nodes, strict=True))}
    modes = list(call.attribute("nodes_modes"))
    known = {**{m: k for k, m in enumerate(_MODES)}, "LEAF": -1}
    count = len(modes)

    def targets(name: str) -> Array:
        goals = call.attribute(name)
        return np.asarray(
            [k if modes[k] == "LEAF" else place[trees[k], goals[k]] for k in range(count)], np.int32
        )

    true, false = targets("nodes_truenodeids"), targets("nodes_falsenodeids")
    inner = [k for k in range(count) if modes[k] != "LEAF"]
    reached = {int(n) for k in inner for n in (true[k], false[k])}
    roots = np.asarray([k for k in range(count) if k not in reached], np.int32)
    tensor = call.attribute("nodes_values_as_tensor")
    splits = np.asarray(call.attribute("nodes_values"), np.float32) if tensor is None else tensor
    missing = call.attribute("nodes_missing_value_tracks_true") or (0,) * count
    forest = _Forest(
        roots,
        np.asarray([known[m] for m in modes], np.int32),
        np.asarray(call.attribute("nodes_featureids"), np.int32),
        np.asarray(splits).reshape(-1),
        true,
        false,
        np.asarray(missing, bool),
        {},
        _depth(roots, true, false),
    )
    return forest, place


def _weights(
    call: Call, kind: str, place: dict[tuple[int, int], int], targets: int
) -> tuple[Array, Array]:
    """Return what a leaf adds to each target [nodes, targets], and which targets it has."""
    tensor = call.attribute(f"{kind}_weights_as_tensor")
    values = call.attribute(f"{kind}_weights") if tensor is None else np.reshape(tensor, -1)
    table = np.zeros((len(place), targets), np.float32 if tensor is None else tensor.dtype)
    said = np.zeros(table.shape, bool)
    entries = zip(
        call.attribute(f"{kind}_treeids"),
        call.attribute(f"{kind}_nodeids"),
        call.attribute(f"{kind}_ids"),
        values,
        strict=True,
    )
    for tree, node, target, value in entries:
        table[place[tree, node], target] += value
        said[place[tree, node], target] = True
    return table, said


def _aggregated(leaves: Tensor, table: Array, said: Array, how: str) -> Tensor:
    """Aggregate the leaves of all trees: [N, targets]."""
    values = tf.gather(tf.constant(table), leaves)
    if how in ("SUM", "AVERAGE"):
        total = tf.reduce_sum(values, 1)
        return total / tf.cast(tf.shape(leaves)[1], total.dtype) if how == "AVERAGE" else total
    speaks = tf.gather(tf.constant(said), leaves)
    far = tf.cast(values.dtype.max if how == "MIN" else values.dtype.min, values.dtype)
    kept = tf.where(speaks, values, far)
    found = tf.reduce_min(kept, 1) if how == "MIN" else tf.reduce_max(kept, 1)
    return tf.where(tf.reduce_any(speaks, 1), found, tf.zeros_like(found))


def _base(call: Call) -> Array:
    tensor = call.attribute("base_values_as_tensor")
    return np.asarray(call.attribute("base_values") or (), np.float32) if tensor is None else tensor


@operator("TreeEnsembleRegressor", domain=ML)
def tree_ensemble_regressor(call: Call) -> LayoutTensor:
    """Compute the sum, mean, minimum or maximum of the leaves of all trees, plus a base value."""
    forest, place = _by_nodes(call)
    table, said = _weights(call, "target", place, int(call.attribute("n_targets", 1)))
    leaves = forest.leaves(rows_of(call, forest.splits.dtype))
    scores = _aggregated(leaves, table, said, call.attribute("aggregate_function", "SUM"))
    base = _base(call)
    scores = scores + tf.constant(base, scores.dtype) if base.size else scores
    scores = post_transform(scores, call.attribute("post_transform", "NONE"))
    return LayoutTensor(tf.cast(scores, tf.float32))


_LABELS = ("classlabels_strings", "classlabels_int64s")


@operator("TreeEnsembleClassifier", domain=ML)
def tree_ensemble_classifier(call: Call) -> list[LayoutTensor]:
    """Compute the label of the largest sum of the leaves of all trees, and the sums.

    Of two classes the leaves may list only one; the other class gets the rest.
    """
    forest, place = _by_nodes(call)
    labels = next(filter(None, (call.attribute(name) for name in _LABELS)))
    table, said = _weights(call, "class", place, len(labels))
    scores = _aggregated(forest.leaves(rows_of(call, forest.splits.dtype)), table, said, "SUM")
    base = _base(call)
    post = call.attribute("post_transform", "NONE")
    kinds = sorted(set(call.attribute("class_ids")))
    if len(labels) == 2 and len(kinds) == 1:
        score = scores[:, kinds[0]] + (base[-1] if base.size else 0)
        if (table >= 0).all():
            second = score > 0.5
            score = tf.sigmoid(score) if post == "LOGISTIC" else score
            both = tf.stack([1 - score, score], 1)
        else:
            second, both = score > 0, tf.stack([-score, score], 1)
            both = post_transform(both, post) if post == "LOGISTIC" else both
        places = tf.cast(second, tf.int64)
    else:
        both = scores + tf.constant(base, scores.dtype) if base.size else scores
        places = tf.argmax(both, -1)
        both = post_transform(both, post)
    return [LayoutTensor(labels_of(call, _LABELS, places)), LayoutTensor(tf.cast(both, tf.float32))]


@operator("TreeEnsemble", since=5, domain=ML)
def tree_ensemble(call: Call) -> LayoutTensor:
    """Compute the aggregated leaves of all trees; inner nodes and leaves are listed separately."""
    forest, table, said = _by_lists(call)
    leaves = forest.leaves(rows_of(call, forest.splits.dtype))
    how = ("AVERAGE", "SUM", "MIN", "MAX")[int(call.attribute("aggregate_function", 1))]
    names = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
    scores = _aggregated(leaves, table, said, how)
    return LayoutTensor(post_transform(scores, names[int(call.attribute("post_transform", 0))]))


def _by_lists(call: Call) -> tuple[_Forest, Array, Array]:
    """Build the forest of ``TreeEnsemble`` with its leaves behind its inner nodes."""
    modes = np.reshape(call.attribute("nodes_modes"), -1).astype(np.int32)
    inner, leaves = len(modes), len(call.attribute("leaf_targetids"))

    def ends(way: str) -> Array:
        goals = np.asarray(call.attribute(f"nodes_{way}nodeids"), np.int32)
        leaf = np.asarray(call.attribute(f"nodes_{way}leafs"), bool)
        return np.concatenate([np.where(leaf, goals + inner, goals), inner + np.arange(leaves)])

    splits = np.reshape(call.attribute("nodes_splits"), -1)
    weights = np.reshape(call.attribute("leaf_weights"), -1)
    table = np.zeros((inner + leaves, int(call.attribute("n_targets", 1))), weights.dtype)
    said = np.zeros(table.shape, bool)
    at = (inner + np.arange(leaves), np.asarray(call.attribute("leaf_targetids")))
    table[at], said[at] = weights, True
    true, false = ends("true").astype(np.int32), ends("false").astype(np.int32)
    roots = np.asarray(call.attribute("tree_roots"), np.int32)
    missing = call.attribute("nodes_missing_value_tracks_true") or (0,) * inner
    forest = _Forest(
        roots,
        _filled(modes, leaves, -1),
        _filled(np.asarray(call.attribute("nodes_featureids"), np.int32), leaves, 0),
        _filled(splits, leaves, 0),
        true,
        false,
        _filled(np.asarray(missing, bool), leaves, False),
        _members(modes, call.attribute("membership_values")),
        _depth(roots, true, false),
    )
    return forest, table, said


def _filled(array: Array, count: int, value: Any) -> Array:
    return np.concatenate([array, np.full(count, value, array.dtype)])


def _members(modes: Array, values: Any) -> dict[int, Array]:
    """Return the sets of the membership nodes, which are separated by NaN."""
    asking = [k for k, mode in enumerate(modes) if _MODES[mode] == "BRANCH_MEMBER"]
    flat = np.reshape(values, -1) if values is not None else np.zeros(0)
    sets = np.split(flat, np.flatnonzero(np.isnan(flat)))
    return {node: found[~np.isnan(found)] for node, found in zip(asking, sets, strict=False)}
