"""The routes of jobs: ask for pictures, see how far they are, cancel, take the results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from starlette.exceptions import HTTPException

from kerasviz.io.images import decode
from kerasviz.service.api.events import Watch
from kerasviz.service.api.responses import ERRORS, PNG, Json, job_json
from kerasviz.service.api.schemas import JobStatus, RenderRequest
from kerasviz.service.api.state import ServiceState
from kerasviz.service.jobs.jobs import JobPicture
from kerasviz.service.jobs.jobs import RenderJob as JobRow
from kerasviz.service.jobs.requests import RenderOptions, asked_of, job_name, requests_of
from kerasviz.service.jobs.worker import preview_path

__all__ = ["client_of", "renders_router"]

#: A client may name itself, so that several behind one address are served in turn.
CLIENT = "X-Client"
JobState = Literal["accepted", "running", "done", "failed", "cancelled"]


def client_of(request: Request) -> str:
    """Who asks: the address, with the name that the client gives itself, if any."""
    address = request.client.host if request.client else "?"
    name = request.headers.get(CLIENT, "")[:64]
    return f"{address} {name}".strip()


def renders_router(state: ServiceState, watch: Watch) -> APIRouter:
    """The routes below ``/api/renders``."""
    router = APIRouter(prefix="/api/renders", tags=["renders"], responses=ERRORS)

    def found(job: str) -> JobRow:
        row = state.jobs.get(job)
        if row is None:
            raise _no_job(job)
        return row

    @router.post(
        "",
        status_code=202,
        response_model=JobStatus,
        responses={200: {"model": JobStatus, "description": "it was asked for before"}},
    )
    def ask(wanted: RenderRequest, request: Request) -> Response:
        """Ask for pictures: a job, or the one of the same request that is there already."""
        state.check_disk()
        net = state.networks.get(wanted.network)
        size = wanted.size
        pair = (size, size) if isinstance(size, int) else (size[0], size[1]) if size else None
        words = RenderOptions(
            tuple(wanted.targets), wanted.kind, wanted.recipe, pair, wanted.steps, wanted.seed
        )
        asked = [
            asked_of(net, r) for r in requests_of(net, words, state.setting.limits, state.batch)
        ]
        name = job_name(wanted.network, asked)
        folder = state.setting.pictures / wanted.network
        new = state.jobs.accept(
            name,
            wanted.network,
            client_of(request),
            wanted.model_dump(exclude_none=True),
            asked,
            there=lambda made: (folder / made["file"]).is_file(),
        )
        if new:
            state.workers.wake()
        job = found(name)
        status = 202 if new or job.state in ("accepted", "running") else 200
        return Json(job_json(job), status, {"Location": f"/api/renders/{name}"})

    @router.get("", response_model=list[JobStatus])
    def jobs(
        job_state: Annotated[JobState | None, Query(alias="state")] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Response:
        """The last jobs, newest first."""
        return Json([job_json(job) for job in state.jobs.list(job_state, limit)])

    @router.get("/{job}", response_model=JobStatus)
    def one(job: str) -> Response:
        """A job as it is now."""
        return Json(job_json(found(job)), headers={"Cache-Control": "no-store"})

    @router.delete("/{job}", status_code=202, response_model=JobStatus)
    def cancel(job: str) -> Response:
        """Cancel a job; one that has ended stays as it is."""
        found(job)
        if state.jobs.cancel(job):
            state.workers.wake()
        return Json(job_json(found(job)), 202)

    @router.get(
        "/{job}/events",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}}},
    )
    async def events(job: str) -> Response:
        """Server-sent events: progress, preview, and at the end done, failed or cancelled."""
        stream = await watch.stream(job)
        if stream is None:
            raise _no_job(job)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    @router.get("/{job}/pictures/{row}.png", response_class=FileResponse, responses=PNG)
    def picture(job: str, row: int) -> Response:
        """A finished picture."""
        path, sha256 = _finished(state, found(job), row)
        headers = {"ETag": f'"{sha256}"', "Cache-Control": "no-cache"}
        return FileResponse(path, media_type="image/png", headers=headers)

    @router.get("/{job}/pictures/{row}/provenance")
    def provenance(job: str, row: int) -> dict[str, Any]:
        """All that is needed to make a finished picture again."""
        path, _ = _finished(state, found(job), row)
        _, about = decode(path.read_bytes())
        return about or {}

    @router.get("/{job}/previews/{row}.png", response_class=FileResponse, responses=PNG)
    def preview(job: str, row: int) -> Response:
        """A picture as it is while it is made; as it became where that is over."""
        wanted, k = _row(found(job), row)
        path = preview_path(state.setting.previews, wanted.picture_id, k)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            if not _row(found(job), row)[0].made:
                raise HTTPException(404, f"row {row} is not being made now") from None
            data = _finished(state, found(job), row)[0].read_bytes()
        return Response(data, media_type="image/png", headers={"Cache-Control": "no-store"})

    return router


def _no_job(name: str) -> HTTPException:
    line = f"no job {name[:40]!r}; if it ended long ago, ask again: its pictures are kept"
    return HTTPException(404, line)


def _row(job: JobRow, row: int) -> tuple[JobPicture, int]:
    """The picture of a row of a job, and which of its own rows it is."""
    k = row
    for wanted in job.pictures:
        if 0 <= k < wanted.rows:
            return wanted, k
        k -= wanted.rows
    raise HTTPException(404, f"the job has no row {row}")


def _finished(state: ServiceState, job: JobRow, row: int) -> tuple[Path, str]:
    wanted, k = _row(job, row)
    for made in wanted.made:
        path = state.setting.pictures / job.network / made["file"]
        if made["row"] == k and path.is_file():
            return path, made["sha256"]
    raise HTTPException(404, f"row {row} is not finished")
