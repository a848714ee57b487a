"""Wait times after wrong tokens, by client."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

#: Wrong tokens without a wait.
FREE = 5
#: Seconds to wait after the next one; each further one doubles them.
FIRST = 1.0
#: Seconds to wait at most.
LONGEST = 300.0
#: Seconds after which wrong tokens are forgotten.
MEMORY = 3600.0
#: Clients that are remembered; the oldest is forgotten first.
KNOWN = 10_000


class LoginThrottle:
    """Tells how long clients have to wait before they may send a token again.

    A client is an IPv4 address or an IPv6 network of 64 bits, which one customer gets. During the
    wait not even the right token is compared: the answer would tell that it is right.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.clock = clock
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def seconds_left(self, address: str) -> int:
        """Return the seconds until a client may send a token, rounded up."""
        _, until = self._wrong.get(_client(address), (0, 0.0))
        return max(0, math.ceil(until - self.clock()))

    def add_wrong(self, address: str) -> None:
        """Count a wrong token."""
        client = _client(address)
        count, until = self._wrong.pop(client, (0, 0.0))
        count = 1 if self.clock() - until > MEMORY else count + 1
        over = count - FREE
        wait = min(LONGEST, FIRST * 2.0 ** min(over - 1, 30)) if over > 0 else 0.0
        self._wrong[client] = (count, self.clock() + wait)
        if len(self._wrong) > KNOWN:
            self._wrong.popitem(last=False)

    def clear(self, address: str) -> None:
        """Forget the wrong tokens of a client that sent the right one."""
        self._wrong.pop(_client(address), None)


def _client(address: str) -> str:
    """Return what counts as one client.

    >>> _client("192.0.2.7"), _client("2001:db8::1") == _client("2001:db8::ffff:1")
    ('192.0.2.7', True)
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False))
