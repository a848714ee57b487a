"""What the middlewares share: headers, and errors of one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send


def header(scope: Scope, name: bytes) -> list[bytes]:
    """Return all values of a request's header; the server lowers the names."""
    return [value for key, value in scope["headers"] if key == name]


def client_address(scope: Scope) -> str:
    """Return the address that a request came from, empty if unknown."""
    return str((scope.get("client") or ("",))[0])


def refusal(status: int, line: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the answer ``{"error": line}``, which closes the connection: bodies stay unread."""
    return JSONResponse({"error": line}, status, {"connection": "close", **(headers or {})})


class Body(Protocol):
    """What receives a body; ``failure`` says why it was ended before its end."""

    failure: HTTPException | None


class GuardedAnswer:
    """Sends the application's answer, unless the body of the request has failed before."""

    def __init__(self, send: Send, body: Body):
        self._send, self._body = send, body
        self._started = False

    async def send(self, message: Message) -> None:
        """Send a message of the application, or drop it."""
        if self._body.failure is not None and not self._started:
            return
        self._started = True
        await self._send(message)

    async def refuse(self, scope: Scope, receive: Receive) -> None:
        """Send the body's failure in place of an answer, if there is one."""
        failure = self._body.failure
        if failure is not None and not self._started:
            refused = refusal(failure.status_code, failure.detail, failure.headers)
            await refused(scope, receive, self._send)
