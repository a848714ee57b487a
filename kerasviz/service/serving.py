"""The server: uvicorn around the application, from its start to its end."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import uvicorn

from kerasviz.errors import KerasvizError
from kerasviz.service.app import create_app
from kerasviz.service.connections import PatientProtocol
from kerasviz.service.logs import log_as_json
from kerasviz.service.setting import Reading, ServiceSetting

if TYPE_CHECKING:
    from kerasviz.cli.options import InputOptions, ModelOptions

__all__ = ["reading_of", "serve"]

log = logging.getLogger("kerasviz.service")

#: Seconds that open connections get when the server stops.
LAST = 5
#: Connections that wait to be accepted.
BACKLOG = 2048


class _Server(uvicorn.Server):
    """Tells the streams that it stops, which would hold it up otherwise."""

    def __init__(self, config: uvicorn.Config, state: Any):
        super().__init__(config)
        self.service = state

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
        await super().startup(sockets)
        if self.started:
            ports = [s.getsockname()[1] for server in self.servers for s in server.sockets]
            words = {"host": self.config.host, "port": ports[0], "pid": os.getpid()}
            log.info("listening", extra={"fields": words})


def reading_of(input_options: InputOptions, model_options: ModelOptions) -> Reading:
    """How the options of the command line say that files are read."""
    from kerasviz.cli.options import command_line

    return Reading(
        input_spec=input_options.spec(),
        imports=model_options.imports,
        unsafe=model_options.unsafe,
        importer=model_options.importer,
        words=command_line("", "fast").reading,
    )


def serve(setting: ServiceSetting) -> None:
    """Serve until SIGTERM or Ctrl-C; what is running then is finished or queued again.

    Raises :class:`KerasvizError` where the service cannot start.
    """
    from kerasviz.cli.quiet import import_tensorflow

    import_tensorflow()
    log_as_json()
    app = create_app(setting)
    config = uvicorn.Config(
        app,
        host=setting.host,
        port=setting.port,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=LAST,
        http=PatientProtocol,
        ws="none",
        limit_concurrency=2000,
    )
    server = _Server(config, app.state.service)
    server.run()
    if not server.started:
        raise KerasvizError(f"cannot serve at {setting.host}:{setting.port}; see the lines above")
