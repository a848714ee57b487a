"""Read the size of images: a number of pixels, or height and width."""

from __future__ import annotations

import re
from numbers import Integral
from typing import Any

from kerasviz.errors import UsageError
from kerasviz.types import Size


def size_of(value: Any) -> Size:
    """Return (height, width) of ``128``, ``(96, 128)`` or a text such as ``"96x128"``.

    Raises :class:`UsageError` for anything else.

    >>> size_of(128), size_of((96, 128)), size_of("96x128")
    ((128, 128), (96, 128), (96, 128))
    """
    numbers: list[Any] = []
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+)(?:[xX](\d+))?", value.strip())
        numbers = [] if match is None else [int(match[1]), int(match[2] or match[1])]
    elif isinstance(value, Integral):
        numbers = [value, value]
    elif isinstance(value, list | tuple):
        numbers = list(value)
    whole = all(isinstance(n, Integral) and not isinstance(n, bool) for n in numbers)
    if len(numbers) != 2 or not whole or min(map(int, numbers)) < 1:
        raise UsageError(
            f"{value!r}: expected pixels such as 128, or height x width such as 96x128"
        )
    return int(numbers[0]), int(numbers[1])
