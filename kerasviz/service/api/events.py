"""Server-sent events of jobs: one thread looks at the database for all who listen."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson

from kerasviz.service.api.responses import job_json
from kerasviz.service.jobs.jobs import ENDED, Jobs, RenderJob

__all__ = ["Watch", "event"]

#: Seconds between two looks at the database, and between two signs of life.
LOOK, HEARTBEAT = 0.15, 10.0
#: What an event of progress says of a job.
PROGRESS = ("state", "position", "step", "steps", "fraction", "score")


def event(name: str, data: Any) -> bytes:
    """An event as it is sent.

    >>> event("progress", {"step": 1})
    b'event: progress\\ndata: {"step":1}\\n\\n'
    """
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"


class Watch:
    """Tells listeners about jobs as they change."""

    def __init__(self, jobs: Jobs, stopping: threading.Event):
        self.jobs, self.stopping = jobs, stopping
        self._listeners: dict[str, set[asyncio.Queue[RenderJob | None]]] = {}
        # The number of changes is that of a connection, and so of a thread.
        self._thread = ThreadPoolExecutor(1, "events")
        self._version = -1

    @property
    def listening(self) -> int:
        """How many listen."""
        return sum(map(len, self._listeners.values()))

    async def run(self) -> None:
        """Look again and again; ends when the task is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK)
            if self.stopping.is_set():
                for queue in [q for queues in self._listeners.values() for q in queues]:
                    _put(queue, None)
            names = list(self._listeners)
            if not names:
                continue
            for job in await loop.run_in_executor(self._thread, self._changed, names):
                for queue in self._listeners.get(job.id, ()):
                    _put(queue, job)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    def _changed(self, names: list[str]) -> list[RenderJob]:
        version = self.jobs.version()
        if version == self._version:
            return []
        self._version = version
        found = [self.jobs.get(name) for name in names]
        return [job for job in found if job is not None]

    async def stream(self, name: str) -> AsyncIterator[bytes] | None:
        """The events of a job until it ends, ``None`` if there is no such job."""
        if await self._get(name) is None:
            return None
        return self._events(name)

    async def _get(self, name: str) -> RenderJob | None:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self.jobs.get, name)

    async def _events(self, name: str) -> AsyncIterator[bytes]:
        told: Any = None
        shown: set[str] = set()
        spoke = time.monotonic()
        queue: asyncio.Queue[RenderJob | None] = asyncio.Queue(1)
        self._listeners.setdefault(name, set()).add(queue)
        try:
            job = await self._get(name)
            while job is not None:
                data = job_json(job)
                if job.state in ENDED:
                    yield event(job.state, data)
                    return
                progress = {key: data[key] for key in PROGRESS}
                if progress != told:
                    told, spoke = progress, time.monotonic()
                    yield event("progress", progress)
                for preview in data["previews"]:
                    if preview["url"] not in shown:
                        shown.add(preview["url"])
                        yield event("preview", preview)
                with contextlib.suppress(TimeoutError):
                    job = await asyncio.wait_for(queue.get(), HEARTBEAT)
                if time.monotonic() - spoke >= HEARTBEAT:
                    spoke = time.monotonic()
                    yield b": still here\n\n"
        finally:
            self._listeners[name].discard(queue)
            if not self._listeners[name]:
                del self._listeners[name]


def _put(queue: asyncio.Queue[RenderJob | None], job: RenderJob | None) -> None:
    """Give a listener the newest state; one that is slow misses those between."""
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(job)
