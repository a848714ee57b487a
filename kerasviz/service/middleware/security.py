"""Middlewares before the service: token, host, origin, and security headers."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kerasviz.service.middleware.asgi import client_address, header, refusal
from kerasviz.service.middleware.body_limits import AT_ONCE, BodyLimitMiddleware
from kerasviz.service.middleware.compression import GzipRequestMiddleware
from kerasviz.service.middleware.login_throttle import LoginThrottle
from kerasviz.service.middleware.request_log import RequestLogMiddleware

if TYPE_CHECKING:
    from kerasviz.service.settings import ServiceSettings

#: The cookie that replaces the token in a browser.
COOKIE = "kerasviz_session"
#: Paths that need no token: the page, which holds no data, and the login.
PUBLIC = ("/", "/healthz", "/favicon.ico", "/api/session")
PUBLIC_FOLDERS = ("/page/",)
#: Where files are posted, which go straight to the disk.
NETWORKS, DIRECTIONS = "/api/networks", "/api/directions"
#: The headers of all answers; an answer that sets one of them keeps its value.
HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
}
_READ_METHODS = ("GET", "HEAD", "OPTIONS")
#: Signs the cookies: sessions end with the process.
_KEY = secrets.token_bytes(32)

Application = TypeVar("Application", bound=Any)


def guarded(
    app: Application, setting: ServiceSettings, throttle: LoginThrottle | None = None
) -> Application:
    """Add all middlewares to a Starlette or FastAPI application, and return it.

    From outside to inside: security headers, request log, Host header (on loopback), CORS (if sites
    are allowed), origin, token (if one is set), compression, and the limits on bodies.
    """
    limits = setting.limits

    def is_upload(scope: Scope) -> bool:
        posted = scope["method"] == "POST" and scope["path"] in (NETWORKS, DIRECTIONS)
        return posted and setting.allow_upload

    def most(scope: Scope) -> int:
        if not is_upload(scope):
            return limits.body_bytes
        return limits.upload_bytes if scope["path"] == NETWORKS else limits.direction_bytes

    # The last one added is the outermost.
    app.add_middleware(
        BodyLimitMiddleware, limit=most, together=AT_ONCE * limits.body_bytes, is_kept=is_upload
    )
    app.add_middleware(GzipRequestMiddleware)
    if setting.token is not None:
        app.add_middleware(
            TokenMiddleware, token=setting.token, throttle=throttle or LoginThrottle()
        )
    app.add_middleware(OriginMiddleware, allowed=setting.origins)
    if setting.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=setting.origins,
            allow_methods=("GET", "HEAD", "POST", "PUT", "DELETE"),
            allow_headers=("Authorization", "Content-Type", "Content-Encoding"),
        )
    if is_loopback(setting.host):
        app.add_middleware(HostMiddleware, hosts=("localhost", "127.0.0.1", "::1", setting.host))
    app.add_middleware(RequestLogMiddleware)
    app.add_middleware(SecurityHeadersMiddleware, framed_by=setting.framed_by)
    return app


def is_loopback(host: str) -> bool:
    """Tell whether an address is reached from this machine only.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


# -- the token -----------------------------------------------------------------------------------


def same_secret(given: bytes, wanted: str) -> bool:
    """Compare with a secret in a time that tells nothing about it, not even its length."""
    digests = (hashlib.sha256(secret).digest() for secret in (given, wanted.encode()))
    return hmac.compare_digest(*digests)


def session_cookie(token: str) -> str:
    """Return the cookie for a token, which only this process can compute.

    Otherwise cookies could be used to guess tokens without any wait.
    """
    return hmac.new(_KEY, token.encode(), hashlib.sha256).hexdigest()


def too_many_tokens(seconds: int) -> str:
    """Return the error for a client that sent too many wrong tokens."""
    return f"too many wrong tokens; give the right one in {seconds} s"


