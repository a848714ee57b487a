"""Sessions of browsers: the token is sent once, a cookie replaces it afterwards."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, Field

from kerasviz.service.api.responses import ERRORS
from kerasviz.service.api.state import State
from kerasviz.service.middleware.asgi import client_address
from kerasviz.service.middleware.security import (
    COOKIE,
    same_secret,
    session_cookie,
    too_many_tokens,
)

router = APIRouter(tags=["session"], responses=ERRORS)


class TokenForm(BaseModel):
    """The token that begins a session."""

    token: str = Field(max_length=1000)


@router.post("/api/session", status_code=204)
async def begin(form: TokenForm, request: Request, state: State) -> Response:
    """Exchange the token for a cookie that scripts cannot read and other sites cannot use."""
    answer, token = Response(status_code=204), state.setting.token
    if token is None:
        return answer
    client = client_address(request.scope)
    if seconds := state.throttle.seconds_left(client):
        raise HTTPException(429, too_many_tokens(seconds), {"Retry-After": str(seconds)})
    if not same_secret(form.token.encode("utf-8", "surrogatepass"), token):
        state.throttle.add_wrong(client)
        raise HTTPException(401, "this is not the token that the service was started with")
    state.throttle.clear(client)
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
    """Delete the cookie."""
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict", path="/")
    return answer
