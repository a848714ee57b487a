"""Limits on the bodies of requests: their size and how slowly they may arrive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kerasviz.service.middleware.asgi import GuardedAnswer, header, refusal

#: Seconds that a body may take.
PATIENCE = 20.0
#: Bytes for which a body may take one second more.
RATE = 32 * 1024
#: Bodies of the largest size that may be held at once.
AT_ONCE = 16


class BodyLimitMiddleware:
    """Ends requests whose body is too long (413) or too slow (408).

    ``limit`` gives the most bytes for a request. Bytes are counted as they arrive; the declared
    length only refuses. A body must arrive within ``patience`` seconds, and one second more for
    every ``rate`` bytes. All bodies held at once may have ``together`` bytes (429 beyond); those
    that ``is_kept`` names go straight to the disk and do not count.
    """

    def __init__(
        self,
        app: ASGIApp,
        limit: Callable[[Scope], int],
        together: int,
        is_kept: Callable[[Scope], bool] = lambda scope: False,
        patience: float = PATIENCE,
        rate: float = RATE,
    ):
        self.app, self.limit, self.patience, self.rate = app, limit, patience, rate
        self.together, self.is_kept = together, is_kept
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.limit(scope)
        wrong = _declared_wrong(scope, limit)
        if wrong is not None:
            await refusal(wrong.status_code, wrong.detail)(scope, receive, send)
            return
        body = _Body(receive, limit, self, self.is_kept(scope))
        answer = GuardedAnswer(send, body)
        try:
            await self.app(scope, body.receive, answer.send)
        except HTTPException:
            if body.failure is None:
                raise
        finally:
            self.held -= body.held
        await answer.refuse(scope, receive)


def _declared_wrong(scope: Scope, limit: int) -> HTTPException | None:
    lengths = header(scope, b"content-length")
    if not lengths:
        return None
    if len(set(lengths)) > 1 or not lengths[0].isdigit():
        return HTTPException(400, "Content-Length is not one number of bytes; send the true length")
    absurd = len(lengths[0]) > 18  # Python is slow with thousands of digits
    return _too_long(limit) if absurd or int(lengths[0]) > limit else None


def _too_long(limit: int) -> HTTPException:
    return HTTPException(413, f"the body is longer than {limit} bytes; send less at once")


class _Body:
    """Receives the messages of one request; ``failure`` says why it was ended."""

    def __init__(self, receive: Receive, limit: int, bodies: BodyLimitMiddleware, kept: bool):
        self._receive, self._limit, self._bodies, self._kept = receive, limit, bodies, kept
        self._began = time.monotonic()
        self._taken = 0
        self._complete = False
        self.held = 0
        self.failure: HTTPException | None = None

    async def receive(self) -> Message:
        if self.failure is not None:
            raise self.failure
        if self._complete:  # only the disconnection may follow, at any time
            return await self._receive()
        patience = self._bodies.patience + self._taken / self._bodies.rate
        left = self._began + patience - time.monotonic()
        try:
            async with asyncio.timeout(max(left, 0.001)):
                message = await self._receive()
        except TimeoutError:
            seconds = round(time.monotonic() - self._began)
            self.failure = HTTPException(
                408, f"the body came too slowly: {self._taken} bytes in {seconds} s"
            )
            raise self.failure from None
        if message["type"] == "http.request":
            self._count(len(message.get("body", b"")))
            self._complete = not message.get("more_body", False)
        return message

    def _count(self, size: int) -> None:
        self._taken += size
        if not self._kept:
            self.held += size
            self._bodies.held += size
        if self._taken > self._limit:
            self.failure = _too_long(self._limit)
        elif self._bodies.held > self._bodies.together:
            line = "too many bodies are being read; send this one later"
            self.failure = HTTPException(429, line, headers={"Retry-After": "2"})
        if self.failure is not None:
            raise self.failure
