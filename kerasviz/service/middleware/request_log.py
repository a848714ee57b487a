"""The log of requests: a line of JSON for each, without queries, headers and bodies."""

from __future__ import annotations

import logging
import secrets
import time

from kerasviz.service.middleware.asgi import App, Message, Receive, Scope, Send, path_of, refuse

__all__ = ["LOGGER", "RequestLog"]

LOGGER = logging.getLogger("kerasviz.service.requests")
_LONGEST = 300


class RequestLog:
    """A middleware that logs each request and answers 500 in one line where one failed.

    The query is left out, and so are headers and bodies: a secret may stand there. The number of
    the request is in its answer too, as ``X-Request-Id``.
    """

    def __init__(self, app: App):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        number, began = secrets.token_hex(8), time.monotonic()
        status, sent, failed = 0, 0, False

        async def noting(message: Message) -> None:
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
            await self.app(scope, receive, noting)
        except Exception as error:  # the boundary of the service: logged and answered
            failed = True
            LOGGER.error("failed", exc_info=error, extra={"fields": {"request": number}})
            if not status:
                line = f"the service failed; its log says more at request {number}"
                await refuse(noting, 500, line)
        finally:
            client = scope.get("client") or ("",)
            fields = {
                "request": number,
                "client": client[0],
                "method": str(scope.get("method", ""))[:16],
                "path": path_of(scope)[:_LONGEST],
                "status": status,
                "bytes": sent,
                "seconds": round(time.monotonic() - began, 4),
            }
            level = logging.ERROR if failed or status >= 500 else logging.INFO
            LOGGER.log(level, "request", extra={"fields": fields})
