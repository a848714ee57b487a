"""What the middlewares share: headers, and errors of one line."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse
from starlette.types import Scope


def header(scope: Scope, name: bytes) -> list[bytes]:
    """Return all values of a request's header; the server lowers the names."""
    return [value for key, value in scope["headers"] if key == name]


def client_address(scope: Scope) -> str:
    """Return the address that a request came from, empty if unknown."""
    return str((scope.get("client") or ("",))[0])


def refusal(status: int, line: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the answer ``{"error": line}``, which closes the connection: bodies stay unread."""
    return JSONResponse({"error": line}, status, {"connection": "close", **(headers or {})})
