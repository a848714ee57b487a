"""Score rows of objectives, as a fixed structure of slots and the tensors that fill it.

The compiled loop is traced once for a structure (which taps, which kinds of terms). Units,
directions, positions and weights are tensors, so that all units of a layer share one loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import tensorflow as tf

from kerasviz.network.network import Network
from kerasviz.optvis.function_calls import function_scores
from kerasviz.optvis.objectives.facets import facet_scores
from kerasviz.optvis.objectives.gram import compare_style
from kerasviz.optvis.objectives.likeness import attributed_scores, compare
from kerasviz.optvis.objectives.packing import before_classes
from kerasviz.optvis.objectives.penalties import penalty
from kerasviz.optvis.objectives.projections import (
    PROJECTIONS,
    TENSORS,
    project,
)
from kerasviz.optvis.objectives.special_tokens import ALL_COUNT, of_patches
from kerasviz.optvis.objectives.structure import (
    IMAGE,
    Slot,
    Structure,
    photo_of,
    style_of,
)
from kerasviz.optvis.objectives.term import (
    COMPARED,
    COUPLINGS,
    OF_STYLE,
    PENALTIES,
    STEERING,
    STYLED,
)
from kerasviz.types import Tensor

#: The factor by which alignment weakens with each picture in between (authors' notebook).
DECAY = 5.0


#: The distance of the farthest aligned pictures in a row of pictures (authors' notebook).
REACH = 4


@dataclass(frozen=True)
class Rivals:
    """The classes that a class has to stand out from, and a ``share`` of their weight.

    The logit of a class at ``tap`` counts as logit - share log(sum of exp(all logits)), at every
    position; ``first`` channels stand before the classes. A sum of logits is that of these values.
    """

    tap: str
    first: int
    share: float

    def against(self, a: Tensor) -> Tensor:
        """Return activations A [B, ..., C] of ``tap`` with the logits less their rivals."""
        rivals = self.share * tf.reduce_logsumexp(a[..., self.first :], axis=-1, keepdims=True)
        return tf.concat([a[..., : self.first], a[..., self.first :] - rivals], axis=-1)


def rivals_of(net: Network, structure: Structure, share: float) -> Rivals | None:
    """Return the rivals of the classes that a structure is about, ``None`` without any."""
    if not share or net.classes.logits not in net.taps:
        return None
    tap = net.require_logits().name
    concerned = any((slot.tap, slot.reduction) == (tap, "mean") for slot in structure)
    return Rivals(tap, before_classes(net, tap), share) if concerned else None


def scores(
    structure: Structure,
    activations: Mapping[str, Tensor],
    data: Mapping[str, Tensor],
    groups: Tensor,
    rivals: Rivals | None = None,
    special: Mapping[str, int] = ALL_COUNT,
) -> Tensor:
    """Compute the score of every row, [B], to be maximized.

    ``activations`` maps tap names to A [B, ..., C], and :data:`IMAGE` to the images before they are
    transformed, where the structure needs them, and those of photos by :func:`photo_of`; ``data``
    comes from :func:`pack_objectives`; ``groups`` [B] are numbers: rows of one number were
    requested together (diversity couples them).
    ``rivals`` are those of the classes; ``special`` has the number of first tokens of taps that do
    not count. The likeness to a photo is no part of it, see
    :func:`likeness_scores`.
    Sources: lucid, ``optvis/objectives.py``; paper section "Optimization Objectives".
    """
    slots = {i: slot for i, slot in enumerate(structure) if slot.reduction != "likeness"}
    return _total(slots, activations, data, groups, rivals, special)


def likeness_scores(
    structure: Structure, activations: Mapping[str, Tensor], data: Mapping[str, Tensor]
) -> Tensor:
    """Compute the scores [B] of terms that keep a picture near its photo."""
    slots = {i: slot for i, slot in enumerate(structure) if slot.reduction == "likeness"}
    return _total(slots, activations, data, None)


def own_scores(
    structure: Structure,
    activations: Mapping[str, Tensor],
    data: Mapping[str, Tensor],
    groups: Tensor,
    special: Mapping[str, int] = ALL_COUNT,
) -> Tensor:
    """Compute the scores [B] without rivals, penalties and couplings.

    Penalties and couplings count where there are no other terms.
    """
    slots = dict(enumerate(structure))
    aside = (*PENALTIES, *COUPLINGS, *STEERING)
    own = {i: slot for i, slot in slots.items() if slot.reduction not in aside}
    return _total(own or slots, activations, data, groups, special=special)


def _total(
    slots: Mapping[int, Slot],
    activations: Mapping[str, Tensor],
    data: Mapping[str, Tensor],
    groups: Tensor,
    rivals: Rivals | None = None,
    special: Mapping[str, int] = ALL_COUNT,
) -> Tensor:
    """Add up the terms of slots by their numbers, those that are about the others at the end.

    A facet is about the gradient of the sum before it; diversity is relative to the whole sum.
    """
    facets = {i: slot for i, slot in slots.items() if slot.reduction == "facet"}
    couplings = {i: slot for i, slot in slots.items() if slot.reduction == "diversity"}
    total: Tensor = 0.0
    for i, slot in slots.items():
        if i not in facets and i not in couplings:
            total += _scored(i, slot, activations, data, groups, rivals, special)
    target = total
    for i, slot in facets.items():
        layers = {tap: activations[tap] for tap in slot.taps}
        total += data[f"weight{i}"] * facet_scores(target, layers, data[f"vector{i}"])
    for i, slot in couplings.items():
        size = tf.stop_gradient(tf.abs(total)) if len(slots) > len(couplings) else 1.0
        a = tf.cast(activations[slot.tap], tf.float32)
        total -= data[f"weight{i}"] * size * _gram_similarity(a, groups)
    return total


def _scored(
    i: int,
    slot: Slot,
    activations: Mapping[str, Tensor],
    data: Mapping[str, Tensor],
    groups: Tensor,
    rivals: Rivals | None,
    special: Mapping[str, int],
) -> Tensor:
    """Score the activations of slot ``i`` by itself, [B]."""
    a = of_patches(activations[slot.tap], slot.reduction, special.get(slot.tap, 0))
    a = tf.cast(a, tf.float32)
    if slot.reduction == "alignment":
        return -data[f"weight{i}"] * _neighbour_distance(a, groups)
    if slot.function is not None:
        return data[f"weight{i}"] * function_scores(slot.function, _inputs(slot, activations))
    if slot.reduction in PENALTIES:
        return data[f"weight{i}"] * penalty(slot.reduction, a)
    if slot.reduction == "square":
        return data[f"weight{i}"] * tf.reduce_mean(a * a, axis=list(range(1, a.shape.rank)))
    if slot.reduction == "attributed":
        return attributed_scores(slot.tap, a, data[f"vector{i}"], data[f"weight{i}"])
    if slot.reduction in (*PROJECTIONS, *COMPARED):
        own = {name: data[f"{name}{i}"] for name in TENSORS if f"{name}{i}" in data}
        return _projected(slot, a, activations, own)
    # A product with a vector, not a slice: one graph serves all units (and the gradient of a slice
    # is slow).
    vector = data[f"vector{i}"]
    if slot.reduction == "point":
        a = _at(a, data[f"point{i}"])
    else:
        if rivals is not None and (slot.tap, slot.reduction) == (rivals.tap, "mean"):
            a = rivals.against(a)
        a = _mean_over_positions(slot.reduction, a, vector.shape[-1])
    return tf.reduce_sum(a * vector, axis=-1)


def _projected(
    slot: Slot, a: Tensor, activations: Mapping[str, Tensor], own: dict[str, Tensor]
) -> Tensor:
    """Score activations by a vector, or by those of photos."""
    if slot.reduction in PROJECTIONS:
        return project(slot.reduction, a, own)
    name = style_of if slot.reduction in STYLED else photo_of
    photo = tf.cast(activations[name(slot.tap)], tf.float32)
    if slot.reduction in OF_STYLE:
        return compare_style(slot.reduction, a, photo, own)
    return compare(slot.reduction, a, photo, own)


def _inputs(slot: Slot, activations: Mapping[str, Tensor]) -> Mapping[str, Tensor] | Tensor:
    """Return what a function takes: tensors by their names, or the images of a penalty."""
    if not slot.inputs:
        return activations[IMAGE]
    return {name: tf.cast(activations[tap], tf.float32) for name, tap in slot.inputs}


def _mean_over_positions(reduction: str, a: Tensor, channels: int) -> Tensor:
    """Average A [B, ..., C], its squares or its softmax, over positions: [B, C].

    The softmax is that of the last ``channels``, the classes, at every position.
    """
    axes = list(range(1, a.shape.rank - 1))
    if reduction == "part":
        return tf.reduce_mean(a * a, axis=axes)
    if reduction == "softmax":
        if a.shape[-1] != channels:
            a = a[..., -channels:]
        if axes:
            return tf.reduce_mean(tf.nn.softmax(a), axis=axes)
    a = tf.reduce_mean(a, axis=axes)
    return tf.nn.softmax(a) if reduction == "softmax" else a


def _at(a: Tensor, points: Tensor) -> Tensor:
    """Return A [B, ..., C] at points [B, axes], -1 for the middle of an axis, as [B, C]."""
    axes = a.shape.rank - 2
    extent = tf.shape(a)[1:-1]
    points = tf.where(points < 0, extent // 2, points)
    masks = [tf.one_hot(points[:, axis], extent[axis], dtype=a.dtype) for axis in range(axes)]
    if axes == 2:
        return tf.einsum("bhwc,bh,bw->bc", a, *masks)
    for mask in masks:
        a = tf.einsum("bt...,bt->b...", a, mask)
    return a


def _gram_similarity(a: Tensor, groups: Tensor) -> Tensor:
    """Sum, for every row, the cosines of its Gram matrix with those of its group, [B]."""
    count = a.shape[0]
    products = _gram_products(tf.reshape(a, [count, -1, a.shape[-1]]))
    norms = tf.sqrt(tf.linalg.diag_part(products) + 1e-10)
    cosine = products / (norms[:, None] * norms[None, :])
    same = tf.cast(tf.equal(groups[:, None], groups[None, :]), cosine.dtype)
    others = same - tf.eye(count, dtype=cosine.dtype)
    return tf.reduce_sum(cosine * others, axis=1)


def _gram_products(a: Tensor) -> Tensor:
    """Multiply the Gram matrices of every two rows of A [B, P, C]: [B, B].

    The sum over channels of (A' A)(B' B) is the sum over positions of (A B')^2, which is faster
    for deep layers: they have more channels than positions.
    """
    count, positions, channels = a.shape
    if positions is None or count * positions**2 >= channels * (positions + count):
        gram = tf.reshape(tf.matmul(a, a, transpose_a=True), [count, channels**2])
        return tf.matmul(gram, gram, transpose_b=True)
    flat = tf.reshape(a, [count * positions, channels])
    pairs = tf.square(tf.matmul(flat, flat, transpose_b=True))
    return tf.reduce_sum(tf.reshape(pairs, [count, positions, count, positions]), axis=[1, 3])


def _neighbour_distance(a: Tensor, groups: Tensor) -> Tensor:
    """Sum, for every row, the distances to those that follow it in its group, [B]."""
    count = a.shape[0]
    total = tf.zeros([count])
    for d in range(1, min(REACH, count - 1) + 1):
        apart = tf.reduce_mean(tf.square(a[:-d] - a[d:]), axis=list(range(1, a.shape.rank)))
        same = tf.cast(tf.equal(groups[:-d], groups[d:]), apart.dtype)
        total += tf.pad(apart * same / DECAY**d, [[0, d]])
    return total
