"""The application: all routes of a service, and what starts and stops with it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re
import threading
from collections.abc import AsyncIterator, Iterator
from importlib import resources
from pathlib import Path

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.staticfiles import StaticFiles

from kerasviz._version import __version__
from kerasviz.errors import KerasvizError
from kerasviz.service.api.events import Watch
from kerasviz.service.api.jobs import renders_router
from kerasviz.service.api.metrics import Metrics, MetricsMiddleware
from kerasviz.service.api.networks import explore_router
from kerasviz.service.api.responses import Json, handle_errors
from kerasviz.service.api.session import session_router
from kerasviz.service.api.state import ServiceState
from kerasviz.service.api.tf_serving import models_router
from kerasviz.service.api.uploads import upload_router
from kerasviz.service.jobs.locks import exclusive_lock
from kerasviz.service.middleware.login_throttle import Guesses
from kerasviz.service.middleware.security import guarded
from kerasviz.service.settings import ServiceSettings
from kerasviz.service.tf_serving.predict import Predictor
from kerasviz.service.uploads.uploads import Uploads

__all__ = ["create_app"]

#: The page of the OpenAPI document. Scripts stand in files: the security headers allow no others.
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


def create_app(setting: ServiceSettings) -> FastAPI:
    """The service as an ASGI application; ``app.state.service`` is its :class:`State`.

    Raises :class:`kerasviz.errors.KerasvizError` for a data folder that cannot be used, and when it
    starts for one that another service uses.
    """
    state = ServiceState.of(setting)
    watch = Watch(state.jobs, state.stopping)
    predictor = Predictor(setting, state.networks)
    uploads = Uploads(setting, state.networks.names)
    guesses = Guesses()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with _owned(state):
            for left in setting.previews.iterdir():  # of workers that were killed
                left.unlink(missing_ok=True)
            state.workers.start()
            threading.Thread(
                target=_load, args=(state, predictor), name="loading", daemon=True
            ).start()
            watching = asyncio.create_task(watch.run())
            if setting.allow_upload:
                uploads.start()
            try:
                yield
            finally:
                state.stopping.set()
                watching.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await watching
                await asyncio.to_thread(uploads.stop)
                await asyncio.to_thread(state.workers.stop)
                watch.close()
                state.database.close()

    app = FastAPI(
        title="kerasviz",
        version=__version__,
        description="Networks, what their units look for, and TensorFlow Serving's REST protocol.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = state
    handle_errors(app)
    for router in (
        models_router(predictor),
        explore_router(state),
        renders_router(state, watch),
        session_router(setting.token, guesses),
        upload_router(uploads, setting.allow_upload),
    ):
        app.include_router(router)
    _add_health(app, state)
    _add_metrics(app, state)
    _add_page(app)
    _add_docs(app)
    return guarded(app, setting, guesses)


@contextlib.contextmanager
def _owned(state: ServiceState) -> Iterator[None]:
    """Own the data folder, or leave word why not: the server says only that it did not start."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(exclusive_lock(state.setting.data))
        except KerasvizError as error:
            state.failure = error
            raise
        yield


def _load(state: ServiceState, predictor: Predictor) -> None:
    """Load what is served, and trace what is asked for most."""

    def prepare(name: str) -> None:
        state.described(name)
        with contextlib.suppress(KerasvizError):  # said again to who asks for it
            predictor.prepare(name)

    state.networks.load_all(prepare)
    gc.collect()
    gc.freeze()  # or every collection goes through all of TensorFlow's objects
    state.loading.set()


def _add_health(app: FastAPI, state: ServiceState) -> None:
    @app.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, str]:
        """Whether the server answers."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"])
    def readyz() -> Response:
        """Whether networks are loaded and a worker lives."""
        why = state.ready
        return Json({"status": "ready"}) if why is None else Json({"error": why}, 503)


def _add_metrics(app: FastAPI, state: ServiceState) -> None:
    metrics = Metrics(state)

    @app.get("/metrics", tags=["health"], response_class=Response)
    def numbers() -> Response:
        """What is measured, for Prometheus."""
        return Response(metrics.page(), media_type=CONTENT_TYPE_LATEST)

    app.add_middleware(MetricsMiddleware, metrics=metrics)


def _add_docs(app: FastAPI) -> None:
    """The OpenAPI page at ``/docs``, all of whose files come from a package."""
    folder = Path(str(resources.files("fastapi_offline") / "static"))

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(DOCS)

    @app.get("/docs/start.js", include_in_schema=False)
    def start() -> Response:
        return Response(START, media_type="text/javascript")

    app.mount("/docs", StaticFiles(directory=folder), name="docs")


def _add_page(app: FastAPI) -> None:
    folder = Path(str(resources.files("kerasviz.service") / "page"))

    @app.get("/", include_in_schema=False)
    def page() -> HTMLResponse:
        """The page; its files lie below ``/page``."""
        text = (folder / "index.html").read_text(encoding="utf-8")
        return HTMLResponse(re.sub(r'\b(href|src)="(?![/#]|\w+:|page/)', r'\1="page/', text))

    app.mount("/page", StaticFiles(directory=folder), name="page")
