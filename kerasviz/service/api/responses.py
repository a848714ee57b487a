"""Responses that routes share: JSON, jobs, addresses of pictures, errors of one line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from kerasviz.errors import KerasvizError, ModelError, UsageError
from kerasviz.network.taps import UnknownTapError
from kerasviz.rendering.facet_records import read_facets
from kerasviz.rendering.trust_records import trust_rows
from kerasviz.service.api.schemas import Error
from kerasviz.service.jobs.jobs import DiskFullError, JobPicture, QueueFullError, RenderJob
from kerasviz.service.networks import UndescribedInputError, UnknownNetworkError
from kerasviz.service.settings import ServiceSettings


class Json(Response):
    """A response in JSON, written by orjson; NumPy arrays are taken as they are."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Write the body."""
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


#: The errors that any route may answer with, for the OpenAPI page.
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Error, "description": description}
    for status, description in {
        400: "a request that cannot be read",
        401: "the token is missing or wrong",
        403: "sent by a page of another site",
        404: "not found",
        409: "nobody has described the input of the network; see input-trials",
        408: "too slow",
        413: "too large",
        421: "for another host",
        422: "the request cannot be carried out",
        429: "too many requests; see Retry-After",
        503: "not available now",
        507: "the disk or the data folder is full",
    }.items()
}


#: The body of a request that is a picture, for the OpenAPI page.
IMAGE_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        kind: {"schema": {"type": "string", "format": "binary"}}
        for kind in ("image/png", "image/jpeg", "application/octet-stream")
    },
}
#: A response that is a picture.
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}


def job_json(job: RenderJob, folder: Path) -> dict[str, Any]:
    """Write a job as :class:`kerasviz.service.api.schemas.JobStatus`.

    The ``folder`` of its network's pictures has what probes of facets say of them.
    """
    pictures, previews, row, trust, examples = [], [], 0, None, None
    address = f"/api/renders/{job.id}"
    probes = read_facets(folder) if job.request.get("facets") else {}
    for picture in job.pictures:
        for made in picture.made:
            if "trust" in made:
                trust = trust_json(job.network, made["trust"])
                continue
            if "examples" in made:
                examples = made["examples"]
                continue
            shown = _finished(job, picture, row + made["row"], made)
            record = probes.get(made["file"], {})
            if record.get("sha256") == made["sha256"]:
                names = job.request["facets"]
                shown["facets"] = {n: v for n, v in record["logits"].items() if n in names}
            pictures.append(shown)
        if picture.preview:
            for k in range(row, row + picture.rows):
                url = f"{address}/previews/{k}.png?step={picture.preview}"
                previews.append({"row": k, "url": url})
        row += picture.rows
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
        "trust": trust,
        "examples": examples,
        "previews": previews if job.state in ("accepted", "running") else [],
        "error": job.error,
        "url": address,
        "events": f"{address}/events",
    }


def picture_url(network: str, file: str, sha256: str) -> str:
    """Return the address of a picture; the checksum ties it to these bytes."""
    return f"/pictures/{quote(network)}/{quote(file)}?v={sha256[:12]}"


def beside_json(network: str, file: str, sha256: str) -> dict[str, str]:
    """Write a file beside a picture as ``BesideFile``."""
    return {"kind": file.rpartition(".")[2], "url": picture_url(network, file, sha256)}


def trust_json(network: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Write what a job found out of pictures as ``TrustNumbers``."""
    pictures = [
        {
            "file": file,
            "target": record["target"],
            "url": picture_url(network, file, record["sha256"]),
            "rows": trust_rows(record),
            "numbers": record,
        }
        for file, record in found["pictures"].items()
    ]
    return {**found, "pictures": pictures}


def _finished(
    job: RenderJob, picture: JobPicture, row: int, made: Mapping[str, Any]
) -> dict[str, Any]:
    mask = made.get("mask")
    return {
        "target": picture.text,
        "row": row,
        "recipe": made.get("recipe"),
        "url": picture_url(job.network, made["file"], made["sha256"]),
        "provenance": f"/api/renders/{job.id}/pictures/{row}/provenance",
        "file": made["file"],
        "score": made["score"],
        "term_scores": made.get("term_scores", {}),
        "alone": made.get("alone", {}),
        "latents": made.get("latents", []),
        "snapshots": [
            {"step": s["step"], "url": picture_url(job.network, s["file"], s["sha256"])}
            for s in made.get("snapshots", [])
        ],
        "mask": mask and picture_url(job.network, mask["file"], mask["sha256"]),
        "beside": [
            beside_json(job.network, b["file"], b["sha256"]) for b in made.get("beside", [])
        ],
        "sha256": made["sha256"],
    }


@contextmanager
def without_folders(setting: ServiceSettings) -> Iterator[None]:
    """Leave the folders of uploads out of errors: clients know files by their names alone."""
    try:
        yield
    except UsageError as error:
        folders = "|".join(re.escape(str(path)) for path in (setting.directions, setting.photos))
        line = re.sub(rf"(?:{folders})/[^/]+/", "", str(error))
        if line == str(error):
            raise
        raise UsageError(line) from error


async def _answer_kerasviz_error(request: Request, error: KerasvizError) -> Response:
    headers = {}
    if isinstance(error, QueueFullError):
        headers["Retry-After"] = str(error.retry_after)
    line = " ".join(str(error).split())
    return Json({"error": line}, _status_of(error, request), headers)


async def _answer_http_error(request: Request, error: HTTPException) -> Response:
    return Json({"error": str(error.detail)}, error.status_code, error.headers)


async def _answer_invalid_request(request: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"] if part != "body")
    line = f"{field}: {first['msg']}" if field else str(first["msg"])
    return Json({"error": " ".join(line.split())}, 422)


#: What answers the expected errors, each with its line and status.
ERROR_HANDLERS: dict[int | type[Exception], Any] = {
    KerasvizError: _answer_kerasviz_error,
    HTTPException: _answer_http_error,
    RequestValidationError: _answer_invalid_request,
}


def _status_of(error: KerasvizError, request: Request) -> int:
    if isinstance(error, QueueFullError):
        return 429
    if isinstance(error, DiskFullError):
        return 507
    if isinstance(error, UnknownNetworkError):
        return 404
    if isinstance(error, UndescribedInputError):
        return 409
    if isinstance(error, UnknownTapError) and request.method == "GET":
        return 404
    return 422 if isinstance(error, UsageError | ModelError) else 503
