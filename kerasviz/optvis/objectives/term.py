"""Terms of objectives, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from kerasviz.errors import UsageError, check_choice

#: Terms of the untransformed image.
PENALTIES = ("l1", "total_variation", "blur")
#: Terms that couple pictures that are optimized together.
COUPLINGS = ("diversity", "alignment")
KINDS = (
    *("channel", "neuron", "direction", "layer", "logit", "probability"),
    *COUPLINGS,
    *PENALTIES,
)
FADES = ("", "in", "out")


@dataclass(frozen=True)
class Term:
    """One weighted term: ``kind`` at ``tap``, for a ``unit``, a ``vector`` and a ``position``.

    ``tap`` is empty for ``logit`` and ``probability``, whose tap the network knows, and for
    penalties of the image. ``position`` is (y, x) or, for tokens and other rows, (number,);
    negative numbers count from the end, and ``None`` for a neuron means the centre. ``part``
    (k, n) is the k-th of n equal slices of the channels of a layer, such as an attention head.
    Among pictures that are optimized together a term with a ``fade`` grows (``"in"``) from 0 to its
    weight along the row of pictures, or shrinks (``"out"``) to 0.
    """

    kind: str
    tap: str = ""
    unit: int | None = None
    vector: tuple[float, ...] = ()
    position: tuple[int, ...] | None = None
    weight: float = 1.0
    fade: str = ""
    part: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.fade not in FADES:
            raise UsageError(f"unknown fade {self.fade!r}; choose from 'in' and 'out'")
        check_choice("objective", self.kind, KINDS)
        place: object = self.position
        if place is not None and not (
            isinstance(place, tuple) and place and all(isinstance(n, int) for n in place)
        ):
            raise UsageError(
                f"position {place!r}: give (y, x) in a map, or (number,) in a row of tokens"
            )
        if self.part is not None and not 0 <= self.part[0] < self.part[1]:
            number, count = self.part
            raise UsageError(f"head {number} of {count}: the heads are 0 to {count - 1}")
