"""The log of requests: a line of JSON for each, without queries, headers and bodies."""

from __future__ import annotations

import logging
import secrets
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kerasviz.service.middleware.asgi import client_address, refusal

LOGGER = logging.getLogger("kerasviz.service.requests")
#: Characters of a path that are logged.
_PATH_LENGTH = 300


class RequestLogMiddleware:
    """Logs each request, and answers failed ones with 500 and one line.

    Queries, headers and bodies are left out, because they may hold secrets. The answer has the
    number of the request as ``X-Request-Id``.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        number, began = secrets.token_hex(8), time.monotonic()
        status, sent, failed = 0, 0, False

        async def send_logged(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).append("x-request-id", number)
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, send_logged)
        except Exception as error:  # nothing may pass the boundary of the service
            failed = True
            LOGGER.error("failed", exc_info=error, extra={"request": number})
            if not status:
                line = f"the service failed; its log says more at request {number}"
                await refusal(500, line)(scope, receive, send_logged)
        finally:
            fields = {
                "request": number,
                "client": client_address(scope),
                "method": str(scope.get("method", ""))[:16],
                "path": scope["path"][:_PATH_LENGTH],
                "status": status,
                "bytes": sent,
                "seconds": round(time.monotonic() - began, 4),
            }
            level = logging.ERROR if failed or status >= 500 else logging.INFO
            LOGGER.log(level, "request", extra=fields)
