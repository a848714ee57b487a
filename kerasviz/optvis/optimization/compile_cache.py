"""The compiled functions of each network, kept while they are in use."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Hashable
from typing import TypeVar
from weakref import WeakKeyDictionary, proxy

from kerasviz.network.network import Network

Kind = TypeVar("Kind")

#: Compiled functions that are kept for each network. A loop takes some 30 MB, and the requests of
#: an atlas or a service may need hundreds of different loops.
MOST = 32


class Compiled(dict[Hashable, object]):
    """Hold compiled functions by their settings, the last used one at the end.

    With more than ``most`` functions, the least recently used half is dropped. Several threads may
    ask for functions; they share those of equal settings.

    >>> kept = Compiled(most=2)
    >>> [kept.of(name, name.upper) for name in "abac"], list(kept)
    (['A', 'B', 'A', 'C'], ['c'])
    """

    def __init__(self, most: int = MOST):
        super().__init__()
        self.most = most
        self._lock = threading.RLock()

    def of(self, key: Hashable, make: Callable[[], Kind]) -> Kind:
        """Return the function under ``key``, compiled with ``make`` where it is new."""
        with self._lock:
            function: Kind = self.pop(key) if key in self else make()  # type: ignore[assignment]
            self[key] = function
            if len(self) > self.most:
                for old in list(self)[: -(self.most // 2)]:
                    del self[old]
                gc.collect()  # graphs refer to themselves
            return function


_lock = threading.Lock()
_caches: WeakKeyDictionary[Network, Compiled] = WeakKeyDictionary()


def cache_of(net: Network) -> Compiled:
    """Return the compiled functions of a network."""
    with _lock:
        return _caches.setdefault(net, Compiled())


def compiled(net: Network, key: Hashable, make: Callable[[Network], Kind]) -> Kind:
    """Return the function that ``make`` compiles for a network, compiled once for each ``key``.

    ``make`` gets a weak proxy of the network: a function in the cache would keep it alive forever.
    """
    return cache_of(net).of(key, lambda: make(proxy(net)))
