"""Decompress the bodies of requests, piece by piece, so that limits on bodies hold for them too."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kerasviz.service.middleware.asgi import GuardedAnswer, header, refusal

#: Bytes of one decompressed piece at most; a piece of zeros can be a thousand times as long.
PIECE = 256 * 1024
#: ``wbits`` of zlib for data with gzip's header.
_GZIP = 16 + zlib.MAX_WBITS
_GZIP_NAMES = (b"gzip", b"x-gzip")


class GzipRequestMiddleware:
    """Decompresses bodies with ``Content-Encoding: gzip``, as TensorFlow Serving does.

    Answers 400 to damaged bodies and 415 to other encodings. It stands before the limits on bodies,
    which so count the decompressed bytes.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        encodings = _encodings(scope) if scope["type"] == "http" else []
        if not encodings:
            await self.app(scope, receive, send)
            return
        if len(encodings) > 1 or encodings[0] not in _GZIP_NAMES:
            shown = b", ".join(encodings).decode("latin-1")[:40]
            line = f"Content-Encoding {shown!r} is not supported; send gzip, or the plain body"
            await refusal(415, line)(scope, receive, send)
            return
        plain = (b"content-encoding", b"content-length")
        inner = {**scope, "headers": [(k, v) for k, v in scope["headers"] if k not in plain]}
        body = _GzipBody(receive)
        answer = GuardedAnswer(send, body)
        try:
            await self.app(inner, body.receive, answer.send)
        except HTTPException:
            if body.failure is None:
                raise
        await answer.refuse(scope, receive)


def _encodings(scope: Scope) -> list[bytes]:
    names = [part for value in header(scope, b"content-encoding") for part in value.split(b",")]
    return [name for name in (n.strip().lower() for n in names) if name not in (b"", b"identity")]


class _GzipBody:
    """Receives a compressed body as messages of limited size."""

    def __init__(self, receive: Receive):
        self._receive = receive
        self._pieces: Iterator[bytes] = iter(())
        self._decoder = zlib.decompressobj(_GZIP)
        self._last = self._complete = False
        self.failure: HTTPException | None = None

    async def receive(self) -> Message:
        if self._complete:  # only the disconnection may follow
            return await self._receive()
        while True:
            piece = self._next_piece()
            if piece is not None:
                return {"type": "http.request", "body": piece, "more_body": True}
            if self._last:
                self._complete = True
                if not self._decoder.eof:
                    raise self._failed("it ends too early")
                return {"type": "http.request", "body": b"", "more_body": False}
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            self._last = not message.get("more_body", False)
            self._pieces = self._decompressed(message.get("body", b""))

    def _next_piece(self) -> bytes | None:
        try:
            return next(self._pieces, None)
        except zlib.error as error:
            raise self._failed(str(error)) from error

    def _decompressed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._decoder.eof:  # a file may have several members
                self._decoder = zlib.decompressobj(_GZIP)
            piece = self._decoder.decompress(data, PIECE)
            data = self._decoder.unconsumed_tail or self._decoder.unused_data
            if piece:
                yield piece

    def _failed(self, reason: str) -> HTTPException:
        line = f"the body is no gzip data that can be read: {reason}"
        self.failure = HTTPException(400, line)
        return self.failure
