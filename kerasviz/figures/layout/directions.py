"""Directions of a file, which an atlas shows in rows as it shows the units of a layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.direction_files import FileWords, file_words
from kerasviz.optvis.objectives.objective import Objective
from kerasviz.optvis.objectives.targets import Target, parse_target
from kerasviz.optvis.objectives.term import Term

#: The power of the cosine in the first picture of a direction, advised for concepts.
COSINE = 2.0


@dataclass(frozen=True)
class NumberedDirection:
    """A direction with its row in the file, and the text of its target."""

    number: int
    term: Term
    text: str = field(compare=False)

    @property
    def target(self) -> Target:
        """The target that shows it."""
        return Target(self.text, Objective((self.term,)))

    @property
    def by_cosine(self) -> Target:
        """The target whose score has a power of the cosine as a factor."""
        term = replace(self.term, cosine=COSINE)
        return Target(f"{self.text}#cosine={COSINE:g}", Objective((term,)))


@dataclass(frozen=True)
class DirectionGroup:
    """The directions of an array at a tap; ``name`` is ``TAP@FILE:KEY``, without folders."""

    name: str
    tap: str
    directions: tuple[NumberedDirection, ...]

    @classmethod
    def of(cls, net: Network, text: str) -> DirectionGroup:
        """Read the directions that a target names, with its rows or all.

        Raises :class:`UsageError` for files, arrays and rows that do not fit the tap, for latents,
        and for a power of the cosine, which an atlas shows anyway.
        """
        words = _words_of(text)
        if words is None or words.option:
            raise UsageError(
                f"atlas of {text!r}: an atlas shows layers and directions, as LAYER or "
                "LAYER@FILE.npz:KEY[ROWS]; leave out what follows, or give it to kerasviz render"
            )
        targets = parse_target(text, net)
        terms = [target.objective.terms[0] for target in targets]
        name, _ = shown_as(terms[0])
        return cls(
            name,
            terms[0].tap,
            tuple(
                NumberedDirection(shown_as(term)[1], term, target.text)
                for term, target in zip(terms, targets, strict=True)
            ),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the directions as plain data, with their numbers."""
        return {
            "name": self.name,
            "tap": self.tap,
            "directions": [[d.number, d.text, d.term.to_json()] for d in self.directions],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DirectionGroup:
        """Return the directions of plain data."""
        directions = tuple(
            NumberedDirection(number, Term.from_json(term), text)
            for number, text, term in data["directions"]
        )
        return cls(data["name"], data["tap"], directions)


def names_directions(name: str, net: Network) -> bool:
    """Return whether a name of an atlas is that of directions rather than that of a layer."""
    return name not in net.taps and _words_of(name) is not None


def is_group(name: str) -> bool:
    """Return whether a name on the pages is that of a group of directions.

    >>> is_group("block5a@concepts.npz:nmf"), is_group("block5a")
    (True, False)
    """
    return _words_of(name) is not None


def shown_as(term: Term) -> tuple[str, int]:
    """Return the name of the layer or group of a term, and its number in it.

    >>> shown_as(Term("channel", "mixed4a", 7))
    ('mixed4a', 7)
    """
    source = term.source
    if term.unit is not None or source is None:
        return term.tap, term.unit or 0
    return f"{term.tap}@{FileWords(source.file, source.key).named(None)}", source.row or 0


def _words_of(text: str) -> FileWords | None:
    _, at, file = text.partition("@")
    return file_words(file) if at else None
