"""What the routes of a service share."""

from __future__ import annotations

import shlex
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request

from kerasviz.errors import KerasvizError
from kerasviz.io.files import stamp
from kerasviz.rendering.commands import SEARCHED, CommandLine
from kerasviz.rendering.facets import FacetFolders
from kerasviz.service.activations import ImageActivations
from kerasviz.service.description import describe_network
from kerasviz.service.gallery import Gallery
from kerasviz.service.jobs.database import Database
from kerasviz.service.jobs.jobs import DiskFullError, Jobs
from kerasviz.service.jobs.workers import Workers
from kerasviz.service.middleware.login_throttle import LoginThrottle
from kerasviz.service.networks import Networks
from kerasviz.service.notes import Notes
from kerasviz.service.photo_explanations import PhotoExplanations
from kerasviz.service.settings import ServiceSettings
from kerasviz.service.tf_serving.predict import Predictor
from kerasviz.service.unit_connections import UnitConnections
from kerasviz.service.unit_neighbours import UnitNeighbours
from kerasviz.service.uploads.direction_uploads import DirectionUploads
from kerasviz.service.uploads.image_folders import ImageFolders
from kerasviz.service.uploads.photo_uploads import PhotoUploads
from kerasviz.service.uploads.receiving import folder_bytes
from kerasviz.service.uploads.uploads import Uploads

if TYPE_CHECKING:
    from kerasviz.examples.folder import Examples

#: Rows of a batch on a GPU where ``ServiceSettings.batch`` is not given.
BATCH_ON_GPU = 8
#: Rows of a batch elsewhere.
BATCH_ON_CPU = 2
#: Seconds for which the size of the data folder is remembered.
FRESH_SECONDS = 5.0
#: Bytes that must be free on the disk.
FREE_BYTES = 64 * 2**20


