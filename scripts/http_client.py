"""A small HTTP client on one connection: two hundred of them leave the machine to the server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from types import TracebackType

__all__ = ["Client"]


class Client:
    """Asks 127.0.0.1, and connects again where the connection was closed."""

    def __init__(self, port: int, headers: Mapping[str, str] | None = None):
        self.port = port
        self.headers = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; the next request makes another."""
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
        self._reader = self._writer = None

    async def ask(self, method: str, address: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of an answer.

        A connection that was kept and is closed meanwhile is made again, once. Raises ``OSError``
        and ``EOFError`` where there is no whole answer.
        """
        kept = self._writer is not None
        try:
            return await self._once(method, address, body)
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            await self.close()
            partial = isinstance(error, asyncio.IncompleteReadError) and error.partial
            if not kept or partial:
                raise
        return await self._once(method, address, body)

    async def _once(self, method: str, address: str, body: bytes) -> tuple[int, bytes]:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(
                "127.0.0.1", self.port, limit=2**20
            )
        head = (
            f"{method} {address.replace(' ', '%20')} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{self.headers}\r\n"
        )
        self._writer.write(head.encode())
        self._writer.write(body)
        await self._writer.drain()
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        if headers.get("transfer-encoding") == "chunked":
            found = await self._chunks(self._reader)
        else:
            found = await self._reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection") == "close":
            await self.close()
        return int(lines[0].split()[1]), found

    async def _chunks(self, reader: asyncio.StreamReader) -> bytes:
        found = bytearray()
        while size := int((await reader.readline()).split(b";")[0] or b"0", 16):
            found += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readline()
        return bytes(found)
