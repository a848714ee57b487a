"""What is compiled for a network: kept by its settings, as long as it is in use."""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable
from typing import TypeVar

__all__ = ["MOST", "Compiled"]

Kind = TypeVar("Kind")

#: Compiled functions that are kept of a network: a loop takes some 30 MB, and an atlas or a service
#: has as many as its requests differ in kind.
MOST = 32


class Compiled(dict[Hashable, object]):
    """Compiled functions by their settings, the one that was used last at the end.

    If there are more than ``most``, the half that was not used for the longest time is dropped.

    >>> kept = Compiled(most=2)
    >>> [kept.of(name, name.upper) for name in "abac"], list(kept)
    (['A', 'B', 'A', 'C'], ['c'])
    """

    def __init__(self, most: int = MOST):
        super().__init__()
        self.most = most

    def of(self, key: Hashable, make: Callable[[], Kind]) -> Kind:
        """What is kept under ``key``, or made for it now."""
        found: Kind = self.pop(key) if key in self else make()  # type: ignore[assignment]
        self[key] = found
        if len(self) > self.most:
            for old in list(self)[: -(self.most // 2)]:
                del self[old]
            gc.collect()  # graphs refer to themselves
        return found