@dataclass
class ServiceState:
    """The parts of a running service; routes get it as :data:`State`."""

    setting: ServiceSettings
    networks: Networks
    database: Database
    jobs: Jobs
    workers: Workers
    predictor: Predictor
    uploads: Uploads
    directions: DirectionUploads
    photos: PhotoUploads
    activations: ImageActivations
    connections: UnitConnections
    neighbours: UnitNeighbours
    explanations: PhotoExplanations
    notes: Notes
    folders: ImageFolders
    #: When the service was started, in nanoseconds as files have them.
    started: int = field(default_factory=time.time_ns)
    stopping: threading.Event = field(default_factory=threading.Event)
    throttle: LoginThrottle = field(default_factory=LoginThrottle)
    loading: threading.Event = field(default_factory=threading.Event)
    failure: KerasvizError | None = None
    #: One request at a time reads many photos.
    reading: threading.Lock = field(default_factory=threading.Lock)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _galleries: dict[str, Gallery] = field(default_factory=dict)
    _facets: dict[str, list[str]] = field(default_factory=dict)
    _described: dict[str, dict[str, Any]] = field(default_factory=dict)
    _examples: dict[Path, tuple[Any, Examples]] = field(default_factory=dict)
    _size: tuple[float, int] = (-FRESH_SECONDS, 0)
    _batch: int | None = None

    @classmethod
    def of(cls, setting: ServiceSettings) -> ServiceState:
        """Prepare the data folder and the parts of a service; nothing is loaded yet."""
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
        networks = Networks(setting)
        workers, predictor = Workers(setting, database), Predictor(setting, networks)
        uploads, activations = Uploads(setting, networks.names), ImageActivations(networks)
        return cls(
            setting,
            networks,
            database,
            jobs,
            workers,
            predictor,
            uploads,
            DirectionUploads(setting),
            PhotoUploads(setting),
            activations,
            UnitConnections(networks),
            UnitNeighbours(networks),
            PhotoExplanations(networks),
            Notes(setting.notes),
            ImageFolders(setting),
        )

    @property
    def batch(self) -> int:
        """The batch size of new requests: the setting's, or one that suits the machine."""
        if self.setting.batch is not None:
            return self.setting.batch
        if self._batch is None:
            import tensorflow as tf

            self._batch = BATCH_ON_GPU if tf.config.list_physical_devices("GPU") else BATCH_ON_CPU
        return self._batch

    @property
    def ready(self) -> str | None:
        """Why the service cannot do all of its work now; ``None`` if it can."""
        if self.stopping.is_set():
            return "stopping"
        if not self.loading.is_set():
            return "loading networks"
        if self.setting.workers and not self.workers.alive:
            return "no worker lives"
        return None

    def gallery(self, name: str) -> Gallery:
        """Return the finished pictures of a network."""
        net = self.networks.get(name)
        with self._lock:
            if name not in self._galleries:
                source, cli_args = self.networks.source(name), self.networks.cli_args(name)
                command = CommandLine(source.path, cli_args, "fast")
                self._galleries[name] = Gallery(self.setting.pictures / name, net, command)
            return self._galleries[name]

    def described(self, name: str) -> dict[str, Any]:
        """Describe a network as plain data."""
        net = self.networks.get(name)
        if name not in self._described:  # two threads get the same result
            about = describe_network(net, name, filling=self.setting.filling)
            self._described[name] = {**about, "commands": self._commands(name)}
        return {**self._described[name], "examples": self.examples(name) is not None}

    def _commands(self, name: str) -> dict[str, str]:
        """Return the commands that make data for the page; what is in capitals is to fill in.

        Those for networks that take photos open them again; examples in recordings and texts are
        on a page of their own.
        """
        path, args = self.networks.source(name).path, self.networks.cli_args(name)
        medium = self.networks.get(name).medium
        if medium not in SEARCHED:
            return {}
        make = ["kerasviz", "examples", path, "LAYER", "--images", SEARCHED[medium], *args]
        if medium != "image":
            return {"examples": shlex.join(make)}
        found = f"out/{self.networks.get(name).name}-examples"
        again = ["kerasviz", "open", path, *args, *self.setting.folder_args]
        return {
            "examples": f"{shlex.join(make)} && {shlex.join([*again, '--examples', found])}",
            "facets": shlex.join([*again, "--facets", "FACETS"]),
        }

    def facets(self) -> dict[str, list[str]]:
        """Return the ids of the photos of each facet in the folder of the setting, by its name."""
        folder = self.setting.facets
        if folder is None:
            return {}
        with self._lock:
            photos = [photo for ids in self._facets.values() for photo in ids]
            if not photos or not all((self.photos.folder / photo).is_dir() for photo in photos):
                files = FacetFolders.of(folder).photos.items()
                self._facets = {
                    name: [self.photos.add(path.name, path.read_bytes()).id for path in paths]
                    for name, paths in files
                }
            return self._facets

    def examples(self, name: str) -> Examples | None:
        """Return the dataset examples of a network, if there are any that belong to it.

        They are in the folder of the setting, or in ``DATA/examples/NAME``, where a page puts them.
        """
        from kerasviz.examples.folder import MANIFEST, Examples

        sha256 = self.networks.get(name).identity.sha256  # first, because it checks the name
        own, given = self.setting.examples_of(name), self.setting.examples
        now = stamp(own / MANIFEST)  # what was made since the start counts more than what was given
        fresh = now is not None and now[1] >= self.started
        for folder in (own, given) if fresh else (given, own):
            if folder is None or not (folder / MANIFEST).is_file():
                continue
            now = stamp(folder / MANIFEST)
            before, examples = self._examples.get(folder, (None, None))
            if examples is None or before != now:
                examples = Examples(folder)
                self._examples[folder] = now, examples
            if examples.network["sha256"] == sha256:
                return examples
        return None

    def check_disk(self) -> None:
        """Raise :class:`DiskFullError` if no more may be written."""
        limit = self.setting.limits.disk_bytes
        if self.used_bytes() >= limit:
            raise DiskFullError(f"the data folder has reached its limit of {limit} bytes")
        if shutil.disk_usage(self.setting.data).free < FREE_BYTES:
            raise DiskFullError("less than 64 MiB are free on the disk of the data folder")

    def used_bytes(self) -> int:
        """Return the size of the data folder, measured every few seconds."""
        now = time.monotonic()
        measured, size = self._size
        if now - measured >= FRESH_SECONDS:
            size = folder_bytes(self.setting.data)
            self._size = now, size
        return size


async def _service_state(request: Request) -> ServiceState:
    state: ServiceState = request.app.state.service
    return state


#: The parameter of a route that needs the service.
State = Annotated[ServiceState, Depends(_service_state)]
