"""Terms of objectives, and weighted sums of them, as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kerasviz.errors import UsageError, check_choice
from kerasviz.optvis.held_array import HeldArray, nameless, plain, revived
from kerasviz.optvis.objectives.direction_files import DirectionFile
from kerasviz.optvis.python_function import PythonFunction

#: Terms of the untransformed image; ``penalty`` is one of the user's own.
PENALTIES = ("l1", "total_variation", "blur", "penalty")
#: Terms that a Python function computes.
FUNCTIONS = ("function", "penalty")
#: Terms that couple pictures that are optimized together.
COUPLINGS = ("diversity", "alignment")
KINDS = (
    *("channel", "neuron", "direction", "latent", "layer", "logit", "probability"),
    *COUPLINGS,
    *PENALTIES,
    "function",
    *("caricature", "inversion", "likeness", "content", "style"),
    "facet",
    "attributed",
)
#: Terms that compare a layer with that of the photo of a request.
COMPARED = ("caricature", "inversion", "likeness", "content", "style")
#: Those whose picture is made from noise; from others it starts at the photo.
REPRODUCED = ("caricature", "inversion", "content", "style", "attributed")
#: Those that are about a photo, by its activations or by what was computed from them.
OF_PHOTO = (*COMPARED, "attributed")
#: Those that compare it with that of a second photo, and those of style transfer together.
STYLED = ("style",)
OF_STYLE = ("content", "style")
#: Terms that only steer the others: their scores are no part of a picture's.
STEERING = ("likeness", "facet")
FADES = ("", "in", "out")
#: What a sparse autoencoder does to its input, as its configuration names it.
NORMALIZATIONS = ("", "layer_norm", "constant_norm_rescale")


@dataclass(frozen=True)
class Term:
    """One weighted term: ``kind`` at ``tap``, for a ``unit``, a ``vector`` and a ``position``.

    ``tap`` is empty for ``logit`` and ``probability``, whose tap the network knows, and for
    penalties of the image. ``position`` is (y, x) or, for tokens and other rows, (number,);
    negative numbers count from the end, and ``None`` for a neuron means the centre. ``part``
    (k, n) is the k-th of n equal slices of the channels of a layer, such as an attention head.
    Among pictures that are optimized together a term with a ``fade`` grows (``"in"``) from 0 to its
    weight along the row of pictures, or shrinks (``"out"``) to 0. A term of a ``function`` names
    the ``taps`` whose tensors the function takes. A direction over a whole layer has its ``shape``
    (H, W, C), with the ``vector`` flattened; ``cosine`` is the power of the cosine in its score. A
    latent of a sparse autoencoder is norm(A) . ``vector`` + ``bias``, with what ``normalize`` names
    as norm. A facet has a linear ``probe`` of its ``taps``, which may have weights at the positions
    of a ``grid``, two numbers for each. ``source`` says from which file a vector was read; it is no
    part of what is shown. A caricature that is ``attributed`` weighs the layer by the held
    ``probe``, which says what contributes to the terms ``of`` in a photo. In a balanced sum the
    weight is divided by ``scale``, which follows from the score that the term reaches ``alone``.
    """

    kind: str
    tap: str = ""
    unit: int | None = None
    vector: tuple[float, ...] = ()
    position: tuple[int, ...] | None = None
    weight: float = 1.0
    fade: str = ""
    part: tuple[int, int] | None = None
    function: PythonFunction | None = None
    taps: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    cosine: float = 0.0
    bias: float = 0.0
    normalize: str = ""
    source: DirectionFile | None = field(default=None, compare=False)
    alone: float | None = None
    scale: float = 1.0
    probe: HeldArray | None = None
    of: tuple[Term, ...] = ()
    grid: tuple[int, ...] = ()

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
        if (self.function is not None) != (self.kind in FUNCTIONS):
            needs = "needs a function" if self.kind in FUNCTIONS else "takes no function"
            raise UsageError(f"objective {self.kind!r} {needs}; see objectives.function")
        if bool(self.of) != (self.kind == "attributed"):
            raise UsageError(
                f"objective {self.kind!r}: only a caricature is of another target, which it needs"
            )
        if bool(self.taps) != (self.kind in ("function", "facet")):
            needs = "needs taps=[...]" if self.kind == "function" else "takes no taps, but a tap"
            raise UsageError(f"objective {self.kind!r} {needs}")
        check_choice("normalization", self.normalize, NORMALIZATIONS)
        if not 0 <= self.cosine < math.inf:
            raise UsageError(f"cosine {self.cosine}: the power is a number from 0 on, such as 2")
        if self.shape and math.prod(self.shape) != len(self.vector):
            raise UsageError(f"direction of {len(self.vector)} numbers: its shape is {self.shape}")

    @property
    def norm(self) -> float:
        """The length |v| of the vector."""
        return math.sqrt(math.fsum(number * number for number in self.vector))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the taps that the term itself gives."""
        return self.taps or ((self.tap,) if self.tap else ())

    def folded(self, share: float) -> Term:
        """Return the term with its place in a fade, 0 to 1, and its scale in its weight.

        >>> Term("channel", "a", 1, weight=3.0, alone=-2.0, scale=2.0).folded(0.0).weight
        1.5
        """
        factor = {"": 1.0, "in": share, "out": 1.0 - share}[self.fade]
        weight = self.weight * factor / self.scale
        return replace(self, weight=weight, fade="", alone=None, scale=1.0)

    def to_json(self) -> dict[str, Any]:
        """Return the term as plain data without defaults."""
        usual = vars(Term("channel"))
        data = {k: v for k, v in vars(self).items() if k in ("kind", "weight") or v != usual[k]}
        if self.function is not None:
            data["function"] = self.function.to_json()
        if self.source is not None:
            data["source"] = self.source.to_json()
        if self.of:
            data["of"] = [term.to_json() for term in self.of]
        return plain(data)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Term:
        """Make a term from plain data."""
        settings: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in revived(data).items()
        }
        if "function" in settings:
            settings["function"] = PythonFunction.from_json(settings["function"])
        if "of" in settings:
            settings["of"] = tuple(map(cls.from_json, settings["of"]))
        if "source" in settings:
            settings["source"] = DirectionFile.from_json(settings["source"])
        return cls(**settings)


