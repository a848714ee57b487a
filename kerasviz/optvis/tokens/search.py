"""Settings of a search for tokens, as data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from kerasviz.errors import UsageError, check_choice, check_names, whole_number
from kerasviz.io.tokenizers import KINDS, Tokenizer, default_tokenizer, tokenizer_of, unusable
from kerasviz.optvis.held_array import HeldArray, plain, revived
from kerasviz.types import Array

#: The ways to search, by name.
METHODS = ("epo", "gcg", "greedy", "random")


@dataclass(frozen=True)
class TokenSearch:
    """The settings of a search for tokens; the recipe has its steps, and its size the length.

    Args:
        method: ``epo`` (evolutionary prompt optimization), ``gcg`` (greedy coordinate gradient),
            ``greedy`` (one swap by the gradient, HotFlip), or ``random``.
        population: The number of sequences that are changed at once. With a language head each
            has another weight of fluency.
        children: The changed copies of each in a step.
        candidates: The tokens of the largest gradient that a position may get.
        restart: The steps after which all become copies of one of them; 0 for never.
        fluency: The least and the largest weight of the cross-entropy under the network's own
            language head, in standard deviations of the score over random sequences for each nat;
            the first sequence has none. (0, 0) to leave it out.
        bold: The share of the copies that differ in many tokens: in 1 to all of them, the fewer the
            likelier, most of them the first candidates. The others differ in one, drawn uniformly.
        rows: The sequences that are computed together.
        forbidden: What is never chosen, such as ``"non-ascii"``, ``"non-letters"`` and ids as
            ``"0-3,17"``. Tokens that stand for no text, as the tokenizer says, never are.
        searched: The number of first positions that are searched; those behind keep ``padding``.
            0 for all.
        padding: The id behind the searched positions.
        tokenizer: The bytes of the tokenizer's file; ``None`` shows ids as numbers, or as bytes for
            a network of 256 to 260 ids.

    Raises:
        UsageError: For impossible settings.

    Example:
        >>> TokenSearch.from_json(SEARCHES["gcg"].to_json())
        TokenSearch(method='gcg', population=1, children=512, candidates=256, restart=0, bold=0.0)

    Reference:
        Thompson, Straznickas, Sklar, "Fluent dreaming for language models" (2024); Zou et al.,
        "Universal and Transferable Adversarial Attacks on Aligned Language Models" (2023).
    """

    method: str = "epo"
    population: int = 8
    children: int = 32
    candidates: int = 512
    restart: int = 50
    fluency: tuple[float, float] = (0.1, 10.0)
    bold: float = 0.5
    rows: int = 64
    forbidden: str = ""
    searched: int = 0
    padding: int = 0
    tokenizer: HeldArray | None = None

    def __post_init__(self) -> None:
        check_choice("method", self.method, METHODS)
        for name in ("population", "children", "candidates", "rows"):
            whole_number(name, getattr(self, name))
        for name in ("restart", "searched", "padding"):
            whole_number(name, getattr(self, name), 0)
        if not 0 <= self.bold <= 1:
            raise UsageError(f"bold {self.bold}: expected a share from 0 to 1, as 0.5")
        low, high = self.fluency
        if not (0 <= low <= high < math.inf) or (low == 0) != (high == 0):
            raise UsageError(
                f"fluency {low:g} to {high:g}: expected two weights above 0, such as 0.1 and 10, "
                "or 0 and 0 for none"
            )
        object.__setattr__(self, "fluency", (float(low), float(high)))
        _forbidden_parts(self.forbidden)

    def __repr__(self) -> str:
        """Write the call that makes the settings, without those that are the defaults."""
        shown = [f.name for f in fields(self) if getattr(self, f.name) != f.default]
        texts = (f"{name}={getattr(self, name)!r}" for name in dict.fromkeys(("method", *shown)))
        return f"TokenSearch({', '.join(texts)})"

    @property
    def weights(self) -> Array:
        """The weights of fluency of the sequences: 0, and others by equal factors."""
        weights = np.zeros(self.population)
        if self.fluency[0] > 0 and self.population > 1:
            weights[1:] = np.geomspace(*self.fluency, self.population - 1)
        return weights

    def replace(self, **changes: Any) -> TokenSearch:
        """Return a copy with some settings changed."""
        return replace(self, **changes)

    def tokens(self, vocabulary: int) -> Tokenizer:
        """Return what shows the ids of a network as text.

        Raises :class:`UsageError` for a tokenizer of another number of ids.
        """
        if self.tokenizer is None:
            return default_tokenizer(vocabulary)
        held = self.tokenizer
        return tokenizer_of(held.numbers.tobytes(), held.name or "given", vocabulary)

    def allowed(self, vocabulary: int) -> Array:
        """Return which ids may be chosen, booleans [vocabulary].

        Raises :class:`UsageError` for ids that the network does not have, and if none is left.
        """
        kinds, forbidden = _forbidden_parts(self.forbidden)
        if len(forbidden) and forbidden.max() >= vocabulary:
            raise UsageError(
                f"forbid {forbidden.max()}: the network has the ids 0 to {vocabulary - 1}"
            )
        allowed = np.ones(vocabulary, bool)
        allowed[forbidden] = False
        allowed[sorted(unusable(self.tokens(vocabulary), vocabulary, kinds))] = False
        if allowed.sum() < 2:
            raise UsageError(
                f"forbid {self.forbidden}: fewer than two of {vocabulary} tokens are left; forbid "
                "fewer"
            )
        return allowed

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        return {**plain(vars(self)), "fluency": list(self.fluency)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TokenSearch:
        """Return the settings of plain data; missing ones are the defaults."""
        check_names("search", dict(data), [f.name for f in fields(cls)])
        fluency = tuple(data.get("fluency", (0.1, 10.0)))
        return cls(**{**revived(data), "fluency": fluency})


def _forbidden_parts(text: str) -> tuple[list[str], Array]:
    """Return the words and the ids of what is forbidden."""
    parts = [part.strip() for part in text.split(",")]
    words = [part for part in parts if part and not part[0].isdigit()]
    for word in words:
        if word not in KINDS:
            raise UsageError(f"forbid {word!r}: expected {', '.join(KINDS)}, or ids such as 0-3,17")
    return words, ids_of(",".join(part for part in parts if part not in words))


def ids_of(text: str) -> Array:
    """Return the ids of a text of numbers and ranges.

    >>> ids_of("0-2,7").tolist()
    [0, 1, 2, 7]
    """
    ids: list[int] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        first, dash, last = part.partition("-")
        try:
            ends = int(first), int(last if dash else first)
        except ValueError:
            raise UsageError(f"ids {part!r}: expected numbers and ranges, as 0-3,17") from None
        if not 0 <= ends[0] <= ends[1]:
            raise UsageError(f"ids {part!r}: expected a range from the smaller number on")
        ids.extend(range(ends[0], ends[1] + 1))
    return np.array(ids, np.int64)


def ids_text(ids: Iterable[int]) -> str:
    """Return ids as text, neighbours as ranges, for :func:`ids_of`.

    >>> ids_text([7, 0, 1, 2])
    '0-2,7'
    """
    parts: list[list[int]] = []
    for number in sorted(set(map(int, ids))):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in parts)


#: The searches by the names of their methods.
SEARCHES: Mapping[str, TokenSearch] = {
    "epo": TokenSearch(),
    # The authors' 20 tokens and 250 steps are the recipe's (nanoGCG).
    "gcg": TokenSearch("gcg", population=1, children=512, candidates=256, restart=0, bold=0.0),
    "greedy": TokenSearch("greedy", population=16, children=1, candidates=1, restart=0),
    "random": TokenSearch("random", population=1, children=256, restart=0),
}
