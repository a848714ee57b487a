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
from kerasviz.service.api.state import State
from kerasviz.service.tf_serving.predict import BusyError, ClientGoneError, NoServableError

router = APIRouter(prefix="/v1/models", tags=["TensorFlow Serving"], responses=ERRORS)

#: The status that proxies log where a client has left.
CLIENT_GONE = 499
Model = Annotated[str, Path(max_length=200, pattern=r"^[^/:]+$")]
Number = Annotated[str, Path(pattern=r"^\d+$", max_length=18)]


class PredictBody(BaseModel):
    """Rows in ``instances``, or columns in ``inputs``; bytes are ``{"b64": "..."}``."""

    signature_name: str = Field("", examples=["activations", "visualize_png"])
    instances: list[Any] | None = Field(None, min_length=1)
    inputs: Any = None


BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": PredictBody.model_json_schema()}},
    }
}


@router.post("/{name}:predict", openapi_extra=BODY, response_model=dict[str, Any])
async def predict_latest(name: Model, request: Request, state: State) -> Response:
    """Run a signature: ``predictions`` for instances, ``outputs`` for inputs."""
    return await _predict(name, None, request, state)


@router.post(
    "/{name}/versions/{version}:predict", openapi_extra=BODY, response_model=dict[str, Any]
)
async def predict_version(name: Model, version: Number, request: Request, state: State) -> Response:
    """Run a signature of a version; the only version is 1."""
    return await _predict(name, version, request, state)


@router.get("/{name}/metadata", response_model=dict[str, Any])
def metadata(name: Model, state: State) -> Response:
    """Return the signatures with the shapes of their inputs and outputs."""
    return _answered(lambda: state.predictor.metadata(name, None))


@router.get("/{name}/versions/{version}/metadata", response_model=dict[str, Any])
def metadata_of_version(name: Model, version: Number, state: State) -> Response:
    """Return the signatures of a version."""
    return _answered(lambda: state.predictor.metadata(name, version))


@router.get("/{name}", response_model=dict[str, Any])
def status(name: Model, state: State) -> Response:
    """Tell whether a network is loaded."""
    return _answered(lambda: state.predictor.status(name, None))


@router.get("/{name}/versions/{version}", response_model=dict[str, Any])
def status_of_version(name: Model, version: Number, state: State) -> Response:
    """Tell whether a version is loaded."""
    return _answered(lambda: state.predictor.status(name, version))


@router.api_route(
    "/{rest:path}", methods=["GET", "POST"], include_in_schema=False, response_model=None
)
def malformed(rest: str, request: Request) -> Response:
    """Answer other paths as TensorFlow Serving does."""
    line = f"Malformed request: {request.method} {request.url.path}"
    return Json({"error": line}, 400)


async def _predict(name: str, version: str | None, request: Request, state: State) -> Response:
    predictor = state.predictor
    try:
        with predictor.queued():
            data = await request.body()
            slow = predictor.is_visualizing(data)
            gone = threading.Event()
            watching = asyncio.create_task(_watch(request, gone)) if slow else None
            try:
                async with predictor.render_slots if slow else predictor.predict_slots:
                    answer = await run_in_threadpool(
                        predictor.predict, name, version, data, gone.is_set
                    )
            finally:
                if watching is not None:
                    watching.cancel()
    except BusyError as error:
        raise HTTPException(429, str(error), {"Retry-After": "1"}) from error
    except KerasvizError as error:
        return _refused(error)
    return Response(answer, media_type="application/json")


async def _watch(request: Request, gone: threading.Event) -> None:
    """Set ``gone`` when a client, whose body has been read, closes its connection."""
    if (await request.receive())["type"] == "http.disconnect":
        gone.set()


def _answered(make: Any) -> Response:
    try:
        return Json(make())
    except KerasvizError as error:
        return _refused(error)


def _refused(error: KerasvizError) -> Response:
    """Answer an error as TensorFlow Serving does."""
    line = " ".join(str(error).split())
    if isinstance(error, ClientGoneError):
        return Json({"error": line}, CLIENT_GONE)  # only for the log
    return Json({"error": line}, 404 if isinstance(error, NoServableError) else 400)
