"""Wrong tokens by client: after some of them, each makes it wait longer for the next try."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["Guesses"]

#: Wrong tokens that cost nothing, seconds after the next one, doubled with each up to the most.
FREE, FIRST, LONGEST = 5, 1.0, 300.0
#: Seconds after which wrong tokens are forgotten.
MEMORY = 3600.0
#: Clients that are remembered; the one that was wrong first is forgotten first.
KNOWN = 10_000


class Guesses:
    """How long clients have to wait before they may give a token again.

    A client is an IPv4 address or an IPv6 network of 64 bits, which is what one gets. While it has
    to wait even the right token is not looked at: an answer would tell that it is right.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.clock = clock
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, address: str) -> int:
        """Seconds until a client may give a token, rounded up; 0 if it may now."""
        _, until = self._wrong.get(_client(address), (0, 0.0))
        return max(0, math.ceil(until - self.clock()))

    def wrong(self, address: str) -> None:
        """Note a wrong token."""
        client = _client(address)
        count, until = self._wrong.pop(client, (0, 0.0))
        count = 1 if self.clock() - until > MEMORY else count + 1
        over = count - FREE
        wait = min(LONGEST, FIRST * 2.0 ** min(over - 1, 30)) if over > 0 else 0.0
        self._wrong[client] = (count, self.clock() + wait)
        if len(self._wrong) > KNOWN:
            self._wrong.popitem(last=False)

    def right(self, address: str) -> None:
        """Note the right token: earlier ones were mistakes."""
        self._wrong.pop(_client(address), None)


def _client(address: str) -> str:
    """What counts as one client.

    >>> _client("192.0.2.7"), _client("2001:db8::1") == _client("2001:db8::ffff:1")
    ('192.0.2.7', True)
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))
