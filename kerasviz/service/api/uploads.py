"""The routes of uploads: send a model file, and see what became of it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from kerasviz.network.input_spec import PRESETS
from kerasviz.service.api.responses import ERRORS, Json
from kerasviz.service.uploads.uploads import BusyError, TakenError, TooLargeError, Uploads

__all__ = ["upload_router"]

_RETRY = {"Retry-After": "15"}
_KINDS = ("application/octet-stream",)


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
    """What may be uploaded: files of so many bytes at most; ``presets`` are for ``preprocess``."""

    allowed: bool
    bytes: int
    presets: list[str]


def upload_router(uploads: Uploads, allowed: bool) -> APIRouter:
    """The routes ``POST /api/networks``, ``GET /api/uploads`` and ``GET /api/uploads/ID``."""
    router = APIRouter(tags=["uploads"], responses=ERRORS)

    @router.get("/api/uploads")
    def rules() -> UploadRules:
        """Whether networks may be uploaded, and of which size."""
        most = uploads.setting.limits.upload_bytes
        return UploadRules(allowed=allowed, bytes=most, presets=list(PRESETS))

    @router.post(
        "/api/networks",
        status_code=202,
        response_model=UploadState,
        responses={409: {"description": "another network has that name"}},
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    kind: {"schema": {"type": "string", "format": "binary"}} for kind in _KINDS
                },
            }
        },
    )
    async def send(
        request: Request,
        name: Annotated[str, Query(max_length=300)],
        preprocess: Annotated[str | None, Query(max_length=100)] = None,
    ) -> Response:
        """Send the bytes of an ONNX or .keras file; it is served once a check let it in."""
        if not allowed:
            raise HTTPException(403, "uploads are off; start the service with --allow-upload")
        try:
            upload = await uploads.receive(name, preprocess, request.stream())
        except TakenError as error:
            raise HTTPException(409, str(error)) from error
        except TooLargeError as error:
            raise HTTPException(413, str(error)) from error
        except BusyError as error:
            raise HTTPException(429, str(error), headers=_RETRY) from error
        found = upload.to_json()
        return Json(found, 202, {"Location": found["url"]})

    @router.get("/api/uploads/{upload}", response_model=UploadState)
    def state(upload: str) -> Response:
        """What became of an upload; the latest 200 are known."""
        found = uploads.find(upload)
        if found is None:
            raise HTTPException(404, f"no upload {upload[:40]!r}")
        return Json(found.to_json(), headers={"Cache-Control": "no-store"})

    return router