class TokenMiddleware:
    """Answers 401 to requests without the token, and 429 after too many wrong ones.

    The token comes as ``Authorization: Bearer TOKEN`` or by the cookie, which cannot be guessed.
    The page's files, which hold no data, ``/healthz`` and ``/api/session`` need none.
    """

    def __init__(self, app: ASGIApp, token: str, throttle: LoginThrottle):
        self.app, self.token, self.session = app, token, session_cookie(token)
        self.throttle = throttle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_public(scope["path"]):
            await self.app(scope, receive, send)
            return
        client, given = client_address(scope), header(scope, b"authorization")
        seconds = self.throttle.seconds_left(client) if given else 0
        if seconds:
            refused = refusal(429, too_many_tokens(seconds), {"retry-after": str(seconds)})
            await refused(scope, receive, send)
            return
        if self._allowed(scope, given):
            if given:
                self.throttle.clear(client)
            await self.app(scope, receive, send)
            return
        if given:
            self.throttle.add_wrong(client)
        line = "this needs the token that the service was started with: Authorization: Bearer TOKEN"
        refused = refusal(401, line, {"www-authenticate": 'Bearer realm="kerasviz"'})
        await refused(scope, receive, send)

    def _allowed(self, scope: Scope, given: list[bytes]) -> bool:
        if given:
            scheme, _, secret = given[0].partition(b" ")
            right = same_secret(secret.strip(), self.token)
            return len(given) == 1 and scheme.lower() == b"bearer" and right
        cookie = HTTPConnection(scope).cookies.get(COOKIE, "")
        return same_secret(cookie.encode(), self.session)


def _is_public(path: str) -> bool:
    return path in PUBLIC or (path.startswith(PUBLIC_FOLDERS) and ".." not in path)


# -- host and origin -----------------------------------------------------------------------------


class HostMiddleware:
    """Answers 421 to requests whose Host header names another host.

    A foreign page can point its own name at 127.0.0.1 and then send requests as if it were local
    (DNS rebinding); the Host header still has its name.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]):
        self.app, self.hosts = app, frozenset(host.strip("[]").lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._known(header(scope, b"host")):
            await self.app(scope, receive, send)
            return
        line = "this service is for its own machine; ask http://localhost:PORT"
        await refusal(421, line)(scope, receive, send)

    def _known(self, given: list[bytes]) -> bool:
        return len(given) == 1 and _host_of(given[0]) in self.hosts


def _host_of(line: bytes) -> str | None:
    """Return the name in a Host header, without its port; None if it is malformed."""
    try:
        parts = urlsplit("//" + line.decode("ascii"))
        _ = parts.port  # a port that is no number raises
    except ValueError:
        return None
    if parts.username is not None or parts.path or parts.query or parts.fragment:
        return None
    return parts.hostname


class OriginMiddleware:
    """Answers 403 where a page of another site wants to change something, unless it is ``allowed``.

    Reading needs no such check: without CORS headers, other sites cannot see an answer.
    """

    def __init__(self, app: ASGIApp, allowed: Iterable[str] = ()):
        self.app, self.allowed = app, frozenset(origin.lower() for origin in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] == "http"
            and scope["method"] not in _READ_METHODS
            and not self._is_allowed(scope)
            and _from_other_site(scope)
        ):
            line = "pages of other sites may not use this service"
            await refusal(403, line)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        origins = [value.decode("latin-1").lower() for value in header(scope, b"origin")]
        return len(origins) == 1 and (origins[0] in self.allowed or "*" in self.allowed)


def _from_other_site(scope: Scope) -> bool:
    if any(value in (b"cross-site", b"same-site") for value in header(scope, b"sec-fetch-site")):
        return True
    hosts = [value.decode("latin-1").lower() for value in header(scope, b"host")]
    for origin in header(scope, b"origin"):
        scheme, _, host = origin.decode("latin-1").lower().partition("://")
        if scheme not in ("http", "https") or [host] != hosts:
            return True
    return False


# -- security headers ----------------------------------------------------------------------------


class SecurityHeadersMiddleware:
    """Adds those of the :data:`HEADERS` that an answer does not have.

    Pages of the sites ``framed_by`` may show the page in a frame; others may not.
    """

    def __init__(self, app: ASGIApp, framed_by: Iterable[str] = ()):
        self.app, self.headers = app, dict(HEADERS)
        if sites := " ".join(framed_by):
            policy = self.headers["content-security-policy"]
            framed = policy.replace("frame-ancestors 'none'", f"frame-ancestors {sites}")
            self.headers["content-security-policy"] = framed
            del self.headers["x-frame-options"]  # which knows no list of sites

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)
