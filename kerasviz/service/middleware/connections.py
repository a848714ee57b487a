"""Connections that do not wait for ever: for the head of a request, or for someone who reads."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["PatientProtocol"]


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol (``http=PatientProtocol``) with limits that it does not have.

    The head of a request must come within ``head_seconds`` and ``head_bytes``; an answer of which
    nothing is taken for ``read_seconds`` ends. Bodies have their limits in
    :class:`kerasviz.service.middleware.body_limits.BodyLimitMiddleware`.
    """

    head_seconds = 10.0
    head_bytes = 64 * 1024
    read_seconds = 60.0

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self._head_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None
        self._head_taken = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._head_timer = _stopped(self._head_timer)
            self._head_taken = 0
            return
        self._head_taken += len(data)
        if self._head_taken > self.head_bytes:
            self.transport.abort()
        elif self._head_timer is None:
            self._wait_for_head()

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self._no_head)

    def _no_head(self) -> None:
        self._head_timer = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._read_timer is None:
            self._wait_for_reader()

    def _wait_for_reader(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._read_timer = self.loop.call_later(self.read_seconds, self._no_reader, left)

    def _no_reader(self, before: int) -> None:
        if self.transport.get_write_buffer_size() < before:  # it reads slowly, but it does
            self._wait_for_reader()
        else:
            self.transport.abort()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._read_timer = _stopped(self._read_timer)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._head_timer = _stopped(self._head_timer)
        self._read_timer = _stopped(self._read_timer)


def _stopped(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """Stop a timer; what stands in its place is no timer."""
    if timer is not None:
        timer.cancel()
    return None
