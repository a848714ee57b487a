"""The routes of health, the page and the OpenAPI page."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, HTMLResponse

from kerasviz.rendering.pages import TYPEFACE
from kerasviz.service.api.responses import Json
from kerasviz.service.api.state import State

router = APIRouter()

#: The folder of the page, whose files are served below ``/page``.
PAGE = Path(str(resources.files("kerasviz.service") / "page"))
#: The folder of Swagger UI, whose files are served below ``/docs``.
SWAGGER = Path(str(resources.files("fastapi_offline") / "static"))
#: The OpenAPI page. Its scripts are files, because the security headers forbid inline scripts.
DOCS = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>kerasviz: the HTTP interface</title>
<link rel="icon" href="/docs/favicon.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</html>
"""
START = """SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true});
"""


@router.get("/healthz", tags=["health"])
async def healthz() -> dict[str, str]:
    """Tell that the server answers."""
    return {"status": "ok"}


@router.get("/readyz", tags=["health"])
def readyz(state: State) -> Response:
    """Tell whether networks are loaded and a worker is alive."""
    why = state.ready
    return Json({"status": "ready"}) if why is None else Json({"error": why}, 503)


@router.get("/docs", include_in_schema=False)
def docs() -> HTMLResponse:
    """Return the OpenAPI page, which loads nothing from other sites."""
    return HTMLResponse(DOCS)


@router.get("/docs/start.js", include_in_schema=False)
def docs_start() -> Response:
    """Return the script that starts Swagger UI."""
    return Response(START, media_type="text/javascript")


@router.get("/page/aileron.ttf", include_in_schema=False)
def typeface() -> FileResponse:
    """Return the typeface of the pictures and of all pages."""
    return FileResponse(TYPEFACE, media_type="font/ttf")


@router.get("/", include_in_schema=False)
def page() -> HTMLResponse:
    """Return the page with the addresses of its files below ``/page``."""
    text = (PAGE / "index.html").read_text(encoding="utf-8")
    return HTMLResponse(re.sub(r'\b(href|src)="(?![/#]|\w+:|page/)', r'\1="page/', text))
