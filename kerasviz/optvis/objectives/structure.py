"""Structure objectives: which reductions of which taps the terms of rows are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kerasviz.network.network import Network
from kerasviz.optvis.objectives.projections import (
    projection_of,
)
from kerasviz.optvis.objectives.term import (
    COMPARED,
    COUPLINGS,
    PENALTIES,
    STYLED,
    Objective,
    Term,
)
from kerasviz.optvis.python_function import PythonFunction
from kerasviz.types import PreActivation

#: Every kind of term is one of these reductions of a tap's activations A [B, ..., C].
REDUCTIONS = {
    "channel": "mean",
    "direction": "mean",
    "latent": "latent",
    "logit": "mean",
    "neuron": "point",
    "layer": "square",
    "probability": "softmax",
    "diversity": "diversity",
    "alignment": "alignment",
    "function": "function",
    "facet": "facet",
    "attributed": "attributed",
    **{kind: kind for kind in (*PENALTIES, *COMPARED)},
}


#: The name of the untransformed image among the activations for :func:`scores`.
IMAGE = ""


@dataclass(frozen=True, order=True)
class Slot:
    """One reduction at one tap; ``index`` distinguishes several at one tap.

    A Python ``function`` may take several tensors: ``inputs`` has the names that it knows them by
    and their taps, of which ``tap`` is the first.
    """

    tap: str
    reduction: str
    index: int = 0
    function: PythonFunction | None = None
    inputs: tuple[tuple[str, str], ...] = ()

    @property
    def taps(self) -> tuple[str, ...]:
        """The taps of the network that it needs, none for the image."""
        return tuple(tap for _, tap in self.inputs) or ((self.tap,) if self.tap != IMAGE else ())


Structure = tuple[Slot, ...]


def slots_of(
    objective: Objective, net: Network, pre_activation: PreActivation
) -> dict[Slot, list[Term]]:
    """Return the slots of an objective with their terms; terms of a linear slot are summed."""
    slots: dict[Slot, list[Term]] = {}
    for term in objective.terms:
        slot = _slot(term, net, pre_activation)
        if slot.reduction != "mean":
            while slot in slots:
                slot = replace(slot, index=slot.index + 1)
        slots.setdefault(slot, []).append(term)
    return slots


def _slot(term: Term, net: Network, pre_activation: PreActivation) -> Slot:
    """Return the first slot of a term."""
    reduction = projection_of(term) or REDUCTIONS[term.kind]
    if term.part is not None:
        reduction = "part"
    if term.kind in PENALTIES:
        return Slot(IMAGE, reduction, function=term.function)
    if term.kind in ("logit", "probability"):
        return Slot(net.require_logits().name, reduction)
    taps = [_tap(name, term, net, pre_activation) for name in term.names]
    inputs = tuple(zip(term.taps, taps, strict=True)) if term.taps else ()
    return Slot(taps[0], reduction, function=term.function, inputs=inputs)


def _tap(name: str, term: Term, net: Network, pre_activation: PreActivation) -> str:
    """Return the name of the tap at which a term is computed that names a tap."""
    tap = net.taps[name]
    # An autoencoder reads the tap itself, and its latents have a gradient there.
    before = tap.before(pre_activation)
    if before and term.kind not in (*COUPLINGS, *COMPARED, "latent", "facet", "attributed"):
        tap = net.taps[before]
    return tap.name


def structure_of(
    objective: Objective, net: Network, pre_activation: PreActivation = True
) -> Structure:
    """Return the structure of an objective: objectives of equal structure share a compiled loop.

    With ``pre_activation`` every tap that is the output of a ReLU (or a concatenation of them), or
    of "any" activation function, is replaced by the tensor before it, so that inactive units have a
    gradient.
    """
    return tuple(sorted(slots_of(objective, net, pre_activation)))


def with_layers(
    structure: Structure, layers: Sequence[str], net: Network, pre_activation: PreActivation = True
) -> Structure:
    """Return a structure that has means over the positions of ``layers`` too.

    Objectives of units of any of these layers share its compiled loop.
    """
    taps = [net.taps[name].before(pre_activation) or net.taps[name].name for name in layers]
    return tuple(sorted({*structure, *(Slot(tap, "mean") for tap in taps)}))


def taps_of(
    objectives: Sequence[Objective], net: Network, pre_activation: PreActivation = True
) -> tuple[str, ...]:
    """Return the taps at which objectives are computed, sorted."""
    structures = [structure_of(objective, net, pre_activation) for objective in objectives]
    return tuple(sorted({tap for slots in structures for tap in taps_in(slots)}))


def taps_in(structure: Structure) -> tuple[str, ...]:
    """Return the taps that a structure needs, each once, in its order."""
    return tuple(dict.fromkeys(tap for slot in structure for tap in slot.taps))


def photo_of(tap: str) -> str:
    """Return the name among the activations for :func:`scores` of those of the photos at a tap."""
    return f"photo at {tap}"


def compared_taps(structure: Structure) -> tuple[str, ...]:
    """Return the taps at which pictures are compared with photos, each once."""
    kinds = [kind for kind in COMPARED if kind not in STYLED]
    return tuple(dict.fromkeys(slot.tap for slot in structure if slot.reduction in kinds))


def style_of(tap: str) -> str:
    """Return the name among the activations of those of the photos whose style is taken."""
    return f"style at {tap}"


def styled_taps(structure: Structure) -> tuple[str, ...]:
    """Return the taps at which pictures are compared with style photos, each once."""
    return tuple(dict.fromkeys(slot.tap for slot in structure if slot.reduction in STYLED))
