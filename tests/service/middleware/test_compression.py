"""Compressed bodies: read like plain ones, within the same limits."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from support.asked import LOCAL, Answer, ask

from kerasviz.service.middleware import compression
from kerasviz.service.middleware.security import guarded
from kerasviz.service.settings import Limits, ServiceSettings

GZIP = (b"content-encoding", b"gzip")
LIMIT = 100_000


async def _digest(request: Request) -> Response:
    body = await request.body()
    return JSONResponse({"bytes": len(body), "sum": zlib.crc32(body)})


def send(chunks: Iterable[bytes], *headers: tuple[bytes, bytes]) -> Answer:
    inner = Starlette(routes=[Route("/api", _digest, methods=["POST"])])
    app = guarded(inner, ServiceSettings(Path(), limits=Limits(body_bytes=LIMIT)))
    return ask(app, "POST", "/api", [*LOCAL, *headers], chunks)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[k : k + size] for k in range(0, len(data), size)]


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("size", [0, 1, 5000, LIMIT])
@pytest.mark.parametrize("chunk", [1000, 10**9])
def test_a_compressed_body_is_read_like_the_plain_one(size: int, chunk: int) -> None:
    body = noise(size)
    answer = send(cut(gzip.compress(body), chunk), GZIP)
    assert answer.status == 200, answer.body
    assert json.loads(answer.body) == {"bytes": size, "sum": zlib.crc32(body)}


def test_members_one_behind_the_other_are_one_body() -> None:
    body = noise(3000)
    packed = gzip.compress(body[:1000]) + gzip.compress(body[1000:])
    assert json.loads(send(cut(packed, 7), GZIP).body)["sum"] == zlib.crc32(body)


def test_limits_hold_for_the_decompressed_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []
    original = compression._GzipBody.receive

    async def receive(self: Any) -> Any:
        message = await original(self)
        lengths.append(len(message.get("body", b"")))
        return message

    monkeypatch.setattr(compression._GzipBody, "receive", receive)
    bomb = gzip.compress(bytes(50 * 2**20))
    assert len(bomb) < LIMIT
    answer = send([bomb], GZIP)
    assert answer.status == 413
    assert f"longer than {LIMIT} bytes" in json.loads(answer.body)["error"]
    assert sum(lengths) <= 2 * compression.PIECE, "the rest stays compressed"


@pytest.mark.parametrize(
    "damaged",
    [
        b"{}",
        gzip.compress(noise(999))[:-9],
        gzip.compress(noise(999))[:300] + b"x" + gzip.compress(noise(999))[301:],
        b"\x1f\x8b" + noise(50),
        b"",
    ],
    ids=["plain", "cut", "changed", "noise", "empty"],
)
def test_a_damaged_body_is_refused_in_one_line(damaged: bytes) -> None:
    answer = send([damaged], GZIP)
    assert answer.status == 400, answer.body
    assert json.loads(answer.body)["error"].startswith("the body is no gzip data")


@pytest.mark.parametrize("encoding", [b"br", b"deflate", b"gzip, gzip", b"\xff"])
def test_other_encodings_are_refused(encoding: bytes) -> None:
    answer = send([b"{}"], (b"content-encoding", encoding))
    assert answer.status == 415
    assert "send gzip, or the plain body" in json.loads(answer.body)["error"]


@pytest.mark.parametrize("encoding", [b"identity", b"", b"GZIP, identity", b"x-gzip"])
def test_names_of_encodings(encoding: bytes) -> None:
    body = noise(10)
    sent = gzip.compress(body) if b"gzip" in encoding.lower() else body
    answer = send([sent], (b"content-encoding", encoding))
    assert json.loads(answer.body)["sum"] == zlib.crc32(body)
