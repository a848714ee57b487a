"""The server: uvicorn around the application, from its start to its end."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import uvicorn

from kerasviz.errors import KerasvizError
from kerasviz.service.api.app import create_app
from kerasviz.service.json_logs import log_as_json
from kerasviz.service.settings import ServiceSettings

if TYPE_CHECKING:
    from kerasviz.service.api.state import ServiceState

__all__ = ["listening", "serve"]

log = logging.getLogger("kerasviz.service")

#: Seconds that open connections get when the server stops.
LAST = 5
#: Connections that wait to be accepted.
BACKLOG = 2048


class _Server(uvicorn.Server):
    """Tells the streams that it stops, which would hold it up otherwise."""

    def __init__(self, config: uvicorn.Config, state: ServiceState, begun: Callable[[], None]):
        super().__init__(config)
        self.service, self.begun = state, begun

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGTERM and Ctrl-C, and end as one that was told to: uvicorn would raise both."""
        before = {s: signal.signal(s, self.handle_exit) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to stop; a second Ctrl-C does not wait for connections."""
        self.service.stopping.set()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: Any = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if self.started:
            self.begun()


@contextlib.contextmanager
def listening(setting: ServiceSettings) -> Iterator[socket.socket]:
    """The socket at which a service will listen: a port that is taken is known before all else.

    Raises :class:`KerasvizError` for a port that is taken and an address that is not here.
    """
    family = socket.AF_INET6 if ":" in setting.host else socket.AF_INET
    place = (setting.host.strip("[]"), setting.port)
    try:
        made = socket.create_server(place, family=family, backlog=BACKLOG)
    except OSError as error:
        raise KerasvizError(
            f"cannot listen at {setting.host}:{setting.port}: {error.strerror}; give another --port"
        ) from error
    with made:
        yield made


def serve(setting: ServiceSettings, at: socket.socket, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; what is running then is finished or queued again.

    ``at`` is the socket of :func:`listening`. ``say`` is given the address when requests are
    answered. Raises :class:`KerasvizError` where the service cannot start.
    """
    log_as_json()
    app = create_app(setting)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=LAST,
        ws="none",
        limit_concurrency=2000,
    )
    port = at.getsockname()[1]
    host = f"[{setting.host}]" if ":" in setting.host else setting.host

    def begun() -> None:
        words = {"host": setting.host, "port": port, "pid": os.getpid()}
        log.info("listening", extra={"fields": words})
        on_ready(f"http://{host}:{port}")

    server = _Server(config, app.state.service, begun)
    server.run([at])
    if not server.started:
        failure = app.state.service.failure
        raise failure or KerasvizError("the service did not start; see the lines above")
