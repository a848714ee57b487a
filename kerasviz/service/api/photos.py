"""The routes of photos, from which pictures start or are steered."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from kerasviz.errors import UsageError
from kerasviz.service.api.responses import ERRORS, IMAGE_BODY, PNG, Json
from kerasviz.service.api.state import ServiceState, State
from kerasviz.service.uploads.photo_uploads import PhotoUpload

#: The bytes of a photo never change: its id follows from them.
FOREVER = "private, max-age=31536000, immutable"
router = APIRouter(tags=["photos"], responses=ERRORS)


class PhotoRow(BaseModel):
    """A photo that was sent; jobs name it by its ``id``. Width and height are in pixels."""

    id: str
    name: str
    width: int
    height: int


@router.post(
    "/api/photos",
    status_code=201,
    response_model=PhotoRow,
    openapi_extra={"requestBody": IMAGE_BODY},
)
async def send(
    request: Request, state: State, name: Annotated[str, Query(max_length=300)] = "photo"
) -> Response:
    """Send a PNG or JPEG photo, whose ``id`` a job takes in ``from``; the latest are kept."""
    state.check_disk()
    data = await request.body()
    async with state.activations.slots:
        photo = await run_in_threadpool(state.photos.add, name, data)
    return Json(photo.to_json(), 201)


@router.get("/api/facets", response_model=dict[str, list[str]])
def facets(state: State) -> Response:
    """Return the photos of the facets that the service knows: ids by the name of the facet."""
    return Json(state.facets(), headers={"Cache-Control": "no-store"})


@router.get("/api/photos/{photo}", response_model=PhotoRow)
def one(photo: str, state: State) -> Response:
    """Return a photo that was sent and is still here."""
    return Json(_read(photo, state)[0].to_json(), headers={"Cache-Control": "no-store"})


@router.get("/api/photos/{photo}/thumbnail.png", response_class=Response, responses=PNG)
def thumbnail(photo: str, state: State) -> Response:
    """Return a photo upright, with sides of at most 128 pixels."""
    data = _read(photo, state)[1]
    return Response(data, media_type="image/png", headers={"Cache-Control": FOREVER})


def _read(photo: str, state: ServiceState) -> tuple[PhotoUpload, bytes]:
    try:
        return state.photos.read(photo)
    except UsageError as error:
        raise HTTPException(404, str(error)) from error
