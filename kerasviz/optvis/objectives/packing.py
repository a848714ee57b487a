"""Pack rows of objectives into the tensors that fill a structure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of
from kerasviz.optvis.objectives.facets import pack_facets
from kerasviz.optvis.objectives.likeness import pack_attributed, pack_comparison
from kerasviz.optvis.objectives.projections import (
    PROJECTIONS,
    pack_projection,
)
from kerasviz.optvis.objectives.structure import REDUCTIONS, Structure, slots_of
from kerasviz.optvis.objectives.term import (
    COMPARED,
    PENALTIES,
    Objective,
    Term,
)
from kerasviz.types import Array, PreActivation, Size

#: The reductions whose only tensor is a weight.
_WEIGHTED = ("square", "diversity", "alignment", "function", *PENALTIES)


def pack_objectives(
    structure: Structure,
    rows: Sequence[Objective],
    net: Network,
    pre_activation: PreActivation = True,
    size: Size | None = None,
) -> dict[str, Array]:
    """Fill the tensors of a structure for ``rows`` of objectives and images of a ``size``.

    Returns for slot i: ``vector{i}`` [B, C] for linear reductions, ``weight{i}`` [B] for others
    (projections have both, ``power{i}`` and ``bias{i}``),
    and ``point{i}`` [B, axes], the indices of positions (-1 for the middle of an axis). A row
    without a term for a mean has zeros there. Raises :class:`UsageError` for units and positions
    out of range and vectors of a wrong length.
    """
    data: dict[str, Array] = {}
    per_row = [slots_of(row, net, pre_activation) for row in rows]
    for i, slot in enumerate(structure):
        if slot.reduction in _WEIGHTED:
            data[f"weight{i}"] = np.array([s[slot][0].weight for s in per_row], np.float32)
            continue
        if slot.reduction == "facet":
            packed = pack_facets([s[slot][0] for s in per_row], net, size)
            data |= {f"{name}{i}": array for name, array in packed.items()}
            continue
        if slot.reduction == "attributed":
            packed = pack_attributed([s[slot][0] for s in per_row])
            data |= {f"{name}{i}": array for name, array in packed.items()}
            continue
        channels = net.taps[slot.tap].channels
        if channels is None:
            raise UsageError(f"tap {slot.tap!r} has no fixed number of channels")
        if slot.reduction in PROJECTIONS:
            packed = pack_projection([s[slot][0] for s in per_row], net, slot.tap, size)
            data |= {f"{name}{i}": array for name, array in packed.items()}
            continue
        if slot.reduction in COMPARED:
            packed = pack_comparison([s[slot][0] for s in per_row])
            data |= {f"{name}{i}": array for name, array in packed.items()}
            continue
        if slot.reduction == "part":
            data[f"vector{i}"] = np.stack([_part(s[slot][0], channels) for s in per_row])
            continue
        skipped = before_classes(net, slot.tap)
        terms = [s.get(slot, []) if slot.reduction == "mean" else s[slot] for s in per_row]
        vectors = np.stack([_vector(row, channels, slot.tap, skipped) for row in terms])
        data[f"vector{i}"] = vectors[:, skipped:] if slot.reduction == "softmax" else vectors
        if slot.reduction == "point":
            points = [_point(s[slot][0], net, size) for s in per_row]
            data[f"point{i}"] = np.array(points, np.int32)
    return data


def check_positions(objective: Objective, net: Network, size: Size | None) -> None:
    """Raise :class:`UsageError` for a neuron at a position that its tap does not have."""
    for term in objective.terms:
        if REDUCTIONS[term.kind] == "point":
            _point(term, net, size)


def before_classes(net: Network, tap: str) -> int:
    """Return the number of channels of a tap that stand before those of the classes."""
    classes = net.classes
    return classes.first if classes.first and net.require_logits().name == tap else 0


def _point(term: Term, net: Network, size: Size | None) -> tuple[int, ...]:
    """Return the indices of a neuron along the axes of its tap, -1 for the middle of an axis."""
    axes = len(net.taps[term.tap].shape or ()) - 2
    if term.position is None and axes != 1:
        return (-1,) * axes
    if term.position is not None and axes == 2 and min(term.position) >= 0 and size is None:
        return term.position
    positions = positions_of(net, term.tap, size)
    if term.position is None:
        return (-1,) if positions.free else positions.centre
    return positions.index(term.position, term.unit)


def _part(term: Term, channels: int) -> Array:
    """Return the weights [C] of the squares of all channels whose mean is a slice's."""
    number, count = term.part or (0, 1)
    if channels % count:
        raise UsageError(f"{count} heads: {term.tap} has {channels} channels, which is no multiple")
    width = channels // count
    vector = np.zeros(channels, np.float32)
    vector[number * width : (number + 1) * width] = np.float32(term.weight / width)
    return vector


def _vector(terms: Sequence[Term], channels: int, tap: str, skipped: int) -> Array:
    """Return the weights [C] of channels; ``skipped`` channels stand before the classes."""
    vector = np.zeros(channels, np.float32)
    for term in terms:
        if term.vector:
            if len(term.vector) != channels:
                raise UsageError(
                    f"direction of {len(term.vector)} numbers: {tap} has {channels} channels"
                )
            vector += np.float32(term.weight) * np.asarray(term.vector, np.float32)
            continue
        before = skipped if term.kind in ("logit", "probability") else 0
        if term.unit is None or not 0 <= term.unit < channels - before:
            what = "classes" if before else "units"
            raise UsageError(f"unit {term.unit}: {tap} has the {what} 0 to {channels - before - 1}")
        vector[before + term.unit] += np.float32(term.weight)
    return vector
