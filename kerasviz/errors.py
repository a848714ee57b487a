"""Errors that a user sees: one line with what was given, what was wanted and the nearest fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["KerasvizError", "ModelError", "UsageError", "near"]


class KerasvizError(Exception):
    """A failure that is explained in one line; the command line prints it and exits with 1."""

    exit_code = 1


class UsageError(KerasvizError):
    """Bad use: a wrong name, value or option; the command line exits with 2."""

    exit_code = 2


class ModelError(KerasvizError):
    """A model file that cannot be read, or a network that cannot do what was asked."""


def near(name: str, choices: Iterable[str], limit: int = 5) -> str:
    """Return ``"a, b, c"``, the choices nearest to ``name``, for the end of an error line.

    Names that contain ``name`` (or its last path part) come first, then those spelled alike. Where
    nothing is near, the first ``limit`` choices are given, so that the line always helps.

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
