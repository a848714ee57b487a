"""Numbers as files and answers have them: with as many digits as mean something."""

from __future__ import annotations

from typing import Any


def rounded(number: Any, digits: int = 6) -> float:
    """Round a number of any type to ``digits`` significant digits.

    >>> rounded(1234567.8), rounded(0.00123456, 2), rounded(float("inf"))
    (1234570.0, 0.0012, inf)
    """
    return float(f"{number:.{digits}g}")
