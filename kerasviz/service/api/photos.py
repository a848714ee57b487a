"""The route of photos, from which pictures start."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from kerasviz.service.api.responses import ERRORS, IMAGE_BODY, Json
from kerasviz.service.api.state import State

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
