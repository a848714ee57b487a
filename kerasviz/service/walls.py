"""The units of a layer in the order and the choice of its wall."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kerasviz.errors import UsageError, near
from kerasviz.examples.statistics.index import ExampleIndex
from kerasviz.types import Array

Sort = Literal["number", "peak", "selectivity", "class", "likeness", "connection", "photo"]
Show = Literal["all", "starred", "named", "dead", "active", "class"]
#: The orders and the choices that are read from the index of examples.
FROM_DATA = ("peak", "selectivity", "class", "dead", "active")
#: What gives the numbers of data.
GIVES_DATA = (
    "drop a folder of photos on this page, or start with --examples DIR, a folder of "
    "`kerasviz examples`"
)
_NUMBERS = re.compile(r"\s*(\d{1,9})(?:\s*-\s*(\d{1,9}))?\s*")


@dataclass(frozen=True)
class WallQuestion:
    """Ask for units of a layer.

    Args:
        sort: What they are sorted by, the largest first; ``"number"`` by their numbers.
        show: Which of them are shown.
        of_class: The class of ``"class"`` in either; "" is the first one.
        numbers: Those that are shown at most, as ``"0-99, 512"``; "" is all.
    """

    sort: Sort = "number"
    show: Show = "all"
    of_class: str = ""
    numbers: str = ""


@dataclass(frozen=True, eq=False)
class Wall:
    """Hold units of a layer in order.

    Args:
        units: [N] their numbers.
        values: [N] by what they are sorted, NaN where that is not known; ``None`` by number.
        wants: What gives the numbers that are missing, in one line; "" where none are.
    """

    units: Array
    values: Array | None = None
    wants: str = ""


def wall(
    question: WallQuestion,
    units: int,
    index: ExampleIndex | None,
    tap: str,
    *,
    notes: Collection[tuple[int, bool, bool]] = (),
    measured: Array | str = "",
    layer: str = "",
) -> Wall:
    """Sort and choose the units of a layer.

    Units come by their numbers where others are missing, and ``wants`` says what gives those.

    Args:
        question: The order and the choice.
        units: The number of units of the layer.
        index: The statistics of the layer's units in data, if there are any.
        tap: The name of the layer in them.
        notes: (unit, named, starred) of the units with notes.
        measured: The values [units] of likeness, connection or photo, or what gives them.
        layer: What the page calls the layer, by default the tap.

    Raises:
        UsageError: For a class that the data does not have, and numbers that are none.

    Example:
        >>> found = wall(WallQuestion("photo"), 3, None, "relu", measured=np.array([1.0, 3.0, 2.0]))
        >>> found.units, found.values
        (array([1, 2, 0]), array([3., 2., 1.]))
    """
    lacking = [_lacking(needed, layer or tap, index) for needed in (question.sort, question.show)]
    chosen = _numbered(question.numbers, units)
    if not lacking[1]:
        chosen &= _shown(question, units, index, tap, notes)
    numbers = np.flatnonzero(chosen)
    wants = lacking[0] or (measured if isinstance(measured, str) else "") or lacking[1]
    values = None if lacking[0] else _values(question, index, tap, measured)
    if values is None:
        return Wall(numbers, wants=wants)
    strengths = np.abs(values) if question.sort == "connection" else values
    order = np.argsort(-strengths[numbers], kind="stable")  # NaN is last
    return Wall(numbers[order], values[numbers[order]], wants)


def _lacking(needed: str, layer: str, index: ExampleIndex | None) -> str:
    """Return what gives the numbers of data that an order or a choice needs, "" for none."""
    if needed not in FROM_DATA:
        return ""
    if index is None:
        words = {"selectivity": "selectivity", "class": "classes", "peak": "peaks"}
        return f"No {words.get(needed, 'activity')} of {layer} yet: {GIVES_DATA}."
    if needed in ("selectivity", "class") and not index.classes:
        return (
            "The images have no classes: drop a folder with a subfolder of images for each class."
        )
    return ""


def _shown(
    question: WallQuestion,
    units: int,
    index: ExampleIndex | None,
    tap: str,
    notes: Collection[tuple[int, bool, bool]],
) -> Array:
    """Return which units are shown, [units] of booleans."""
    shown = np.ones(units, bool)
    if question.show in ("starred", "named"):
        shown[:] = False
        for unit, named, starred in notes:
            if unit < units:
                shown[unit] = starred if question.show == "starred" else named
    elif question.show in ("dead", "active") and index is not None:
        active = index.array(tap, "maximum") > 0
        shown = active if question.show == "active" else ~active
    elif question.show == "class" and index is not None:
        number = class_number(index, question.of_class)
        shown = index.array(tap, "preferred") == number
    return shown


def _numbered(text: str, units: int) -> Array:
    """Return which units a text names, [units] of booleans.

    >>> np.flatnonzero(_numbered("7, 1-3", 9)), int(_numbered("", 9).sum())
    (array([1, 2, 3, 7]), 9)
    """
    if not text.strip():
        return np.ones(units, bool)
    named = np.zeros(units, bool)
    for part in text.split(","):
        match = _NUMBERS.fullmatch(part)
        if match is None:
            raise UsageError(f"units {text[:40]!r}: give numbers such as 0-99, 512")
        first = int(match[1])
        named[first : int(match[2] or first) + 1] = True
    return named


def _values(
    question: WallQuestion,
    index: ExampleIndex | None,
    tap: str,
    measured: Array | str,
) -> Array | None:
    if question.sort == "number":
        return None
    if index is not None and question.sort == "peak":
        return index.array(tap, "maximum").astype(np.float64)
    if index is not None and question.sort == "selectivity":
        return index.array(tap, "selectivity").astype(np.float64)
    if index is not None and question.sort == "class":
        number = class_number(index, question.of_class)
        return index.array(tap, "class_mean")[:, number].astype(np.float64)
    return None if isinstance(measured, str) else measured.astype(np.float64)


def class_number(index: ExampleIndex, name: str) -> int:
    """Return the number of a class of the data; "" is the first one.

    Raises :class:`UsageError` for one that it does not have.
    """
    if not name:
        return 0
    if name not in index.classes:
        raise UsageError(f"the images have no class {name!r}; near: {near(name, index.classes)}")
    return index.classes.index(name)


def correlations(index: ExampleIndex, tap: str, unit: int, units: int) -> Array:
    """Return the correlations [units] of the units with one, NaN where the index has none.

    It has those of the most and of the least alike ones. The unit itself has 1.
    """
    found = np.full(units, np.nan)
    for name, correlation in (
        ("neighbours", "neighbour_correlation"),
        ("opposites", "opposite_correlation"),
    ):
        numbers = index.array(tap, name)[unit]
        known = numbers >= 0
        found[numbers[known]] = index.array(tap, correlation)[unit][known]
    found[unit] = 1
    return found
