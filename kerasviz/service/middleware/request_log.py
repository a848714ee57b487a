"""The log of requests: a line of JSON for each, without queries, headers and bodies."""

from __future__ import annotations

import logging
import secrets
import time

from kerasviz.service.middleware.asgi import App, Message, Receive, Scope, Send, path_of, refuse

__all__ = ["LOGGER", "RequestLogMiddleware"]

LOGGER = logging.getLogger("kerasviz.service.requests")
#: Characters of a path that are logged.
_PATH_LENGTH = 300


class RequestLogMiddleware:
    """Logs each request, and answers failed ones with 500 and one line.

    Queries, headers and bodies are left out, because they may hold secrets. The answer has the
    number of the request as ``X-Request-Id``.
    """

    def __init__(self, app: App):
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
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", number.encode()),
                ]
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
                await refuse(send_logged, 500, line)
        finally:
            client = scope.get("client") or ("",)
            fields = {
                "request": number,
                "client": client[0],
                "method": str(scope.get("method", ""))[:16],
                "path": path_of(scope)[:_PATH_LENGTH],
                "status": status,
                "bytes": sent,
                "seconds": round(time.monotonic() - began, 4),
            }
            level = logging.ERROR if failed or status >= 500 else logging.INFO
            LOGGER.log(level, "request", extra=fields)
