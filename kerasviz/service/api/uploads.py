"""The routes of uploads: send model files and follow their checks, send files of directions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from kerasviz.network.input_spec import PRESETS
from kerasviz.service.api.responses import ERRORS, Json
from kerasviz.service.api.state import ServiceState, State
from kerasviz.service.uploads.receiving import TakenError, TooLargeError, UploadBusyError

router = APIRouter(tags=["uploads"], responses=ERRORS)
_RETRY = {"Retry-After": "15"}
#: The body of a file, for the OpenAPI page.
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class UploadState(BaseModel):
    """An upload: ``queued``, ``checking``, then ``ready`` as a network, or ``refused``."""

    id: str
    name: str
    preprocess: str | None
    bytes: int
    sha256: str
    state: Literal["queued", "checking", "ready", "refused"]
    error: str | None
    created: float
    url: str


class UploadRules(BaseModel):
    """Whether and up to how many bytes may be uploaded; ``presets`` are for ``preprocess``."""

    allowed: bool
    bytes: int
    direction_bytes: int
    presets: list[str]


class DirectionArray(BaseModel):
    """An array of ``vectors`` directions of ``width`` channels; ``null`` where it is itself one.

    A direction of a whole layer has the shape [H, W, C].
    """

    key: str
    shape: list[int]
    vectors: int | None
    width: int


class DirectionFileRow(BaseModel):
    """An uploaded file of directions; targets name one as ``LAYER@NAME:KEY[ROW]``.

    A sparse ``autoencoder`` whose configuration was sent has ``latents``, which pass its ``gate``;
    targets name one as ``LAYER@NAME#latent=NUMBER``.
    """

    name: str
    bytes: int
    sha256: str
    arrays: list[DirectionArray]
    autoencoder: bool
    latents: int | None
    gate: str | None


@router.get("/api/uploads")
def rules(state: State) -> UploadRules:
    """Tell whether networks may be uploaded, and up to which size."""
    setting = state.setting
    return UploadRules(
        allowed=setting.allow_upload,
        bytes=setting.limits.upload_bytes,
        direction_bytes=setting.limits.direction_bytes,
        presets=list(PRESETS),
    )


@router.post(
    "/api/networks",
    status_code=202,
    response_model=UploadState,
    responses={409: {"description": "another network has this name"}},
    openapi_extra=_BODY,
)
async def send(
    request: Request,
    state: State,
    name: Annotated[str, Query(max_length=300)],
    preprocess: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """Send the bytes of an ONNX or .keras file; it is served after a check admits it."""
    with _answered(state):
        upload = await state.uploads.receive(name, preprocess, request.stream())
    message = upload.to_json()
    return Json(message, 202, {"Location": message["url"]})


@router.get("/api/uploads/{upload}", response_model=UploadState)
def upload_state(upload: str, state: State) -> Response:
    """Return the state of an upload; the latest 200 are kept."""
    known = state.uploads.find(upload)
    if known is None:
        raise HTTPException(404, f"no upload {upload[:40]!r}")
    return Json(known.to_json(), headers={"Cache-Control": "no-store"})


@router.get("/api/directions", response_model=list[DirectionFileRow])
def direction_files(state: State) -> Response:
    """List the uploaded files of directions."""
    return Json([upload.to_json() for upload in state.directions.list()])


@router.post(
    "/api/directions",
    status_code=201,
    response_model=DirectionFileRow,
    responses={
        200: {"model": DirectionFileRow, "description": "the same file was sent before"},
        409: {"description": "another file has this name"},
    },
    openapi_extra=_BODY,
)
async def send_directions(
    request: Request, state: State, name: Annotated[str, Query(max_length=300)]
) -> Response:
    """Send the bytes of an .npy, .npz or .safetensors file; its directions are for targets then."""
    with _answered(state):
        upload, new = await state.directions.receive(name, request.stream())
    return Json(upload.to_json(), 201 if new else 200)


@router.put(
    "/api/directions/{name}/config",
    response_model=DirectionFileRow,
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}}
    },
)
async def send_config(name: str, request: Request, state: State) -> Response:
    """Send the ``cfg.json`` of a sparse autoencoder, whose latents are for targets then."""
    with _answered(state):
        data = await request.body()
        upload = await run_in_threadpool(state.directions.configure, name, data)
    return Json(upload.to_json())


@router.delete("/api/directions/{name}", status_code=204)
def remove_directions(name: str, state: State) -> Response:
    """Remove a file of directions; pictures and jobs that took some from it stay."""
    with _answered(state):
        if not state.directions.remove(name):
            raise HTTPException(404, f"no file of directions {name[:100]!r}")
    return Response(status_code=204)


@contextmanager
def _answered(state: ServiceState) -> Iterator[None]:
    """Refuse uploads where they are off, and give the refusals of a file their status."""
    if not state.setting.allow_upload:
        raise HTTPException(403, "uploads are off; start the service with --allow-upload")
    try:
        yield
    except TakenError as error:
        raise HTTPException(409, str(error)) from error
    except TooLargeError as error:
        raise HTTPException(413, str(error)) from error
    except UploadBusyError as error:
        raise HTTPException(429, str(error), headers=_RETRY) from error
