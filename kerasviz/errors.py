"""Errors that a user sees: one line with what was given, what was wanted and the nearest fix."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any


class KerasvizError(Exception):
    """Explain a failure in one line; the command line prints it and exits with 1."""

    exit_code = 1


class UsageError(KerasvizError):
    """Report a wrong name, value or option; the command line exits with 2."""

    exit_code = 2


class ModelError(KerasvizError):
    """Report a model file that cannot be read, or a network that cannot do what was asked."""


class InputsError(ModelError):
    """Report inputs that a network cannot be computed from; it may be from others."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type's name where it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def near(name: str, choices: Iterable[str], limit: int = 5) -> str:
    """Return ``"a, b, c"``, the choices nearest to ``name``, for the end of an error line.

    Names that contain ``name`` (or its last path part) come first, then those spelled alike.
    Return the first ``limit`` choices where none is near, so that the line always helps.

    >>> near("mixed4z", ["mixed4a", "mixed4b", "prob"], limit=2)
    'mixed4a, mixed4b'
    """
    names = list(dict.fromkeys(choices))
    lowered = name.lower()
    part = lowered.rsplit("/", 1)[-1]
    inside = [n for n in names if part and part in n.lower()]
    likeness = {n: difflib.SequenceMatcher(None, n.lower(), lowered).ratio() for n in names}
    alike = sorted((n for n in names if likeness[n] >= 0.5), key=lambda n: -likeness[n])
    found = list(dict.fromkeys(sorted(inside, key=len) + alike))
    return ", ".join((found or names)[:limit])


def check_choice(what: str, name: Any, known: Iterable[str]) -> None:
    """Raise :class:`UsageError` for a ``what`` whose name is not among ``known``."""
    names = list(known)
    if name not in names:
        raise UsageError(f"unknown {what} {name!r}; choose from {', '.join(names)}")


def check_names(what: str, settings: Mapping[str, Any], known: Iterable[str]) -> None:
    """Raise :class:`UsageError` for a setting whose name is not among ``known``."""
    names = list(known)
    for name in settings:
        if name not in names:
            raise UsageError(f"{what}: unknown setting {name!r}; near: {near(name, names)}")


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """Return a whole number of at least ``least``; raise :class:`UsageError` for other values.

    >>> whole_number("steps", 12)
    12
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise UsageError(f"{name} {value!r}: expected a whole number of {least} or more")
    return int(value)


def finite_number(name: str, value: Any, example: str) -> float:
    """Return a finite number; raise :class:`UsageError` for other values.

    >>> finite_number("cutoff", 2, "2.5")
    2.0
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise UsageError(f"{name} {value!r}: expected a number, such as {example}")
    return float(value)
