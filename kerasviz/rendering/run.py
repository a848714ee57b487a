"""Running: batches are rendered one after the other, and a sink saves their pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

from kerasviz.errors import ModelError
from kerasviz.io.files import digest, make_folder
from kerasviz.network.network import Network
from kerasviz.optvis.environment import environment
from kerasviz.rendering.balance import known_alone, weighed
from kerasviz.rendering.batching import Batch, make_batches
from kerasviz.rendering.checkpoints import CheckpointWriter, LatestCheckpoint
from kerasviz.rendering.held_data import save_held
from kerasviz.rendering.picture import Picture
from kerasviz.rendering.progress import RenderProgress
from kerasviz.rendering.render import render_batches
from kerasviz.rendering.request import Request
from kerasviz.rendering.store import Store, unique_requests


class Sink(Protocol):
    """The place where a run saves pictures."""

    def checkpoint(self, batch: Batch) -> CheckpointWriter | None:
        """Return the checkpoints of a batch, ``None`` where it has none."""

    def add(self, batch: Batch, pictures: Sequence[Picture]) -> None:
        """Save the pictures of a finished batch, and drop its checkpoint."""


@dataclass(frozen=True)
class RunSummary:
    """Count the pictures that a run made and those that the store had before."""

    made: int
    kept: int


def render_into(
    store: Store,
    requests: Sequence[Request],
    progress: Callable[[RenderProgress], None] | None = None,
    failed: dict[Request, str] | None = None,
    missing: Sequence[Batch] | None = None,
) -> RunSummary:
    """Render the requests that a store lacks; every finished batch is saved at once.

    A batch that takes minutes saves checkpoints, from which the next run continues after a crash or
    Ctrl-C.

    Args:
        store: The folder of pictures.
        requests: The pictures that the store is to have afterwards.
        progress: Called after every chunk of steps.
        failed: Takes the reason of each request that the network cannot compute; ``None`` to stop
            at the first.
        missing: The result of :func:`missing_batches` for these requests, if it is known.

    Raises:
        ModelError: If the network cannot compute a batch and ``failed`` is ``None``.
        KerasvizError: For a folder that cannot be written, before anything runs.
    """
    every, requests = requests, unique_requests(store.net, requests)
    batches = missing_batches(store, requests) if missing is None else missing
    make_folder(store.folder)
    for request in requests:
        save_held(store.folder, store.net, request)
    if batches and any(request.balance for request in requests):
        batches = _weighed(store, requests, batches, progress)
    store.remove_requests(r for batch in batches for r in batch.requests)
    try:
        made = run_batches(store.net, batches, _StoreSink(store), progress, failed)
    finally:  # after Ctrl-C too
        store.merge()
    lost = 0 if failed is None else sum(r.rows for r in requests if r in failed)
    if failed:  # requests of one key differ in their texts
        reasons = {request.key(store.net): reason for request, reason in failed.items()}
        keys = {request: request.key(store.net) for request in every}
        failed.update({r: reasons[key] for r, key in keys.items() if key in reasons})
    return RunSummary(made, sum(r.rows for r in requests) - made - lost)


def _weighed(
    store: Store,
    requests: Sequence[Request],
    batches: Sequence[Batch],
    progress: Callable[[RenderProgress], None] | None,
) -> list[Batch]:
    """Return the batches with balanced sums; all ``requests`` decide how terms are batched."""
    found = weighed(store.net, requests, known_alone(store, requests), progress)
    by_key = {request.key(store.net): request for request in found}
    return [
        replace(batch, requests=tuple(by_key[r.key(store.net)] for r in batch.requests))
        for batch in batches
    ]


def missing_batches(store: Store, requests: Iterable[Request]) -> list[Batch]:
    """Return the batches that make the requests that a store does not have complete."""
    batches = make_batches(store.net, unique_requests(store.net, requests))
    reduced = [batch.only(lambda r: not store.complete(r)) for batch in batches]
    return [batch for batch in reduced if batch is not None]


def run_batches(
    net: Network,
    batches: Sequence[Batch],
    sink: Sink,
    progress: Callable[[RenderProgress], None] | None = None,
    failed: dict[Request, str] | None = None,
) -> int:
    """Render batches into a sink, which saves one while the next is rendered.

    Return the number of pictures. See :func:`render_into` for ``failed``.
    """
    made = 0
    saving: Future[None] | None = None
    with ThreadPoolExecutor(1) as writer:
        try:
            for batch, pictures in _rendered(net, batches, sink, progress, failed):
                if saving is not None:
                    saving.result()
                saving = writer.submit(sink.add, batch, pictures)
                made += len(pictures)
        finally:  # after Ctrl-C too
            if saving is not None:
                saving.result()
    return made


def _rendered(
    net: Network,
    batches: Sequence[Batch],
    sink: Sink,
    progress: Callable[[RenderProgress], None] | None,
    failed: dict[Request, str] | None,
) -> Iterator[tuple[Batch, list[Picture]]]:
    """Yield each batch with its pictures, without those that the network cannot compute."""
    total, todo = sum(batch.rows for batch in batches), list(batches)

    def report(r: RenderProgress) -> None:
        if progress is not None:  # after a failure the count continues
            progress(replace(r, done=r.done + total - r.pictures, pictures=total))

    while todo:
        try:
            for pictures in render_batches(net, list(todo), report, sink.checkpoint):
                yield todo.pop(0), pictures
        except ModelError as error:
            if failed is None:
                raise
            failed.update(dict.fromkeys(todo.pop(0).requests, str(error)))


class _StoreSink:
    """Save pictures and checkpoints in the folder of a store."""

    def __init__(self, store: Store):
        self.store = store

    def checkpoint(self, batch: Batch) -> CheckpointWriter:
        """Return the checkpoints of a batch on machines like this one."""
        keys = [request.key(self.store.net) for request in batch.requests]
        name = digest([keys, batch.batch, environment()])
        return CheckpointWriter(LatestCheckpoint(self.store.folder), name)

    def add(self, batch: Batch, pictures: Sequence[Picture]) -> None:
        """Save the pictures of a batch, and drop its checkpoint."""
        for picture in pictures:
            self.store.add(picture)
        self.store.save()
        self.checkpoint(batch).drop()
