"""What the middlewares share: types of ASGI, headers, and errors of one line."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

__all__ = ["App", "Message", "Receive", "Scope", "Send", "header", "path_of", "refuse"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def header(scope: Scope, name: bytes) -> list[bytes]:
    """Return all values of a request's header; the server lowers the names."""
    return [value for key, value in scope["headers"] if key == name]


def path_of(scope: Scope) -> str:
    """Return the decoded path of a request, without its query."""
    return str(scope.get("path", ""))


async def refuse(
    send: Send, status: int, line: str, headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """Answer ``{"error": line}`` with a status, and close the connection."""
    body = json.dumps({"error": line}).encode()
    fixed = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),  # the rest of the request is not read
    ]
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
    await send({"type": "http.response.body", "body": body})
