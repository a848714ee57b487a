"""Read the size of images, a number of pixels or height and width, and the lengths of signals."""

from __future__ import annotations

import re
from numbers import Integral
from typing import Any

from kerasviz.errors import UsageError
from kerasviz.types import Size

#: (height, width) of images where neither the network nor the caller says one.
USUAL: Size = (224, 224)
#: What networks may take that fail at usual sizes: small images, and lines of text.
SMALL: tuple[Size, ...] = ((64, 64), (48, 320), (32, 128), (48, 48), (32, 32))


def size_of(value: Any) -> Size:
    """Return (height, width) of ``128``, ``(96, 128)`` or a text such as ``"96x128"``.

    Raises :class:`UsageError` for anything else.

    >>> size_of(128), size_of((96, 128)), size_of("96x128")
    ((128, 128), (96, 128), (96, 128))
    """
    numbers = _whole_numbers(value)
    if len(numbers) == 1:
        numbers *= 2
    if len(numbers) != 2:
        raise UsageError(
            f"{value!r}: expected pixels such as 128, or height x width such as 96x128"
        )
    return numbers[0], numbers[1]


def lengths_of(value: Any) -> tuple[int, ...]:
    """Return the lengths of axes: of one number, several, or a text such as ``"16x24x32"``.

    Raises :class:`UsageError` for anything else.

    >>> lengths_of(2000), lengths_of("16x24x32")
    ((2000,), (16, 24, 32))
    """
    numbers = _whole_numbers(value)
    if not numbers:
        raise UsageError(
            f"{value!r}: expected pixels such as 128, or height x width such as 96x128 (of signals "
            "lengths such as 2000 or 16x24x32)"
        )
    return numbers


def _whole_numbers(value: Any) -> tuple[int, ...]:
    """Return whole numbers from 1 on, none for anything else."""
    numbers: list[Any] = []
    if isinstance(value, str) and re.fullmatch(r"\d+(?:[xX]\d+)*", value.strip()):
        numbers = [int(number) for number in re.split("[xX]", value.strip())]
    elif isinstance(value, Integral):
        numbers = [value]
    elif isinstance(value, list | tuple):
        numbers = list(value)
    whole = all(isinstance(n, Integral) and not isinstance(n, bool) for n in numbers)
    if not numbers or not whole or min(map(int, numbers)) < 1:
        return ()
    return tuple(int(n) for n in numbers)
