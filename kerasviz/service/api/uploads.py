"""The routes of uploads: send a model file and follow its check."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from kerasviz.network.input_spec import PRESETS
from kerasviz.service.api.responses import ERRORS, Json
from kerasviz.service.api.state import State
from kerasviz.service.uploads.uploads import TakenError, TooLargeError, UploadBusyError

router = APIRouter(tags=["uploads"], responses=ERRORS)
_RETRY = {"Retry-After": "15"}


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
    presets: list[str]


@router.get("/api/uploads")
def rules(state: State) -> UploadRules:
    """Tell whether networks may be uploaded, and up to which size."""
    setting = state.setting
    return UploadRules(
        allowed=setting.allow_upload, bytes=setting.limits.upload_bytes, presets=list(PRESETS)
    )


@router.post(
    "/api/networks",
    status_code=202,
    response_model=UploadState,
    responses={409: {"description": "another network has this name"}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def send(
    request: Request,
    state: State,
    name: Annotated[str, Query(max_length=300)],
    preprocess: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """Send the bytes of an ONNX or .keras file; it is served after a check admits it."""
    if not state.setting.allow_upload:
        raise HTTPException(403, "uploads are off; start the service with --allow-upload")
    try:
        upload = await state.uploads.receive(name, preprocess, request.stream())
    except TakenError as error:
        raise HTTPException(409, str(error)) from error
    except TooLargeError as error:
        raise HTTPException(413, str(error)) from error
    except UploadBusyError as error:
        raise HTTPException(429, str(error), headers=_RETRY) from error
    message = upload.to_json()
    return Json(message, 202, {"Location": message["url"]})


@router.get("/api/uploads/{upload}", response_model=UploadState)
def upload_state(upload: str, state: State) -> Response:
    """Return the state of an upload; the latest 200 are kept."""
    known = state.uploads.find(upload)
    if known is None:
        raise HTTPException(404, f"no upload {upload[:40]!r}")
    return Json(known.to_json(), headers={"Cache-Control": "no-store"})
