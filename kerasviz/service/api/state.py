"""What the routes of a service share."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from kerasviz.errors import KerasvizError
from kerasviz.rendering.commands import CommandLine
from kerasviz.service.description import describe_network
from kerasviz.service.gallery import Gallery
from kerasviz.service.jobs.database import Database
from kerasviz.service.jobs.jobs import Jobs
from kerasviz.service.jobs.workers import Workers
from kerasviz.service.networks import Networks
from kerasviz.service.settings import ServiceSettings

if TYPE_CHECKING:
    from kerasviz.examples.folder import Examples

__all__ = ["DiskFullError", "ServiceState", "picture_url"]

#: Batch sizes where none is given, see ``ServiceSettings.batch``.
ON_GPU, ON_CPU = 8, 2
#: Seconds in which the size of the data folder is not measured again.
FRESH = 5.0


class DiskFullError(KerasvizError):
    """The data folder has reached its limit, or the disk is full."""


@dataclass
class ServiceState:
    """A running service: its setting, networks, jobs and workers."""

    setting: ServiceSettings
    networks: Networks
    database: Database
    jobs: Jobs
    workers: Workers
    loading: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)
    failure: KerasvizError | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _galleries: dict[str, Gallery] = field(default_factory=dict)
    _described: dict[str, dict[str, Any]] = field(default_factory=dict)
    _size: tuple[float, int] = (-FRESH, 0)
    _batch: int | None = None

    @classmethod
    def of(cls, setting: ServiceSettings) -> ServiceState:
        """The state of a service that starts: nothing is loaded yet."""
        for folder in (setting.data, setting.pictures, setting.previews):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise KerasvizError(
                    f"cannot write into the folder {str(folder)!r}: {error.strerror}; name another "
                    "with --data"
                ) from error
        database = Database(setting.database)
        jobs = Jobs(database, setting.limits.queued, kept=setting.limits.kept)
        return cls(setting, Networks(setting), database, jobs, Workers(setting, database))

    @property
    def batch(self) -> int:
        """The usual batch size: the setting's, else by what the machine has."""
        if self.setting.batch is not None:
            return self.setting.batch
        if self._batch is None:
            import tensorflow as tf

            self._batch = ON_GPU if tf.config.list_physical_devices("GPU") else ON_CPU
        return self._batch

    @property
    def ready(self) -> str | None:
        """Why the service cannot do all of its work now, ``None`` if it can."""
        if self.stopping.is_set():
            return "stopping"
        if not self.loading.is_set():
            return "loading networks"
        if self.setting.workers and not self.workers.alive:
            return "no worker lives"
        return None

    def gallery(self, name: str) -> Gallery:
        """The pictures that are there of a network."""
        net = self.networks.get(name)
        with self._lock:
            if name not in self._galleries:
                source, cli_args = self.networks.source(name), self.networks.cli_args(name)
                command = CommandLine(source.path, cli_args, "fast")
                self._galleries[name] = Gallery(self.setting.pictures / name, net, command)
            return self._galleries[name]

    def described(self, name: str) -> dict[str, Any]:
        """What a network is, as plain data."""
        net = self.networks.get(name)
        if name not in self._described:  # two threads may do it, with the same result
            self._described[name] = describe_network(net, name, self.examples(name) is not None)
        return self._described[name]

    def examples(self, name: str) -> Examples | None:
        """The examples of a network in ``DATA/examples/NAME``, if there are any of it."""
        from kerasviz.examples.folder import MANIFEST, Examples

        sha256 = self.networks.get(name).identity.sha256  # first: the name may be anything
        folder = self.setting.data / "examples" / name
        if not (folder / MANIFEST).is_file():
            return None
        found = Examples(folder)
        return found if found.network["sha256"] == sha256 else None

    def check_disk(self) -> None:
        """Raise :class:`DiskFullError` where there is no room for more."""
        limit = self.setting.limits.disk_bytes
        if self.used_bytes() >= limit:
            raise DiskFullError(f"the data folder has reached its limit of {limit} bytes")
        if shutil.disk_usage(self.setting.data).free < 64 * 2**20:
            raise DiskFullError("less than 64 MiB are free on the disk of the data folder")

    def used_bytes(self) -> int:
        """The size of the data folder, measured now and then."""
        now = time.monotonic()
        measured, size = self._size
        if now - measured >= FRESH:
            size = sum(_size_of(path) for path in self.setting.data.rglob("*"))
            self._size = now, size
        return size


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:  # it is gone meanwhile
        return 0


def picture_url(network: str, file: str, sha256: str) -> str:
    """Where a picture is; its checksum makes the address one of these bytes only."""
    return f"/pictures/{quote(network)}/{quote(file)}?v={sha256[:12]}"
