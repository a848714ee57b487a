"""The server: uvicorn around the application, from its start to its end."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import uvicorn

from kerasviz.errors import KerasvizError
from kerasviz.service.api.app import create_app
from kerasviz.service.logs import write_logs
from kerasviz.service.settings import ServiceSettings

if TYPE_CHECKING:
    from kerasviz.service.api.state import ServiceState
    from kerasviz.service.jobs.start_worker import StartedWorker

log = logging.getLogger("kerasviz.service")

#: Seconds that open connections get when the server stops.
SHUTDOWN_SECONDS = 5
#: Connections that may wait to be accepted.
BACKLOG = 2048


class _Server(uvicorn.Server):
    """Ends the event streams when it stops; it would wait for them otherwise."""

    def __init__(self, config: uvicorn.Config, state: ServiceState, begun: Callable[[], None]):
        super().__init__(config)
        self.service, self.begun = state, begun

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGTERM and Ctrl-C without raising them again as uvicorn does."""
        before = {s: signal.signal(s, self.handle_exit) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop the streams first; a second Ctrl-C does not wait for connections."""
        self.service.stopping.set()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: Any = None) -> None:
        """Start, and call ``begun`` once requests are answered."""
        await super().startup(sockets)
        if self.started:
            self.begun()


@contextlib.contextmanager
def listening(setting: ServiceSettings) -> Iterator[socket.socket]:
    """Open the socket of a service, so that a taken port is noticed before anything is loaded.

    Raises :class:`KerasvizError` for a port that is taken and an address that is not here.
    """
    family = socket.AF_INET6 if ":" in setting.host else socket.AF_INET
    address = (setting.host.strip("[]"), setting.port)
    try:
        at = socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        raise KerasvizError(
            f"cannot listen at {setting.host}:{setting.port}: {error.strerror}; give another --port"
        ) from error
    with at:
        yield at


@contextlib.contextmanager
def listening_near(setting: ServiceSettings) -> Iterator[socket.socket]:
    """Open the socket of a service, at any free port if that of the setting is taken."""
    with contextlib.ExitStack() as stack:
        try:
            at = stack.enter_context(listening(setting))
        except KerasvizError:
            at = stack.enter_context(listening(replace(setting, port=0)))
        yield at


def serve(
    setting: ServiceSettings,
    at: socket.socket,
    on_ready: Callable[[str], None],
    worker: StartedWorker | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; running pictures are finished or queued again.

    ``at`` is the socket of :func:`listening`. ``on_ready`` gets the address once requests are
    answered. A ``worker`` that was started before is its first. Raises :class:`KerasvizError` where
    the service cannot start.
    """
    write_logs(quiet=setting.quiet)
    app = create_app(setting, worker)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        ws="none",
        limit_concurrency=2000,
    )
    port = at.getsockname()[1]
    host = f"[{setting.host}]" if ":" in setting.host else setting.host

    def begun() -> None:
        fields = {"host": setting.host, "port": port, "pid": os.getpid()}
        log.info("listening", extra=fields)
        on_ready(f"http://{host}:{port}")

    server = _Server(config, app.state.service, begun)
    server.run([at])
    if not server.started:
        failure = app.state.service.failure
        raise failure or KerasvizError("the service did not start; see the lines above")
