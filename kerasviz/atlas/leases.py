"""Leases: which run works on which task in a shared storage, and until when."""

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

#: The folder of the leases in the storage.
FOLDER = "claims"
#: Seconds for which a lease holds; it is renewed three times as often.
LEASE = 60.0


@dataclass(frozen=True)
class Owner:
    """A run that takes leases: its name, and the process that coordinates it.

    ``place`` names the machine (and container) of ``process``, a process number. ``start`` is when
    the process began, in ticks of the machine's clock; 0 where that is unknown.
    """

    run: str
    place: str
    process: int
    start: int

    @classmethod
    def here(cls, run: str) -> Owner:
        """Return this process as the owner of a run."""
        return cls(run, _place(), os.getpid(), _start_of(os.getpid()))

    @property
    def dead(self) -> bool:
        """Whether the process is known to have ended, which it is not on other machines."""
        return bool(self.start and self.place == _place() and _start_of(self.process) != self.start)


class Leases:
    """Leases on tasks in a storage, for one owner.

    They only save work that would be done twice: two runs that do a task at once make the same
    pictures. So the machines' clocks decide only how soon the task of a dead run is taken over.
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
        """Take the lease of a task; return False while another owner holds it."""
        if self.storage.write_new(self._path(name), self._line()):
            return True
        if self.holder(name) is not None:
            return False
        self.storage.remove(self._path(name))  # the lease has run out
        return self.storage.write_new(self._path(name), self._line()) or self.holder(name) is None

    def holder(self, name: str) -> Owner | None:
        """Return the other owner that holds the lease of a task."""
        data = self.storage.read(self._path(name))
        if data is None:
            return None
        try:
            lease: dict[str, Any] = json.loads(data)
            until, owner = float(lease.pop("until")), Owner(**lease)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
        if owner.run == self.owner.run or until < self.clock() or owner.dead:
            return None
        return owner

    def drop(self, name: str) -> None:
        """Give up the lease of a task."""
        self.storage.remove(self._path(name))

    @contextmanager
    def kept(self, name: str) -> Iterator[None]:
        """Renew the lease of a task while the block runs."""
        ended = threading.Event()

        def renew() -> None:
            while not ended.wait(self.lease / 3):
                with suppress(KerasvizError, OSError):  # then the lease runs out: no harm
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
    """Name this machine, and the container whose process numbers are known here."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _start_of(process: int) -> int:
    """Return when a process of this machine began, in ticks since the boot; 0 if it has ended.

    A process that nobody has waited for yet counts as ended.
    """
    try:
        line = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return 0
    state, *rest = line.rpartition(")")[2].split()
    return 0 if state in "ZX" else int(rest[18])
