"""The middlewares, each asked by itself and then all before an application."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from support.asked import LOCAL, Headers, ask

from kerasviz.service.logs import JsonLines
from kerasviz.service.middleware import security as guard
from kerasviz.service.middleware.body_limits import BodyLimitMiddleware
from kerasviz.service.middleware.login_throttle import FREE, LoginThrottle
from kerasviz.service.middleware.request_log import LOGGER
from kerasviz.service.middleware.security import (
    COOKIE,
    HEADERS,
    guarded,
    is_loopback,
    session_cookie,
)
from kerasviz.service.settings import Limits, ServiceSettings

LIMITS = Limits(body_bytes=1000, upload_bytes=5000)
TOKEN = "a-long-token-of-letters"


async def _count(request: Request) -> Response:
    return JSONResponse({"bytes": len(await request.body())})


async def _fail(request: Request) -> Response:
    raise ZeroDivisionError("secret of the inside")


async def _framed(request: Request) -> Response:
    return Response("x", headers={"Content-Security-Policy": "default-src 'none'"})


def application(
    host: str = "127.0.0.1",
    token: str | None = None,
    allow_upload: bool = False,
    throttle: LoginThrottle | None = None,
    origins: tuple[str, ...] = (),
) -> Starlette:
    """An application behind all middlewares, which counts the bytes it gets."""
    paths = ("/", "/healthz", "/api/session", "/api/networks", "/api/renders", "/page/{name:path}")
    routes = [Route(path, _count, methods=["GET", "POST", "DELETE"]) for path in paths]
    inner = Starlette(routes=[*routes, Route("/fail", _fail), Route("/framed", _framed)])
    setting = ServiceSettings(
        Path(), host=host, token=token, allow_upload=allow_upload, origins=origins, limits=LIMITS
    )
    return guarded(inner, setting, throttle)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The lines of the log."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(JsonLines())
    LOGGER.addHandler(handler)
    level = LOGGER.level
    LOGGER.setLevel(logging.INFO)
    yield lines
    LOGGER.removeHandler(handler)
    LOGGER.setLevel(level)


# -- who may ask ---------------------------------------------------------------------------------


def bearer(secret: bytes) -> Headers:
    return [*LOCAL, (b"authorization", b"Bearer " + secret)]


def test_a_token_is_needed_for_everything_but_the_page() -> None:
    app = application(token=TOKEN)
    for path in ("/", "/healthz", "/api/session", "/page/app.js"):
        assert ask(app, "GET", path).status == 200, path
    for path in ("/api/renders", "/api/networks", "/metrics", "/v1/models/x", "/page/../api", "/x"):
        refused = ask(app, "GET", path)
        assert refused.status == 401, path
        assert refused.header("www-authenticate") == 'Bearer realm="kerasviz"'
        assert "token" in json.loads(refused.body)["error"]
    assert ask(app, "GET", "/api/renders", bearer(TOKEN.encode())).status == 200


@pytest.mark.parametrize(
    "wrong",
    [
        *(b"", TOKEN.upper().encode(), TOKEN[:-1].encode(), TOKEN.encode() + b"x", b"\xff\xfe"),
        *(b"x" * 100_000, TOKEN.encode() + b"\x00"),
        pytest.param(session_cookie(TOKEN).encode(), id="cookie"),  # another in each process
    ],
)
def test_a_wrong_token_is_refused_whatever_its_length_and_case(wrong: bytes) -> None:
    app = application(token=TOKEN)
    assert ask(app, "GET", "/api/renders", bearer(wrong)).status == 401
    cookie = f"{COOKIE}=".encode() + wrong.replace(b"\x00", b"")
    if wrong != session_cookie(TOKEN).encode():
        assert ask(app, "GET", "/api/renders", [*LOCAL, (b"cookie", cookie)]).status == 401


def test_tokens_are_compared_as_digests_of_one_length(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return a == b

    monkeypatch.setattr(guard.hmac, "compare_digest", compare)
    assert guard.same_secret(TOKEN.encode(), TOKEN)
    assert not guard.same_secret(b"x", TOKEN)
    assert {len(side) for pair in compared for side in pair} == {32}


def test_the_cookie_stands_for_the_token_but_is_not_it() -> None:
    app = application(token=TOKEN)
    value = session_cookie(TOKEN)
    assert TOKEN not in value
    cookie = [*LOCAL, (b"cookie", f"other=1; {COOKIE}={value}".encode())]
    assert ask(app, "GET", "/api/renders", cookie).status == 200
    assert ask(app, "GET", "/api/renders", [*cookie, (b"authorization", b"Bearer x")]).status == 401
    other = [*LOCAL, (b"cookie", f"{COOKIE}={session_cookie('other')}".encode())]
    assert ask(app, "GET", "/api/renders", other).status == 401
    basic = [*LOCAL, (b"authorization", b"Basic " + TOKEN.encode())]
    assert ask(app, "GET", "/api/renders", basic).status == 401


def test_after_some_wrong_tokens_even_the_right_one_has_to_wait() -> None:
    clock = [0.0]
    app = application(token=TOKEN, throttle=LoginThrottle(lambda: clock[0]))
    cookie = [*LOCAL, (b"cookie", f"{COOKIE}={session_cookie(TOKEN)}".encode())]
    for _ in range(FREE + 1):
        assert ask(app, "GET", "/api/renders", bearer(b"wrong")).status == 401
    for secret in (b"wrong", TOKEN.encode()):
        found = ask(app, "GET", "/api/renders", bearer(secret))
        assert (found.status, found.header("retry-after")) == (429, "1")
        assert "1 s" in json.loads(found.body)["error"]
    assert ask(app, "GET", "/api/renders", cookie).status == 200, "a session goes on"
    assert ask(app, "GET", "/api/renders").status == 401, "who gives none guesses nothing"
    clock[0] = 1.0
    assert ask(app, "GET", "/api/renders", bearer(TOKEN.encode())).status == 200
    for _ in range(FREE):
        assert ask(app, "GET", "/api/renders", bearer(b"wrong")).status == 401


# -- from where ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8501", "127.0.0.1:1", "[::1]:80", "[::1]"]
)
def test_on_loopback_its_own_names_are_answered(host: str) -> None:
    assert ask(application(), "GET", "/", [(b"host", host.encode())]).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "localhost@evil"),
        *("evil@localhost", "localhost/x", "localhost:x", "", "[::1", "192.168.0.1", "0.0.0.0"),
    ],
)
def test_on_loopback_another_name_is_refused(host: str) -> None:
    assert ask(application(), "GET", "/", [(b"host", host.encode())]).status == 421


def test_one_host_header_is_needed_on_loopback_only() -> None:
    assert ask(application(), "GET", "/", []).status == 421
    assert ask(application(), "GET", "/", [*LOCAL, (b"host", b"evil.example")]).status == 421
    assert ask(application("0.0.0.0"), "GET", "/", [(b"host", b"a.example")]).status == 200
    assert is_loopback("127.8.0.1") and is_loopback("[::1]") and not is_loopback("host.example")


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        (b"origin", b"http://localhost:8501", 200),
        (b"origin", b"https://localhost:8501", 200),  # behind a proxy that speaks TLS
        (b"origin", b"http://localhost:8502", 403),
        (b"origin", b"http://evil.example", 403),
        (b"origin", b"null", 403),
        (b"origin", b"file://localhost:8501", 403),
        (b"sec-fetch-site", b"same-origin", 200),
        (b"sec-fetch-site", b"none", 200),
        (b"sec-fetch-site", b"cross-site", 403),
        (b"sec-fetch-site", b"same-site", 403),
    ],
)
def test_pages_elsewhere_can_do_nothing(name: bytes, value: bytes, status: int) -> None:
    for method in ("POST", "DELETE"):
        given = [*LOCAL, (name, value)]
        assert ask(application(), method, "/api/renders", given).status == status
        assert ask(application(), "GET", "/api/renders", given).status == 200


# -- bodies --------------------------------------------------------------------------------------


def test_bytes_are_counted_however_the_body_comes() -> None:
    app = application(allow_upload=True)
    exact = ask(app, "POST", "/api/renders", chunks=[b"x" * 500] * 2)
    assert json.loads(exact.body) == {"bytes": 1000}
    over = ask(app, "POST", "/api/renders", chunks=[b"x" * 500, b"x" * 500, b"x"])
    assert over.status == 413 and "1000 bytes" in json.loads(over.body)["error"]
    assert over.header("connection") == "close"
    assert ask(app, "POST", "/api/networks", chunks=[b"x" * 500] * 10).status == 200
    assert ask(app, "POST", "/api/networks", chunks=[b"x" * 500] * 11).status == 413
    closed = application()
    assert ask(closed, "POST", "/api/networks", chunks=[b"x" * 500] * 3).status == 413


@pytest.mark.parametrize(
    ("lengths", "status"),
    [
        ([b"1001"], 413),
        ([b"9" * 5000], 413),
        ([b"-1"], 400),
        ([b"1e3"], 400),
        ([b"5", b"6"], 400),
        ([b""], 400),
        ([b"5"], 200),
    ],
)
def test_the_declared_length_decides_before_anything_is_read(
    lengths: list[bytes], status: int
) -> None:
    given = [*LOCAL, *((b"content-length", length) for length in lengths)]
    assert ask(application(), "POST", "/api/renders", given, [b"12345"]).status == status


def test_an_application_that_swallows_the_failure_does_not_change_the_answer() -> None:
    async def swallows(scope: Any, receive: Any, send: Any) -> None:
        try:
            while (await receive()).get("more_body"):
                pass
        except Exception:  # noqa: BLE001  as frameworks do
            pass
        await JSONResponse({"error": "cannot be parsed"}, 400)(scope, receive, send)

    over = ask(
        BodyLimitMiddleware(swallows, lambda scope: 3, 100),
        "POST",
        "/",
        chunks=[b"12", b"34", b"56"],
    )
    assert over.status == 413


def test_all_bodies_together_have_a_limit() -> None:
    inner = Starlette(routes=[Route("/", _count, methods=["POST"])])
    bodies = BodyLimitMiddleware(inner, lambda scope: 1000, 600)
    bodies.held = 200  # of others
    assert ask(bodies, "POST", "/", chunks=[b"x" * 400]).status == 200
    full = ask(bodies, "POST", "/", chunks=[b"x" * 400, b"x"])
    assert (full.status, full.header("retry-after")) == (429, "2")
    assert bodies.held == 200
    kept = BodyLimitMiddleware(inner, lambda scope: 1000, 600, is_kept=lambda scope: True)
    assert ask(kept, "POST", "/", chunks=[b"x" * 1000]).status == 200


def test_a_body_that_comes_too_slowly_ends() -> None:
    inner = Starlette(routes=[Route("/", _count, methods=["POST"])])
    slow = BodyLimitMiddleware(inner, lambda scope: 1000, 1000, patience=0.2, rate=1e9)
    ended = ask(slow, "POST", "/", chunks=[b"x"] * 100, pause=0.05)
    assert ended.status == 408 and "too slowly" in json.loads(ended.body)["error"]
    paid = BodyLimitMiddleware(
        inner, lambda scope: 1000, 1000, patience=0.2, rate=10
    )  # a byte buys 0.1 s
    assert ask(paid, "POST", "/", chunks=[b"x"] * 10, pause=0.05).status == 200


# -- what browsers are told, and the log ---------------------------------------------------------


def test_every_answer_has_the_security_headers() -> None:
    app = application(token=TOKEN)
    known = bearer(TOKEN.encode())
    for path, given, status in [
        ("/", LOCAL, 200),
        ("/nothing", known, 404),
        ("/fail", known, 500),
        ("/api/renders", LOCAL, 401),
        ("/", [(b"host", b"evil.example")], 421),
    ]:
        answer = ask(app, "GET", path, given)
        assert answer.status == status, path
        for name, value in HEADERS.items():
            assert answer.header(name) == value
        assert answer.header("access-control-allow-origin") is None
    framed = ask(app, "GET", "/framed", known)
    assert framed.header("content-security-policy") == "default-src 'none'"
    assert "img-src 'self' blob: data:" in HEADERS["content-security-policy"]


def test_a_failure_is_answered_in_one_line_that_tells_nothing_of_the_inside(
    log: io.StringIO,
) -> None:
    answer = ask(application(), "GET", "/fail")
    line = json.loads(answer.body)["error"]
    assert answer.status == 500 and "secret" not in line
    number = answer.header("x-request-id")
    assert number is not None and number in line
    failed, request = map(json.loads, log.getvalue().splitlines())
    assert failed["request"] == request["request"] == number
    assert "ZeroDivisionError" in failed["exception"]
    assert (request["status"], request["level"]) == (500, "error")


def test_each_request_is_one_line_of_json_without_secrets(log: io.StringIO) -> None:
    app = application(token=TOKEN)
    given = [*bearer(TOKEN.encode()), (b"cookie", f"{COOKIE}={session_cookie(TOKEN)}".encode())]
    ask(app, "POST", "/api/renders", given, [b"body with " + TOKEN.encode()])
    ask(app, "GET", '/api/session\r\n{"level": "forged"}\u2028' + "x" * 1000)
    ask(app, "GET", "/healthz", [(b"host", b"evil.example")])
    lines = log.getvalue().splitlines()
    entries = [json.loads(line) for line in lines]
    assert [entry["status"] for entry in entries] == [200, 401, 421]
    assert TOKEN not in log.getvalue() and session_cookie(TOKEN) not in log.getvalue()
    first = entries[0]
    assert (first["method"], first["path"], first["client"]) == (
        "POST",
        "/api/renders",
        "127.0.0.1",
    )
    assert first["bytes"] == len(b'{"bytes":33}') and first["seconds"] >= 0
    assert len(entries[1]["path"]) <= 300


# -- pages of other sites ------------------------------------------------------------------------

SITE = "https://example.org"


def from_site(origin: str, *more: tuple[bytes, bytes]) -> Headers:
    return [*LOCAL, (b"origin", origin.encode()), (b"sec-fetch-site", b"cross-site"), *more]


@pytest.mark.parametrize("origins", [(SITE,), ("https://other.example", SITE), ("*",)])
def test_allowed_sites_may_read_and_change(origins: tuple[str, ...]) -> None:
    app = application(token=TOKEN, origins=origins)
    secret = (b"authorization", b"Bearer " + TOKEN.encode())
    answer = ask(app, "POST", "/api/renders", from_site(SITE, secret), [b"abc"])
    assert answer.status == 200
    assert answer.header("access-control-allow-origin") in (SITE, "*")
    assert answer.header("access-control-allow-credentials") is None
    preflight = (b"access-control-request-method", b"POST")
    wanted = (b"access-control-request-headers", b"authorization,content-type")
    answer = ask(app, "OPTIONS", "/api/renders", from_site(SITE, preflight, wanted))
    assert answer.status == 200, "the browser sends no token yet"
    assert "POST" in (answer.header("access-control-allow-methods") or "")
    assert ask(app, "POST", "/api/renders", from_site(SITE)).status == 401


@pytest.mark.parametrize(
    "origin", ["https://example.org.evil", "http://example.org", "null", "https://evil"]
)
def test_other_sites_stay_outside(origin: str) -> None:
    app = application(origins=(SITE,))
    assert ask(app, "POST", "/api/renders", from_site(origin), [b"abc"]).status == 403
    answer = ask(app, "GET", "/api/renders", from_site(origin))
    assert answer.header("access-control-allow-origin") is None
    preflight = (b"access-control-request-method", b"POST")
    assert ask(app, "OPTIONS", "/api/renders", from_site(origin, preflight)).status == 400


def test_without_the_option_nobody_is_allowed() -> None:
    answer = ask(application(), "GET", "/api/renders", from_site(SITE))
    assert answer.header("access-control-allow-origin") is None
