"""The routes of TensorFlow Serving's REST protocol."""

from __future__ import annotations

import asyncio
import threading
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from kerasviz.errors import KerasvizError
from kerasviz.service.api.responses import ERRORS, Json
from kerasviz.service.tf_serving.predict import ClientGoneError, NoServableError, Predictor

__all__ = ["WaitingLimit", "models_router"]

#: Requests that wait for their turn, at most.
WAITING = 1000
#: The status that proxies note where a client has left.
GONE = 499
Model = Annotated[str, Path(max_length=200, pattern=r"^[^/:]+$")]
Number = Annotated[str, Path(pattern=r"^\d+$", max_length=18)]


class PredictRequest(BaseModel):
    """Rows in ``instances``, or columns in ``inputs``; bytes are ``{"b64": "..."}``."""

    signature_name: str = Field("", examples=["activations", "visualize_png"])
    instances: list[Any] | None = Field(None, min_length=1)
    inputs: Any = None


class WaitingLimit:
    """How many requests wait or are answered now."""

    def __init__(self, most: int = WAITING):
        self.most, self.now = most, 0

    def __enter__(self) -> None:
        if self.now >= self.most:
            raise HTTPException(429, "too many requests wait", {"Retry-After": "1"})
        self.now += 1

    def __exit__(self, *_: object) -> None:
        self.now -= 1


def models_router(predictor: Predictor) -> APIRouter:
    """The routes below ``/v1/models``."""
    router = APIRouter(prefix="/v1/models", tags=["TensorFlow Serving"], responses=ERRORS)
    waiting = WaitingLimit()
    body = {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": PredictRequest.model_json_schema()}},
        }
    }

    async def predict(name: str, version: str | None, request: Request) -> Response:
        with waiting:
            data = await request.body()
            slow = predictor.is_visualizing(data)
            gone = threading.Event()
            watching = asyncio.create_task(_watch(request, gone)) if slow else None
            try:
                async with predictor.render_slots if slow else predictor.predict_slots:
                    found = await run_in_threadpool(
                        predictor.predict, name, version, data, gone.is_set
                    )
            except KerasvizError as error:
                return _refused(error)
            finally:
                if watching is not None:
                    watching.cancel()
        return Response(found, media_type="application/json")

    @router.post("/{name}:predict", openapi_extra=body, response_model=dict[str, Any])
    async def predict_latest(name: Model, request: Request) -> Response:
        """Run a signature: ``predictions`` for instances, ``outputs`` for inputs."""
        return await predict(name, None, request)

    @router.post(
        "/{name}/versions/{version}:predict", openapi_extra=body, response_model=dict[str, Any]
    )
    async def predict_version(name: Model, version: Number, request: Request) -> Response:
        """Run a signature of a version, of which there is only 1."""
        return await predict(name, version, request)

    @router.get("/{name}/metadata", response_model=dict[str, Any])
    def metadata(name: Model) -> Response:
        """The signatures with the shapes of their inputs and outputs."""
        return _answered(lambda: predictor.metadata(name, None))

    @router.get("/{name}/versions/{version}/metadata", response_model=dict[str, Any])
    def metadata_of_version(name: Model, version: Number) -> Response:
        """The signatures of a version."""
        return _answered(lambda: predictor.metadata(name, version))

    @router.get("/{name}", response_model=dict[str, Any])
    def status(name: Model) -> Response:
        """Whether a network can be asked."""
        return _answered(lambda: predictor.status(name, None))

    @router.get("/{name}/versions/{version}", response_model=dict[str, Any])
    def status_of_version(name: Model, version: Number) -> Response:
        """Whether a version can be asked."""
        return _answered(lambda: predictor.status(name, version))

    @router.api_route(
        "/{rest:path}", methods=["GET", "POST"], include_in_schema=False, response_model=None
    )
    def malformed(rest: str, request: Request) -> Response:
        """What TensorFlow Serving says of other paths."""
        line = f"Malformed request: {request.method} {request.url.path}"
        return Json({"error": line}, 400)

    return router


async def _watch(request: Request, gone: threading.Event) -> None:
    """Notice that a client closes its connection; its body has come."""
    if (await request.receive())["type"] == "http.disconnect":
        gone.set()


def _answered(make: Any) -> Response:
    try:
        return Json(make())
    except KerasvizError as error:
        return _refused(error)


def _refused(error: KerasvizError) -> Response:
    """An error as TensorFlow Serving answers it."""
    line = " ".join(str(error).split())
    if isinstance(error, ClientGoneError):
        return Json({"error": line}, GONE)  # for the log: nobody reads it
    return Json({"error": line}, 404 if isinstance(error, NoServableError) else 400)
