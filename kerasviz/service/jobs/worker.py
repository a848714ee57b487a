"""A process that renders: it claims batches from the queue, reports, saves, and says when done."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasviz.errors import KerasvizError, first_line
from kerasviz.network.quiet_tensorflow import start_tensorflow
from kerasviz.service.jobs.database import Database
from kerasviz.service.jobs.examples import TEXT, ExamplesWork, search_folder, unfinished
from kerasviz.service.jobs.picture_queue import Claim, Claimed, Queue
from kerasviz.service.jobs.seconds import note_seconds
from kerasviz.service.jobs.trust import STEPS, TrustWork, compare, options_of, photo_folder
from kerasviz.service.networks import Networks
from kerasviz.service.settings import ServiceSettings
from kerasviz.service.uploads.receiving import remove

if TYPE_CHECKING:
    from kerasviz.network.network import Network
    from kerasviz.rendering.batching import Batch
    from kerasviz.rendering.media.medium import Medium
    from kerasviz.rendering.picture import Picture
    from kerasviz.rendering.progress import RenderProgress
    from kerasviz.rendering.request import Request
    from kerasviz.service.jobs.shared_store import SharedStore

log = logging.getLogger("kerasviz.service.jobs.worker")

#: Seconds between two looks at an empty queue; a wake-up comes earlier.
PAUSE = 1.0
#: Seconds between two previews.
PREVIEW_SECONDS = 0.4
#: Previews take at most 1/10 of the time.
PREVIEW_SHARE = 10
#: The niceness of workers: answers to requests go first.
NICE = 5


class _Unwanted(Exception):
    """No job wants the pictures, or another worker has them."""


class _Stopped(Exception):
    """The service stops before the batch is done."""


def preview_path(folder: Path, place: int, row: int) -> Path:
    """Return the file of a preview."""
    return folder / f"{place}-{row}.png"


class RenderWorker:
    """Renders the pictures of the queue until it is stopped."""

    def __init__(self, setting: ServiceSettings, queue: Queue, networks: Networks):
        self.setting, self.queue, self.networks = setting, queue, networks
        self.stopping = threading.Event()
        self.woken = threading.Event()
        self._latest = float("inf")
        self._shelves: dict[str, SharedStore] = {}

    def stop(self) -> None:
        """Claim no other batch, and give up the present one after the grace."""
        self._latest = time.monotonic() + self.setting.grace
        self.stopping.set()
        self.woken.set()

    def prepare(self) -> None:
        """Load the network while nobody waits for it yet, if there is only one."""
        names = self.networks.names()
        if len(names) == 1:
            with contextlib.suppress(KerasvizError):  # the service says so
                self.networks.get(names[0])

    def run(self) -> None:
        """Work until :meth:`stop`."""
        while not self.stopping.is_set():
            self.woken.clear()
            if not self.step():
                self.woken.wait(PAUSE)

    def step(self) -> bool:
        """Claim and render a batch, and return whether there was one."""
        return self._serve(self.queue.claim())

    def _serve(self, claim: Claim | None) -> bool:
        """Render a batch, and return whether there is one."""
        if claim is None:
            return False
        places = [claimed.picture_id for claimed in claim.pictures]
        try:
            self._make(claim)
        except (_Unwanted, _Stopped):
            self.queue.give_back(places)  # which cancels unwanted pictures
        finally:
            self._clear(claim)
        return True

    def _make(self, claim: Claim) -> None:
        from kerasviz.rendering.request import Request
        from kerasviz.service.uploads.direction_uploads import with_files

        if "trust" in claim.pictures[0].data:
            self._compare(claim)
            return
        if TEXT in claim.pictures[0].data:
            self._search(claim)
            return
        try:
            net = self.networks.get(claim.network)
            shelf = self._shelf(claim.network)
        except KerasvizError as error:
            self._fail(claim.pictures, str(error))
            return
        asked: dict[Request, Claimed] = {}
        for claimed in claim.pictures:
            try:
                request = Request.from_json(claimed.text, claimed.data, shelf.folder)
                request = with_files(request, self.setting.directions)
            except KerasvizError as error:  # the photo was removed by hand
                self._fail([claimed], str(error))
                continue
            if request.key(net) == claimed.key:
                asked[request] = claimed
            else:  # the file was replaced after the request
                self._fail([claimed], f"{claim.network} is another network now; ask again")
        found = shelf.found(list(asked))
        self._note_facets(shelf, [asked[request] for request in found])
        for request, made in found.items():
            self.queue.finish(asked.pop(request).picture_id, made)
        if asked:
            began = time.monotonic()
            self._render(net, shelf, asked, claim.batch)
            words = {"network": claim.network, "pictures": len(asked), "batch": claim.batch}
            seconds = round(time.monotonic() - began, 3)
            log.info("rendered", extra={**words, "seconds": seconds})

    def _compare(self, claim: Claim) -> None:
        """Say how far finished pictures can be trusted."""
        from kerasviz.rendering.store import Store

        (claimed,) = claim.pictures
        work = TrustWork.from_json(claimed.data["trust"])
        photos = photo_folder(self.setting.data, claimed.key)
        place = claimed.picture_id

        def report(fraction: float, _: str) -> None:
            self.check([place], last=False)
            self.queue.report([place], round(STEPS * fraction), None, shown=False)

        try:
            net, judge = self.networks.get(claim.network), self._judge(work)
            if work.key(net) != claimed.key:
                raise KerasvizError(f"{claim.network} is another network now; ask again")
            store = Store(self._shelf(claim.network).folder, net)
            found = compare(store, work, options_of(work, judge, photos), report)
            self._shelf(claim.network).note_trust(found["pictures"])
            self.queue.finish(place, [{"row": 0, "trust": found}])
        except _failures() as error:
            self._fail([claimed], first_line(error)[:500])
        remove(photos)

    def _search(self, claim: Claim) -> None:
        """Search a folder of images; other pictures that wait are made in between."""
        (claimed,) = claim.pictures
        work = ExamplesWork.from_json(claimed.data[TEXT])
        place, key = self.setting.examples_of(claim.network), claimed.key
        folder, picture = self.setting.folders / work.folder, claimed.picture_id

        def report(step: int) -> None:
            self.check([picture], last=False)
            self.queue.report([picture], step, None, shown=False)
            if not self.stopping.is_set():
                self._serve(self.queue.claim(without=TEXT))

        try:
            net = self.networks.get(claim.network)
            if work.key(net) != key:
                raise KerasvizError(f"{claim.network} is another network now; ask again")
            found = search_folder(net, work, folder, place, report)
            self.queue.finish(picture, [{"row": 0, TEXT: found}])
        except _failures() as error:
            self._fail([claimed], first_line(error)[:500])
        except _Unwanted:
            remove(unfinished(place, key))
            remove(folder)
            raise
        remove(unfinished(place, key))
        remove(folder)

    def _judge(self, work: TrustWork) -> Network | None:
        if work.judge is None:
            return None
        name, sha256 = work.judge
        judge = self.networks.get(name)
        if judge.identity.sha256 != sha256:
            raise KerasvizError(f"{name} is another network now; ask again")
        return judge

    def _shelf(self, name: str) -> SharedStore:
        from kerasviz.service.jobs.shared_store import SharedStore

        if name not in self._shelves:
            net = self.networks.get(name)
            self._shelves[name] = SharedStore(self.setting.pictures / name, net)
        return self._shelves[name]

    def _render(
        self, net: Any, shelf: SharedStore, asked: dict[Request, Claimed], batch: int
    ) -> None:
        """Render a batch; if it fails, render each picture alone in a batch of the same size."""
        from kerasviz.rendering.balance import weighed
        from kerasviz.rendering.batching import Batch
        from kerasviz.rendering.media.media import medium_of
        from kerasviz.rendering.run import run_batches

        sink, began = _SharedSink(shelf), time.monotonic()
        places = [claimed.picture_id for claimed in asked.values()]
        try:
            requests = weighed(net, list(asked), progress=lambda _: self.check(places, last=False))
            asked = dict(zip(requests, asked.values(), strict=True))
            progress = _Reporting(self, list(asked.items()), medium_of(net))
            run_batches(net, [Batch.of(net, list(asked), batch)], sink, progress)
        except _failures() as error:
            if len(asked) > 1:
                for request, claimed in asked.items():
                    self._render(net, shelf, {request: claimed}, batch)
                return
            line = first_line(error)[:500]
            self._fail(list(asked.values()), line)
            return
        if sink.error:
            self._fail(list(asked.values()), sink.error)
        self._note_facets(shelf, [asked[request] for request in sink.saved])
        checksums = [made["sha256"] for files in sink.saved.values() for made in files]
        share = (time.monotonic() - began) / max(1, len(checksums))
        note_seconds(shelf.folder, checksums, share)
        for request, made in sink.saved.items():
            self.queue.finish(asked[request].picture_id, made)

    def _note_facets(self, shelf: SharedStore, finished: Sequence[Claimed]) -> None:
        """Record what the probes of facets say of finished pictures and others of their jobs."""
        from kerasviz.rendering.request import Request

        beside = self.queue.beside([claimed.picture_id for claimed in finished])
        if not any(_is_steered(claimed.data) for claimed in beside):
            return
        with contextlib.suppress(KerasvizError):  # a full disk, or numbers removed by hand
            shelf.note_facets(
                [Request.from_json(claimed.text, claimed.data, shelf.folder) for claimed in beside]
            )

    def _fail(self, pictures: Sequence[Claimed], error: str) -> None:
        for claimed in pictures:
            self.queue.fail(claimed.picture_id, error)
        log.warning("failed", extra={"pictures": len(pictures), "error": error})

    def _clear(self, claim: Claim) -> None:
        """Remove the previews of a batch."""
        for claimed in claim.pictures:
            for path in self.setting.previews.glob(f"{claimed.picture_id}-*.png"):
                path.unlink(missing_ok=True)

    def check(self, places: Sequence[int], last: bool) -> None:
        """Raise if no job wants the pictures, or if the service stops before the last step."""
        if not self.queue.wanted(places):
            raise _Unwanted
        if not last and time.monotonic() > self._latest:
            raise _Stopped


def _is_steered(data: dict[str, Any]) -> bool:
    return any(term["kind"] == "facet" for term in data.get("objective", ()))


class _SharedSink:
    """Save the pictures of a batch in a shared store, without checkpoints."""

    def __init__(self, shelf: SharedStore):
        self.shelf, self.error = shelf, ""
        self.saved: dict[Request, list[dict[str, Any]]] = {}

    def checkpoint(self, _: Batch) -> None:
        """Return no checkpoints."""

    def add(self, _: Batch, pictures: Sequence[Picture]) -> None:
        """Save the pictures; another batch would not help where the disk is full."""
        try:
            self.saved = self.shelf.add(pictures)
        except KerasvizError as error:
            self.error = str(error)


class _Reporting:
    """Reports the progress of a batch after every chunk of steps."""

    def __init__(
        self, worker: RenderWorker, asked: Sequence[tuple[Request, Claimed]], medium: Medium
    ):
        self.worker, self.asked, self.medium = worker, asked, medium
        self.places = [claimed.picture_id for _, claimed in asked]
        self._next = 0.0

    def __call__(self, progress: RenderProgress) -> None:
        last = progress.step >= progress.steps
        self.worker.check(self.places, last)
        began = time.monotonic()
        shown = not last and began >= self._next and progress.images is not None
        if shown and progress.images is not None:
            self._show(progress.images())
            spent = time.monotonic() - began
            self._next = began + max(PREVIEW_SECONDS, PREVIEW_SHARE * spent)
        self.worker.queue.report(self.places, progress.step, progress.score, shown=shown)

    def _show(self, images: Any) -> None:
        from kerasviz.io.files import write_atomically
        from kerasviz.io.images import encode

        folder, row = self.worker.setting.previews, 0
        for request, claimed in self.asked:
            for k in range(request.rows):
                data = encode(self.medium.pil(images[row]), "png")
                with contextlib.suppress(KerasvizError):  # a full disk is reported at the end
                    write_atomically(preview_path(folder, claimed.picture_id, k), data)
                row += 1


def _failures() -> tuple[type[BaseException], ...]:
    """Return the exceptions of a batch that cannot be computed."""
    import tensorflow as tf

    return KerasvizError, tf.errors.OpError, ValueError, MemoryError


def main(setting: ServiceSettings, worker_id: str, orders: Connection) -> None:
    """Run the worker process until the parent stops it or ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the parent decides when to stop
    with contextlib.suppress(OSError):
        os.nice(NICE)
    from kerasviz.service.jobs.locks import shared_lock
    from kerasviz.service.logs import write_logs

    write_logs(quiet=setting.quiet, worker=worker_id)
    with shared_lock(setting.data):
        queue = Queue(Database(setting.database, durable=False), worker_id)
        worker = RenderWorker(setting, queue, Networks(setting))
        threading.Thread(target=_listen, args=(orders, worker), daemon=True).start()
        start_tensorflow()
        orders.send("ready")
        worker.prepare()
        worker.run()
        logging.shutdown()
        os._exit(0)  # everything is saved, and TensorFlow takes seconds to end


def _listen(orders: Connection, worker: RenderWorker) -> None:
    """Follow the parent's orders, and end with the parent."""
    while True:
        try:
            order = orders.recv()
        except (EOFError, OSError):
            os._exit(1)  # the next start queues the claimed pictures again
        if order == "stop":
            worker.stop()
        else:
            worker.woken.set()