@dataclass(frozen=True)
class Objective:
    """A weighted sum of terms, to be maximized; ``+``, ``-``, unary ``-`` and ``*`` compose.

    Args:
        terms: The terms of the sum.

    Example:
        >>> a, b = (Objective((Term("channel", "mixed4a", unit),)) for unit in (10, 11))
        >>> [term.weight for term in (a - 0.5 * b).terms]
        [1.0, -0.5]
    """

    terms: tuple[Term, ...]

    def __add__(self, other: Objective) -> Objective:
        return Objective(self.terms + other.terms)

    def __radd__(self, other: int) -> Objective:  # so that sum([...]) works
        if other != 0:
            return NotImplemented
        return self

    def __mul__(self, factor: float) -> Objective:
        return Objective(tuple(replace(t, weight=t.weight * float(factor)) for t in self.terms))

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return self * -1.0

    def __sub__(self, other: Objective) -> Objective:
        return self + (-other)

    @property
    def couples_rows(self) -> bool:
        """Whether the score of a picture depends on the pictures optimized with it."""
        return any(term.kind in COUPLINGS for term in self.terms)

    @property
    def own(self) -> tuple[Term, ...]:
        """The terms whose scores count: all but penalties and those that couple pictures."""
        aside = (*PENALTIES, *COUPLINGS, *STEERING)
        return tuple(term for term in self.terms if term.kind not in aside)

    @property
    def reproduces(self) -> bool:
        """Whether the picture reproduces a layer of a photo, from noise."""
        return any(term.kind in REPRODUCED for term in self.terms)

    @property
    def functions(self) -> tuple[PythonFunction, ...]:
        """The Python functions among the terms."""
        return tuple(term.function for term in self.terms if term.function is not None)

    def fading(self, fade: str) -> Objective:
        """Return the objective that grows (``"in"``) or shrinks (``"out"``) along the pictures."""
        return Objective(tuple(replace(term, fade=fade) for term in self.terms))

    def at(self, row: int, rows: int) -> Objective:
        """Return the objective of picture ``row`` of ``rows``: fades and balance become weights.

        >>> a, b = (Objective((Term("channel", tap, 1),)) for tap in ("a", "b"))
        >>> faded = a.fading("out") + b.fading("in")
        >>> [[t.weight for t in faded.at(k, 3).terms] for k in range(3)]
        [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
        """
        share = row / (rows - 1) if rows > 1 else 0.0
        return Objective(tuple(term.folded(share) for term in self.terms))

    def to_json(self) -> list[dict[str, Any]]:
        """Return the terms as plain data without defaults."""
        return [term.to_json() for term in self.terms]

    def identity(self) -> list[dict[str, Any]]:
        """Return what decides the pictures as plain data: without the files of vectors."""
        return [
            {k: nameless(v) for k, v in data.items() if k != "source"} for data in self.to_json()
        ]

    @classmethod
    def from_json(cls, data: Iterable[Mapping[str, Any]]) -> Objective:
        """Make an objective from plain data."""
        return cls(tuple(Term.from_json(term) for term in data))
