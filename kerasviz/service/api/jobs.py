"""The routes of jobs: request pictures, follow their progress, cancel, take the results."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from kerasviz.io.files import make_folder
from kerasviz.io.images import decode
from kerasviz.rendering.facets import FacetFolders
from kerasviz.rendering.held_data import save_held
from kerasviz.service.api.events import job_events
from kerasviz.service.api.responses import ERRORS, PNG, Json, job_json, without_folders
from kerasviz.service.api.schemas import JobStatus, RenderRequest
from kerasviz.service.api.state import ServiceState, State
from kerasviz.service.jobs.jobs import JobPicture, PictureRequest, RenderJob
from kerasviz.service.jobs.requests import RenderOptions, asked_of, job_name, requests_of
from kerasviz.service.jobs.trust import photo_folder
from kerasviz.service.jobs.worker import preview_path
from kerasviz.service.uploads.receiving import remove

router = APIRouter(prefix="/api/renders", tags=["renders"], responses=ERRORS)

#: The header by which several clients behind one address are served in turn.
CLIENT_HEADER = "X-Client"
#: The errors of events are JSON; FastAPI would document them as events.
EVENT_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": error["description"],
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for status, error in ERRORS.items()
}
JobState = Literal["accepted", "running", "done", "failed", "cancelled"]


def client_of(request: Request) -> str:
    """Return the address of a client and the name that it gives itself."""
    address = request.client.host if request.client else "?"
    name = request.headers.get(CLIENT_HEADER, "")[:64]
    return f"{address} {name}".strip()


def _existing_job(job: str, state: State) -> RenderJob:
    row = state.jobs.get(job)
    if row is None:
        line = f"no job {job[:40]!r}; if it ended long ago, ask again: its pictures are kept"
        raise HTTPException(404, line)
    return row


def _folder(state: ServiceState, job: RenderJob) -> Path:
    return state.setting.pictures / job.network


def _status(state: ServiceState, job: RenderJob) -> dict[str, Any]:
    return job_json(job, _folder(state, job))


Job = Annotated[RenderJob, Depends(_existing_job)]


@router.post(
    "",
    status_code=202,
    response_model=JobStatus,
    responses={200: {"model": JobStatus, "description": "the same request was sent before"}},
)
def ask(message: RenderRequest, http_request: Request, state: State) -> Response:
    """Request pictures: a new job, or the existing one of the same request."""
    state.check_disk()
    net = state.networks.get(message.network)
    options = _options(message, state)
    busy = state.reading if options.reads_photos else nullcontext()
    with busy, without_folders(state.setting):
        requests = requests_of(
            net, options, state.setting.limits, state.batch, state.directions.find
        )
    pictures = [asked_of(net, request) for request in requests]
    folder = state.setting.pictures / message.network
    for request in requests:  # workers find the photos beside the pictures
        save_held(make_folder(folder), net, replace(request, data=()))
    return accepted(state, message, http_request, pictures, message.network)


def accepted(
    state: ServiceState,
    message: BaseModel,
    http_request: Request,
    pictures: Sequence[PictureRequest],
    network: str,
) -> Response:
    """Accept a job of what a message asks of a network, and answer with its state."""
    name = job_name(network, pictures)
    folder = state.setting.pictures / network
    new = state.jobs.accept(
        name,
        network,
        client_of(http_request),
        message.model_dump(exclude_none=True),
        pictures,
        exists=lambda made: "file" not in made or (folder / made["file"]).is_file(),
    )
    if new:
        state.workers.wake()
    job = _existing_job(name, state)
    status = 202 if new or job.state in ("accepted", "running") else 200
    return Json(_status(state, job), status, {"Location": f"/api/renders/{name}"})


def _options(message: RenderRequest, state: ServiceState) -> RenderOptions:
    size, facets = message.size, message.facets
    pair = (size, size) if isinstance(size, int) else (size[0], size[1]) if size else None
    return RenderOptions(
        tuple(message.targets),
        message.kind,
        message.recipe,
        pair,
        message.steps,
        message.seed,
        message.balance,
        message.param,
        message.alpha,
        state.photos.found(message.from_),
        None if message.style is None else state.photos.find(message.style),
        state.photos.found(message.spectrum),
        None
        if facets is None
        else FacetFolders({name: state.photos.found(ids) for name, ids in facets.items()}),
        message.facet_weight,
        tuple(sorted(set(message.snapshots))),
        tuple(message.loop_layers),
    )


@router.get("", response_model=list[JobStatus])
def jobs(
    state: State,
    job_state: Annotated[JobState | None, Query(alias="state")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Response:
    """List the last jobs, newest first."""
    return Json([_status(state, job) for job in state.jobs.list(job_state, limit)])


@router.get("/{job}", response_model=JobStatus)
def one(job: Job, state: State) -> Response:
    """Return the present state of a job."""
    return Json(_status(state, job), headers={"Cache-Control": "no-store"})


@router.delete("/{job}", status_code=202, response_model=JobStatus)
def cancel(job: Job, state: State) -> Response:
    """Cancel a job; a job that has ended stays as it is."""
    if state.jobs.cancel(job.id):
        state.workers.wake()
        for picture in job.pictures:
            remove(photo_folder(state.setting.data, picture.key))
    return Json(_status(state, _existing_job(job.id, state)), 202)


@router.get("/{job}/events", response_class=EventSourceResponse, responses=EVENT_ERRORS)
async def events(job: Job, state: State) -> AsyncIterator[ServerSentEvent]:
    """Send events: progress, preview, and at the end done, failed or cancelled."""
    async for event in job_events(job, state.jobs, _folder(state, job), state.stopping):
        yield event


@router.get("/{job}/pictures/{row}.png", response_class=FileResponse, responses=PNG)
def picture(job: Job, row: int, state: State) -> Response:
    """Return a finished picture."""
    path, sha256 = _finished(state, job, row)
    headers = {"ETag": f'"{sha256}"', "Cache-Control": "no-cache"}
    return FileResponse(path, media_type="image/png", headers=headers)


@router.get("/{job}/pictures/{row}/provenance")
def provenance(job: Job, row: int, state: State) -> dict[str, Any]:
    """Return all that is needed to reproduce a finished picture."""
    path, _ = _finished(state, job, row)
    _, about = decode(path.read_bytes())
    return about or {}


@router.get("/{job}/previews/{row}.png", response_class=FileResponse, responses=PNG)
def preview(job: Job, row: int, state: State) -> Response:
    """Return the latest preview of a picture, or the finished picture."""
    wanted, k = _row(job, row)
    path = preview_path(state.setting.previews, wanted.picture_id, k)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        job = _existing_job(job.id, state)  # it may have been finished just now
        if not _row(job, row)[0].made:
            raise HTTPException(404, f"row {row} is not being made now") from None
        data = _finished(state, job, row)[0].read_bytes()
    return Response(data, media_type="image/png", headers={"Cache-Control": "no-store"})


def _row(job: RenderJob, row: int) -> tuple[JobPicture, int]:
    """Return the picture that holds a row of a job, and the number of the row in it."""
    k = row
    for picture in job.pictures:
        if 0 <= k < picture.rows:
            return picture, k
        k -= picture.rows
    raise HTTPException(404, f"the job has no row {row}")


def _finished(state: ServiceState, job: RenderJob, row: int) -> tuple[Path, str]:
    wanted, k = _row(job, row)
    for made in wanted.made:
        if "file" not in made:  # numbers of trust
            continue
        path = state.setting.pictures / job.network / made["file"]
        if made["row"] == k and path.is_file():
            return path, made["sha256"]
    raise HTTPException(404, f"row {row} is not finished")
