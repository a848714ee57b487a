"""Answers as they go out: jobs as the messages of the API, files, errors of one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from kerasviz.errors import KerasvizError, ModelError, UsageError
from kerasviz.network.taps import UnknownTapError
from kerasviz.service.api.schemas import Error
from kerasviz.service.api.state import DiskFullError, picture_url
from kerasviz.service.jobs.jobs import JobPicture, QueueFullError, RenderJob
from kerasviz.service.networks import UnknownNetworkError

__all__ = ["ERRORS", "PNG", "Json", "handle_errors", "job_json"]


class Json(Response):
    """An answer in JSON, by orjson; arrays of numpy are taken as they are."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes of the answer."""
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


#: The refusals that any route may answer with, for the OpenAPI page.
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Error, "description": words}
    for status, words in {
        400: "a request that cannot be read",
        401: "the token is wanted",
        403: "from a page elsewhere",
        404: "not there",
        408: "too slow",
        413: "too much",
        421: "for another host",
        422: "what it asks for is not possible",
        429: "no room now, see Retry-After",
        503: "not now",
        507: "no room on the disk",
    }.items()
}


#: An answer that is a picture.
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}


def job_json(job: RenderJob) -> dict[str, Any]:
    """A job as :class:`kerasviz.service.api.schemas.Job`."""
    pictures, previews, row = [], [], 0
    address = f"/api/renders/{job.id}"
    for wanted in job.pictures:
        for made in wanted.made:
            pictures.append(_finished(job, wanted, row + made["row"], made))
        if wanted.preview:
            for k in range(row, row + wanted.rows):
                url = f"{address}/previews/{k}.png?step={wanted.preview}"
                previews.append({"row": k, "url": url})
        row += wanted.rows
    scores = [p.score for p in job.pictures if p.score is not None]
    return {
        "id": job.id,
        "state": job.state,
        "network": job.network,
        "request": job.request,
        "created": job.created,
        "ended": job.ended,
        "position": job.position,
        "step": job.step,
        "steps": job.steps,
        "fraction": 1.0 if job.state == "done" else job.step / max(1, job.steps),
        "score": scores[-1] if scores else None,
        "rows": row,
        "targets": [p.text for p in job.pictures for _ in range(p.rows)],
        "pictures": pictures,
        "previews": previews if job.state in ("accepted", "running") else [],
        "error": job.error,
        "url": address,
        "events": f"{address}/events",
    }


def _finished(
    job: RenderJob, wanted: JobPicture, row: int, made: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "target": wanted.text,
        "row": row,
        "url": picture_url(job.network, made["file"], made["sha256"]),
        "provenance": f"/api/renders/{job.id}/pictures/{row}/provenance",
        "score": made["score"],
        "sha256": made["sha256"],
    }


def handle_errors(app: FastAPI) -> None:
    """Answer every expected error with its line and a fitting status."""

    @app.exception_handler(KerasvizError)
    async def refused(request: Request, error: KerasvizError) -> Response:
        headers = {}
        if isinstance(error, QueueFullError):
            headers["Retry-After"] = str(error.retry_after)
        line = " ".join(str(error).split())
        return Json({"error": line}, _status_of(error, request), headers)

    @app.exception_handler(HTTPException)
    async def raised(request: Request, error: HTTPException) -> Response:
        return Json({"error": str(error.detail)}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part != "body")
        line = f"{place}: {first['msg']}" if place else str(first["msg"])
        return Json({"error": " ".join(line.split())}, 422)


def _status_of(error: KerasvizError, request: Request) -> int:
    if isinstance(error, QueueFullError):
        return 429
    if isinstance(error, DiskFullError):
        return 507
    if isinstance(error, UnknownNetworkError):
        return 404
    if isinstance(error, UnknownTapError) and request.method == "GET":
        return 404
    return 422 if isinstance(error, UsageError | ModelError) else 503
