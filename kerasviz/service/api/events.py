"""Server-sent events of jobs: one thread polls the database for all listeners."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
from fastapi.sse import ServerSentEvent

from kerasviz.service.api.responses import job_json
from kerasviz.service.jobs.jobs import ENDED, Jobs, RenderJob

__all__ = ["Watch"]

#: Seconds between two looks at the database.
POLL_SECONDS = 0.15
#: The fields of a job in a progress event.
PROGRESS = ("state", "position", "step", "steps", "fraction", "score")


class Watch:
    """Tells listeners about jobs as they change."""

    def __init__(self, jobs: Jobs, stopping: threading.Event):
        self.jobs, self.stopping = jobs, stopping
        self._listeners: dict[str, set[asyncio.Queue[RenderJob | None]]] = {}
        # SQLite counts changes by connection, and a connection belongs to a thread.
        self._thread = ThreadPoolExecutor(1, "events")
        self._version = -1

    async def run(self) -> None:
        """Poll the database until the task is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if self.stopping.is_set():
                for queue in [q for queues in self._listeners.values() for q in queues]:
                    _put(queue, None)
            ids = list(self._listeners)
            if not ids:
                continue
            for job in await loop.run_in_executor(self._thread, self._changed, ids):
                for queue in self._listeners.get(job.id, ()):
                    _put(queue, job)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    def _changed(self, ids: list[str]) -> list[RenderJob]:
        version = self.jobs.version()
        if version == self._version:
            return []
        self._version = version
        jobs = [self.jobs.get(job_id) for job_id in ids]
        return [job for job in jobs if job is not None]

    async def events(self, job_id: str) -> AsyncIterator[ServerSentEvent]:
        """Yield the events of a job until it ends."""
        last_progress: Any = None
        known_previews: set[str] = set()
        queue: asyncio.Queue[RenderJob | None] = asyncio.Queue(1)
        self._listeners.setdefault(job_id, set()).add(queue)
        try:
            loop = asyncio.get_running_loop()
            job = await loop.run_in_executor(self._thread, self.jobs.get, job_id)
            while job is not None:
                data = job_json(job)
                if job.state in ENDED:
                    yield _event(job.state, data)
                    return
                progress = {key: data[key] for key in PROGRESS}
                if progress != last_progress:
                    last_progress = progress
                    yield _event("progress", progress)
                for preview in data["previews"]:
                    if preview["url"] not in known_previews:
                        known_previews.add(preview["url"])
                        yield _event("preview", preview)
                job = await queue.get()
        finally:
            self._listeners[job_id].discard(queue)
            if not self._listeners[job_id]:
                del self._listeners[job_id]


def _event(name: str, data: Any) -> ServerSentEvent:
    return ServerSentEvent(event=name, raw_data=orjson.dumps(data).decode())


def _put(queue: asyncio.Queue[RenderJob | None], job: RenderJob | None) -> None:
    """Give a listener the newest state; a slow listener misses those between."""
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(job)
