"""The application: all routes of a service, its start and its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import AsyncIterator, Iterator

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

from kerasviz import __version__
from kerasviz.errors import KerasvizError
from kerasviz.service.api import (
    connections,
    examples,
    explanations,
    inputs,
    jobs,
    networks,
    notes,
    photos,
    session,
    site,
    tf_serving,
    trust,
    unit_data,
    uploads,
    walls,
)
from kerasviz.service.api.metrics import add_metrics
from kerasviz.service.api.responses import ERROR_HANDLERS
from kerasviz.service.api.state import ServiceState
from kerasviz.service.jobs.locks import exclusive_lock
from kerasviz.service.jobs.start_worker import StartedWorker
from kerasviz.service.jobs.trust import sweep_photos
from kerasviz.service.middleware.security import guarded
from kerasviz.service.settings import ServiceSettings


def create_app(setting: ServiceSettings, worker: StartedWorker | None = None) -> FastAPI:
    """Build the ASGI application; ``app.state.service`` is its :class:`ServiceState`.

    A ``worker`` that was started before is its first.

    Raises :class:`kerasviz.errors.KerasvizError` for a data folder that cannot be used, and at the
    start for a folder that another service uses.
    """
    state = ServiceState.of(setting)
    app = FastAPI(
        title="kerasviz",
        version=__version__,
        description="Networks, what their units look for, and TensorFlow Serving's REST protocol.",
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        exception_handlers=ERROR_HANDLERS,
    )
    app.state.service, app.state.worker = state, worker
    for routes in (
        tf_serving,
        networks,
        connections,
        walls,
        examples,
        unit_data,
        explanations,
        inputs,
        notes,
        jobs,
        trust,
        session,
        uploads,
        photos,
        site,
    ):
        app.include_router(routes.router)
    add_metrics(app, state)
    app.mount("/page", GZipMiddleware(StaticFiles(directory=site.PAGE)), name="page")
    app.mount("/docs", StaticFiles(directory=site.SWAGGER), name="docs")
    return guarded(app, setting, state.throttle)


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state: ServiceState = app.state.service
    with _owned(state):
        for preview in state.setting.previews.iterdir():  # of workers that were killed
            preview.unlink(missing_ok=True)
        sweep_photos(state.setting.data, state.jobs.live_keys())
        examples.sweep(state)
        state.workers.start(app.state.worker)
        threading.Thread(target=_load, args=(state,), name="loading", daemon=True).start()
        if state.setting.allow_upload:
            state.uploads.start()
        try:
            yield
        finally:
            state.stopping.set()
            await asyncio.to_thread(state.uploads.stop)
            await asyncio.to_thread(state.workers.stop)
            state.database.close()


@contextlib.contextmanager
def _owned(state: ServiceState) -> Iterator[None]:
    """Lock the data folder; keep the error, because uvicorn says only that it did not start."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(exclusive_lock(state.setting.data))
        except KerasvizError as error:
            state.failure = error
            raise
        yield


def _load(state: ServiceState) -> None:
    """Load all networks, and trace the most used signatures."""

    def prepare(name: str) -> None:
        state.described(name)
        with contextlib.suppress(KerasvizError):  # a request for it gets the error again
            state.predictor.prepare(name)

    state.networks.load_all(prepare)
    gc.collect()
    gc.freeze()  # so that later collections skip TensorFlow's objects
    state.loading.set()
