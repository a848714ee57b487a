"""The job of a worker: render a batch, write its pictures, and then the shard that names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import tensorflow as tf

from kerasviz.atlas.definition import Atlas
from kerasviz.atlas.engines import Job
from kerasviz.atlas.leases import LEASE, Leases, Owner
from kerasviz.atlas.shards import Shard, picture_path, shard_path
from kerasviz.atlas.tasks import plan_of, task_name
from kerasviz.errors import ModelError
from kerasviz.io.files import checksum, digest
from kerasviz.io.storage import PATIENCE, Storage, StorageRefusedError
from kerasviz.network.input_spec import InputSpec
from kerasviz.network.network import Network
from kerasviz.optvis.environment import environment
from kerasviz.rendering.batching import Batch
from kerasviz.rendering.checkpoints import EVERY, CheckpointWriter
from kerasviz.rendering.manifest import DerivedFile
from kerasviz.rendering.media.medium import companion_file
from kerasviz.rendering.picture import Picture
from kerasviz.rendering.picture_files import Origin, content_name, entries_of
from kerasviz.rendering.run import run_batches

#: The answer to a task whose pictures were made.
MADE = "made"
#: The answer to a task that was finished before.
THERE = "there"
#: The answer to a task that another run is at.
BUSY = "busy"
#: The answer where the storage is full or forbidden, for any worker.
REFUSED = "refused"


def job_of(
    atlas: Atlas,
    storage: Storage,
    owner: Owner,
    source: str,
    lease: float = LEASE,
) -> Job:
    """Return the job of the workers of a run, which find the model at ``source``."""
    argument = {
        "atlas": atlas.to_json(),
        "source": source,
        "storage": storage.url,
        "patience": storage.patience,
        "owner": asdict(owner),
        "lease": lease,
    }
    return Job("kerasviz.atlas.start_worker:make", argument)


def make(argument: Mapping[str, Any]) -> AtlasWorker:
    """Load the network once, for all tasks of a process.

    Raises :class:`ModelError` where the worker finds another model than that of the atlas.
    """
    atlas = Atlas.from_json(argument["atlas"])
    _set_threads(atlas.threads)
    spec = InputSpec.from_json(dict(atlas.network["input"]))
    net = replace(atlas.source, path=argument["source"], input_spec=spec).load()
    if net.identity.sha256 != atlas.network["sha256"]:
        raise ModelError(
            f"{argument['source']!r} is another model on this machine: its SHA-256 is "
            f"{net.identity.sha256[:12]}…, the atlas is of {atlas.network['sha256'][:12]}…"
        )
    storage = Storage(argument["storage"], argument.get("patience", PATIENCE))
    leases = Leases(storage, Owner(**argument["owner"]), argument["lease"])
    return AtlasWorker(net, dict(atlas.network), storage, leases)


@dataclass(frozen=True)
class AtlasWorker:
    """Renders batches into a storage; called with the payload of a task.

    ``network`` is its provenance for the pictures. A checkpoint is saved after each ``every``
    seconds of a task. The answer has the ``state`` of the task, the ``share`` of it that was done
    now, the ``pictures`` made, their ``bytes``, and with :data:`REFUSED` the ``why``.
    """

    net: Network
    network: dict[str, Any]
    storage: Storage
    leases: Leases
    here: dict[str, str] = field(default_factory=environment)
    every: float = EVERY

    def __call__(self, payload: str) -> dict[str, Any]:
        name = task_name(payload)
        try:
            if self.storage.exists(shard_path(name)):
                return _answer(THERE)
            if not self.leases.take(name):
                return _answer(BUSY)
            try:
                with self.leases.kept(name):
                    return self._make(name, payload)
            finally:
                self.leases.drop(name)
        except StorageRefusedError as error:
            return {**_answer(REFUSED), "why": str(error)}

    def _make(self, name: str, payload: str) -> dict[str, Any]:
        batch, sink = plan_of(self.net, payload, self.storage), _TaskSink(self, name)
        run_batches(self.net, [batch], sink)
        left = batch.recipe.steps - sink.state.resumed
        return _answer(MADE, left / batch.recipe.steps, sink.pictures, sink.bytes)


class _TaskSink:
    """Save the pictures of a task in the storage, and then the shard that names them."""

    def __init__(self, worker: AtlasWorker, name: str):
        self.worker, self.name = worker, name
        files = Storage(worker.storage.url, patience=0.0)  # a checkpoint is not waited for
        self.state = CheckpointWriter(files, f"{name}-{digest(worker.here)}", worker.every)
        self.pictures = self.bytes = 0

    def checkpoint(self, _: Batch) -> CheckpointWriter:
        """Return the checkpoints of the task's only batch."""
        return self.state

    def add(self, _: Batch, pictures: Sequence[Picture]) -> None:
        """Save the pictures, the shard, and drop the checkpoint."""
        shard, storage = Shard(self.name), self.worker.storage
        files = [file for picture in pictures for file in self._files(picture, shard)]
        storage.write_many(files)
        storage.write_new(shard_path(self.name), shard.to_bytes())
        self.state.drop()
        self.pictures = len(shard.entries)
        self.bytes = sum(len(data) for _, data in files)

    def _files(self, picture: Picture, shard: Shard) -> list[tuple[str, bytes]]:
        """Return the files of a picture, and enter them in the shard."""
        worker, request = self.worker, picture.request
        origin = Origin(worker.network, worker.here, request.key(worker.net))
        shard.requests[origin.request(request)] = request.to_json()
        shard.environments[origin.place] = worker.here
        entries = list(entries_of(picture, origin, content_name))
        shard.entries += [entry for entry, _ in entries]
        files = [(picture_path(entry), data) for entry, data in entries]
        for entry, _ in entries:
            if entry.score is None:
                continue
            for suffix, data in picture.companions().items():
                file = DerivedFile(companion_file(entry.file, suffix), checksum(data))
                shard.beside.append(file)
                files.append((picture_path(file), data))
        return files


def _answer(state: str, share: float = 0.0, pictures: int = 0, size: int = 0) -> dict[str, Any]:
    return {"state": state, "share": share, "pictures": pictures, "bytes": size}


def _set_threads(threads: int) -> None:
    """Set the threads of TensorFlow, which the pictures record."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError as error:  # TensorFlow runs already, for something else in this process
        if tf.config.threading.get_intra_op_parallelism_threads() != threads:
            raise ModelError(
                f"TensorFlow runs with other threads than the {threads} that the atlas asks for"
            ) from error
