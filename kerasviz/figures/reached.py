"""How active the pictures of a figure make what they were optimized for, in words."""

from __future__ import annotations

from kerasviz.figures.choice import Cell, Choice
from kerasviz.objectives import Term
from kerasviz.store import Store

__all__ = ["activation_notes"]


def activation_notes(store: Store, choice: Choice) -> list[str]:
    """A line on the activations of pictures that were pushed apart, beside the simple one's.

    Empty for a figure without such pictures, or of several units. They are the scores in the store:
    of the pictures as they are, without the term that pushes them apart (paper, section "Achieving
    Diversity with Optimization": all of them are to activate the unit).
    """
    facets = [c for c in choice.cells if any(t.kind == "diversity" for t in _terms(c))]
    simple = [c for c in choice.cells if c not in facets]
    if not facets or len(simple) != 1:
        return []
    alone, together = (
        [score for cell in cells if (score := _score(store, cell)) is not None]
        for cells in (simple, facets)
    )
    words = ", ".join(f"{score:.3g}" for score in together)
    return [f"Activation of the unit: {alone[0]:.3g} in the simple picture, {words} in the others."]


def _terms(cell: Cell) -> tuple[Term, ...]:
    return cell.request.objective.terms


def _score(store: Store, cell: Cell) -> float | None:
    return store.entry(cell.request, cell.step, cell.row).score
