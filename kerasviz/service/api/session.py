"""The session of a browser: the token is given once, a cookie stands for it afterwards."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, Field

from kerasviz.service.api.responses import ERRORS
from kerasviz.service.middleware.login_throttle import Guesses
from kerasviz.service.middleware.security import (
    COOKIE,
    client_address,
    later,
    same_secret,
    session_cookie,
)

__all__ = ["session_router"]


class TokenForm(BaseModel):
    """What a browser sends to begin a session."""

    token: str = Field(max_length=1000)


def session_router(token: str | None, guesses: Guesses) -> APIRouter:
    """The routes of ``/api/session``; without a token there is nothing to give."""
    router = APIRouter(tags=["session"], responses=ERRORS)

    @router.post("/api/session", status_code=204)
    async def begin(given: TokenForm, request: Request) -> Response:
        """Exchange the token for a cookie that scripts cannot read and other sites not use."""
        answer = Response(status_code=204)
        if token is None:
            return answer
        client = client_address(request.scope)
        if seconds := guesses.wait(client):
            raise HTTPException(429, later(seconds), {"Retry-After": str(seconds)})
        if not same_secret(given.token.encode("utf-8", "surrogatepass"), token):
            guesses.wrong(client)
            raise HTTPException(401, "this is not the token that the service was started with")
        guesses.right(client)
        answer.set_cookie(
            COOKIE,
            session_cookie(token),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
            path="/",
        )
        return answer

    @router.delete("/api/session", status_code=204)
    async def end() -> Response:
        """Take the cookie back."""
        answer = Response(status_code=204)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict", path="/")
        return answer

    return router
