"""The terms of sums, one by one: their names, their scores, and what each reaches alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kerasviz.io.digits import rounded
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.scoring import own_scores
from kerasviz.optvis.objectives.special_tokens import ALL_COUNT
from kerasviz.optvis.objectives.structure import Structure
from kerasviz.optvis.objectives.term import OF_STYLE, Objective, Term
from kerasviz.types import Array, PreActivation, Size, Tensor

#: What stands before a unit in the text of a term: a sign and a factor.
_WEIGHT = re.compile(r"-?\s*(?:(?:\d+\.?\d*|\.\d+)\s*\*\s*)?")


def is_sum(objective: Objective) -> bool:
    """Return whether an objective has several terms, penalties and couplings aside."""
    return len(objective.own) > 1


def single_term(term: Term) -> Objective:
    """Return the objective that is one term of a sum, without its weight, fade and balance."""
    return Objective((replace(term, weight=1.0, fade="", alone=None, scale=1.0),))


@dataclass(frozen=True)
class Reach:
    """Hold the ``score`` that a term reaches alone, and its ``scale``, the divisor of its weight.

    >>> Reach.of(8.0, 2.0), Reach.of(0.5, -4.0)
    (Reach(score=8.0, scale=8.0), Reach(score=0.5, scale=4.5))
    """

    score: float
    scale: float

    @classmethod
    def of(cls, score: float, first: float) -> Reach:
        """Return the reach of a term that rises to a score from that of the first step.

        The scale is the size of the score, at least the rise: many a unit rises from far below 0 to
        somewhere near it, and a weight divided by that would drown all others.
        """
        score, first = rounded(score), rounded(first, 4)  # as manifests have them
        return cls(score, rounded(max(abs(score), score - first)))


def balanced(objective: Objective, reaches: Sequence[Reach]) -> Objective:
    """Return a sum with what each of its own terms reaches alone.

    >>> a, b = (Objective((Term("channel", tap, 1),)) for tap in ("a", "b"))
    >>> sums = balanced(3 * a - b, (Reach.of(2.0, 0.0), Reach.of(0.5, 0.0)))
    >>> [term.weight for term in sums.at(0, 1).terms]
    [1.5, -2.0]
    """
    rest, terms = iter(reaches), []
    for term in objective.terms:
        if term in objective.own:
            reach = next(rest)
            term = replace(term, alone=reach.score, scale=reach.scale)
        terms.append(term)
    return Objective(tuple(terms))


def unbalanced(objective: Objective) -> Objective:
    """Return a sum as it was before :func:`balanced`."""
    return Objective(tuple(replace(term, alone=None, scale=1.0) for term in objective.terms))


def term_names(text: str, objective: Objective) -> tuple[str, ...]:
    """Return the names of the terms of a sum, without weights, as its text has them.

    Where the text has other parts, as that of an objective made in Python, the names say what the
    terms are. Equal terms have one name. An objective of one term has no names.

    >>> a, b = Term("channel", "a", 1), Term("logit", unit=1, weight=-0.5)
    >>> term_names("a:1 - 0.5*logit:goldfish", Objective((a, b)))
    ('a:1', 'logit:goldfish')
    >>> term_names("objective 0", Objective((a, b)))
    ('a:1', 'logit:1')
    """
    own = objective.own
    if len(own) < 2:
        return ()
    parts = re.split(r"\s+[+-]\s+", text)
    words = [part for part in parts if "penalty:" not in part]
    if len(words) != len(own):
        return tuple(map(_name, own))
    return tuple(_WEIGHT.sub("", word, count=1) for word in words)


def _name(term: Term) -> str:
    """Name a term as a target does, as far as a target can."""
    if term.function is not None:
        return term.function.name
    if term.kind in ("logit", "probability"):
        return f"{'logit' if term.kind == 'logit' else 'prob'}:{term.unit}"
    name = f"{term.kind}:{term.tap}" if term.kind in OF_STYLE else term.tap
    if term.part is not None:
        name += f":head-{term.part[0]}/{term.part[1]}"
    if term.kind == "direction":
        name += ":direction"
    if term.unit is not None:
        name += f":{term.unit}"
    if term.kind == "neuron":
        name += f"@{'center' if term.position is None else ','.join(map(str, term.position))}"
    return name


def pack_terms(
    structure: Structure,
    rows: Sequence[Objective],
    net: Network,
    pre_activation: PreActivation = True,
    size: Size | None = None,
) -> dict[str, Array]:
    """Fill the tensors of a structure for every term of sums alone, without its weight.

    Returns those of :func:`pack_objectives` with an axis of T terms after that of the B rows. Rows
    of fewer terms have zeros. It is empty where no row is a sum.
    """
    singles = [_alone(row) if is_sum(row) else [] for row in rows]
    count = max(map(len, singles), default=0)
    packed = []
    for number in range(count):
        several = [
            terms[number] if number < len(terms) else row * 0.0
            for row, terms in zip(rows, singles, strict=True)
        ]
        packed.append(pack_objectives(structure, several, net, pre_activation, size))
    names = packed[0] if packed else ()
    return {name: np.stack([each[name] for each in packed], axis=1) for name in names}


def _alone(objective: Objective) -> list[Objective]:
    """Return, for each own term, the objective in which it has the weight 1 and all others 0."""
    own = [k for k, term in enumerate(objective.terms) if term in objective.own]
    return [
        Objective(
            tuple(replace(t, weight=float(k == wanted)) for k, t in enumerate(objective.terms))
        )
        for wanted in own
    ]


def term_scores(
    structure: Structure,
    activations: Mapping[str, Tensor],
    terms: Mapping[str, Tensor],
    groups: Tensor,
    special: Mapping[str, int] = ALL_COUNT,
) -> list[Tensor]:
    """Compute the scores [B] of every term of sums; ``terms`` comes from :func:`pack_terms`."""
    count = next(iter(terms.values())).shape[1]
    each = [{name: tensor[:, number] for name, tensor in terms.items()} for number in range(count)]
    return [own_scores(structure, activations, data, groups, special) for data in each]
