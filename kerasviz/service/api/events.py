"""Server-sent events of jobs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
from fastapi.sse import ServerSentEvent
from starlette.concurrency import run_in_threadpool

from kerasviz.service.api.responses import job_json
from kerasviz.service.jobs.jobs import ENDED, Jobs, RenderJob

#: Seconds between two looks at the database.
POLL_SECONDS = 0.25
#: The fields of a job in a progress event.
PROGRESS = ("state", "position", "step", "steps", "fraction", "score")


async def job_events(
    job: RenderJob, jobs: Jobs, folder: Path, stopping: threading.Event
) -> AsyncIterator[ServerSentEvent]:
    """Yield the events of a job until it ends or the service stops.

    The ``folder`` is that of its network's pictures.
    """
    current: RenderJob | None = job
    last_progress: Any = None
    known_previews: set[str] = set()
    while current is not None:
        data = job_json(current, folder)
        if current.state in ENDED:
            yield _event(current.state, data)
            return
        progress = {key: data[key] for key in PROGRESS} | {"made": len(data["pictures"])}
        if progress != last_progress:
            last_progress = progress
            yield _event("progress", progress)
        for preview in data["previews"]:
            if preview["url"] not in known_previews:
                known_previews.add(preview["url"])
                yield _event("preview", preview)
        if stopping.is_set():
            return
        await asyncio.sleep(POLL_SECONDS)
        current = await run_in_threadpool(jobs.get, job.id)


def _event(name: str, data: Any) -> ServerSentEvent:
    return ServerSentEvent(event=name, raw_data=orjson.dumps(data).decode())
