"""The routes of folders of images: send one, search it, and see what was searched."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from kerasviz.errors import UsageError
from kerasviz.service.api.jobs import accepted
from kerasviz.service.api.responses import ERRORS, IMAGE_BODY, Json
from kerasviz.service.api.schemas import ExamplesRequest, JobStatus
from kerasviz.service.api.state import ServiceState, State
from kerasviz.service.jobs.examples import (
    ExamplesWork,
    asked_of_examples,
    classes_in,
    question_of,
    source_of,
)
from kerasviz.service.jobs.jobs import LIVE

#: Jobs that are looked through for those that search.
LOOKED = 200
router = APIRouter(tags=["examples"], responses=ERRORS)


class FolderRow(BaseModel):
    """A folder of images that is being sent: its id, and how many it has."""

    id: str
    images: int


class SearchedImages(BaseModel):
    """The images that were searched for a network: their number, their classes and the layers.

    ``job`` is the id of a search that waits or runs.
    """

    images: int = 0
    classes: list[str] = []
    layers: list[str] = []
    job: str | None = Field(None)


@router.post(
    "/api/folders/{folder}/images",
    status_code=201,
    response_model=FolderRow,
    openapi_extra={"requestBody": IMAGE_BODY},
)
async def send(
    request: Request,
    folder: str,
    state: State,
    name: Annotated[str, Query(max_length=1000, description="Its path, as cat/1.jpg.")] = "image",
) -> Response:
    """Send a PNG or JPEG image of a folder, whose id of 16 hex digits the sender draws."""
    await run_in_threadpool(state.check_disk)
    data = await request.body()
    count = await run_in_threadpool(state.folders.add, folder, name, data)
    return Json({"id": folder, "images": count}, 201)


@router.post(
    "/api/networks/{name}/examples",
    status_code=202,
    response_model=JobStatus,
    responses={200: {"model": JobStatus, "description": "the same request was sent before"}},
)
def ask(name: str, message: ExamplesRequest, http_request: Request, state: State) -> Response:
    """Search a folder for what units respond to: a job as those of pictures, with ``examples``."""
    state.check_disk()
    net = state.networks.get(name)
    folder = state.folders.find(message.folder)
    called = " ".join(message.name.split()) or "photos"
    main = [layer["tap"] for layer in state.described(name)["layers"] if layer["main"]]
    taps = [tap for tap in main if net.taps[tap].channels is not None]
    if not taps:
        raise UsageError(f"{name} has no layer that can be searched for images")
    count = len(source_of(folder, called))
    work = ExamplesWork(message.folder, called, tuple(taps), count, classes_in(net, folder))
    question_of(net, work, folder)  # raises for what cannot be searched
    pictures = [asked_of_examples(net, work)]
    return accepted(state, message, http_request, pictures, name)


@router.get("/api/networks/{name}/examples", response_model=SearchedImages)
def searched(name: str, state: State) -> Response:
    """Return which images were searched for a network, and the search that waits or runs."""
    found: dict[str, Any] = {"images": 0, "classes": [], "layers": []}
    examples = state.examples(name)
    if examples is not None:
        index = examples.index
        listed = state.described(name)["layers"]
        found = {
            "images": int(examples.data["seen"]),
            "classes": [] if index is None else list(index.classes),
            "layers": [layer["name"] for layer in listed if layer["tap"] in examples.taps],
        }
    jobs = [job for job in _searches(state) if job.network == name]
    return Json({**found, "job": jobs[0].id if jobs else None})


def sweep(state: ServiceState) -> None:
    """Remove the folders that no live job searches."""
    state.folders.sweep({job.request["folder"] for job in _searches(state)})


def _searches(state: ServiceState) -> list[Any]:
    """Return the searches that wait or run."""
    live = [job for wanted in LIVE for job in state.jobs.list(wanted, LOOKED)]
    return [job for job in live if "folder" in job.request]
