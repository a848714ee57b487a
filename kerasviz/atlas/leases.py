"""Claims: who works on what in a shared storage, and until when."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kerasviz.errors import KerasvizError
from kerasviz.io.storage import Storage

__all__ = ["FOLDER", "LEASE", "Leases", "Owner"]

FOLDER = "claims"
#: Seconds for which a claim holds; it is renewed three times as often.
LEASE = 60.0


@dataclass(frozen=True)
class Owner:
    """A run that claims: its name, and the process that coordinates it.

    ``place`` names the machine (and the container) in which ``process`` and its start, in ticks of
    the system's clock, mean something; 0 where this cannot be known.
    """

    run: str
    place: str
    process: int
    start: int

    @classmethod
    def here(cls, run: str) -> Owner:
        """This process."""
        return cls(run, _place(), os.getpid(), _start_of(os.getpid()))

    @property
    def dead(self) -> bool:
        """Whether the process is known to have ended; of other machines nothing is known."""
        return bool(self.start and self.place == _place() and _start_of(self.process) != self.start)


class Leases:
    """Leases on tasks in a storage, for one owner.

    They save work that would be done twice and nothing else: what two do at once comes out the
    same. So nothing depends on the clocks of machines but how soon the work of a dead one goes on.
    """

    def __init__(
        self,
        storage: Storage,
        owner: Owner,
        lease: float = LEASE,
        clock: Callable[[], float] = time.time,
    ):
        self.storage, self.owner, self.lease, self.clock = storage, owner, lease, clock

    def take(self, name: str) -> bool:
        """Claim a task; false where another owner has a claim that holds."""
        if self.storage.write_new(self._path(name), self._line()):
            return True
        if self.holder(name) is not None:
            return False
        self.storage.remove(self._path(name))  # it has run out
        return self.storage.write_new(self._path(name), self._line()) or self.holder(name) is None

    def holder(self, name: str) -> Owner | None:
        """The other owner whose claim of a task holds."""
        data = self.storage.read(self._path(name))
        if data is None:
            return None
        try:
            found: dict[str, Any] = json.loads(data)
            until, owner = float(found.pop("until")), Owner(**found)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
        if owner.run == self.owner.run or until < self.clock() or owner.dead:
            return None
        return owner

    def drop(self, name: str) -> None:
        """Give up a claim."""
        self.storage.remove(self._path(name))

    @contextmanager
    def kept(self, name: str) -> Iterator[None]:
        """Renew a claim while the block runs."""
        ended = threading.Event()

        def renew() -> None:
            while not ended.wait(self.lease / 3):
                with suppress(KerasvizError, OSError):  # then it runs out, which is no harm
                    self.storage.write(self._path(name), self._line())

        thread = threading.Thread(target=renew, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _path(self, name: str) -> str:
        return f"{FOLDER}/{name}"

    def _line(self) -> bytes:
        return json.dumps({**asdict(self.owner), "until": self.clock() + self.lease}).encode()


def _place() -> str:
    """A name of this machine, and of the container whose process numbers are known here."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _start_of(process: int) -> int:
    """When a process of this machine began, in ticks since the machine did; 0 if it is not there.

    A process that has ended and was not yet waited for counts as not there.
    """
    try:
        line = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return 0
    state, *rest = line.rpartition(")")[2].split()
    return 0 if state in "ZX" else int(rest[18])
