"""Clients that send or read slowly, on real connections."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from kerasviz.service.middleware.connections import PatientProtocol


class Impatient(PatientProtocol):
    head_seconds = 0.5
    head_bytes = 2000
    read_seconds = 0.5


async def _large(request: Request) -> Response:
    return PlainTextResponse("x" * 50_000_000)


async def _small(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    app = Starlette(routes=[Route("/large", _large), Route("/", _small, methods=["GET", "POST"])])
    config = uvicorn.Config(app, port=0, log_level="error", http=Impatient, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        yield client


def answer(client: socket.socket) -> bytes:
    """One answer, its head and its body, which may come one after the other."""
    received = b""
    while True:
        head, end, body = received.partition(b"\r\n\r\n")
        if end and len(body) >= int(head.lower().partition(b"content-length: ")[2].split()[0]):
            return received
        piece = client.recv(2**16)
        assert piece, received
        received += piece


def until_closed(client: socket.socket) -> bytes:
    received = bytearray()
    try:
        while piece := client.recv(2**16):
            received += piece
    except ConnectionResetError:
        pass
    return bytes(received)


def test_a_head_that_never_ends_is_cut_off(port: int) -> None:
    with connected(port) as silent, connected(port) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        assert until_closed(silent) == b""
        assert until_closed(slow) == b""


def test_the_second_head_of_a_connection_must_come_too(port: int) -> None:
    with connected(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer(client).endswith(b"0")
        client.sendall(b"GET / HTTP/1.1\r\nHost: loc")
        assert until_closed(client) == b""


def test_a_head_without_end_is_not_collected(port: int) -> None:
    with connected(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        try:
            for _ in range(100):
                client.sendall(b"X: " + b"x" * 1000 + b"\r\n")
                time.sleep(0.001)
        except OSError:
            return
        assert until_closed(client) == b""


def test_an_answer_that_nobody_reads_ends(port: int) -> None:
    with connected(port) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(1.5)
        assert len(until_closed(client)) < 50_000_000


def test_whoever_works_is_left_in_peace(port: int) -> None:
    """A body is not the head, and an answer that is read goes on."""
    with connected(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000\r\n\r\n")
        for _ in range(3):
            time.sleep(0.3)
            client.sendall(b"x" * 1000)
        assert answer(client).endswith(b"3000")
    with connected(port) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        received = 0
        while piece := client.recv(2**20):
            received += len(piece)
            time.sleep(0.01)
        assert received > 50_000_000
