"""The login of browsers: a form that exchanges an API key for a session."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from ocelot.web.api.bodies import check_charset
from ocelot.web.api.problems import Problem
from ocelot.web.page.rendering import send, static, texts_of
from ocelot.web.security.attempts import Attempts
from ocelot.web.security.keys import COOKIE, SESSION_SECONDS, Keys, Sessions

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
router.include_router(static)

_LOCAL = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")  # a path, without backslashes


@router.get("/login")
async def show(request: Request) -> Response:
    """The login form."""
    return _form(request, request.query_params.get("next", "/"))


@router.post("/login")
async def enter(request: Request) -> Response:
    """Start a session and go on to the page that the browser asked for."""
    check_charset(request)
    try:
        async with request.form(max_files=0, max_fields=8, max_part_size=8192) as form:
            key, target = (str(form.get(name, "")) for name in ("key", "next"))
    except HTTPException:
        raise Problem(400, "The form cannot be read.") from None
    keys: Keys = request.app.state.keys
    sessions: Sessions = request.app.state.sessions
    attempts: Attempts = request.app.state.attempts
    client, t = request.client.host if request.client else "", texts_of(request)
    if seconds := attempts.wait(client):
        response = _form(request, target, t("login.often", seconds=seconds), 429)
        response.headers["Retry-After"] = str(seconds)
        return response
    if not keys.accept(key.strip().encode("utf-8", "replace")):
        attempts.failed(client)
        response = _form(request, target, t("login.wrong"), 401)
        response.headers["WWW-Authenticate"] = "Bearer"
        return response
    response = RedirectResponse(_local(target), 303)
    response.set_cookie(
        COOKIE,
        sessions.ticket(),
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@router.post("/logout")
async def leave(request: Request) -> Response:
    """End the session in this browser."""
    response = RedirectResponse("/login", 303)
    response.delete_cookie(
        COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
    return response


def _form(request: Request, target: str, error: str = "", status: int = 200) -> Response:
    ended = not error and COOKIE in request.cookies  # one that is not accepted any more
    values = {"next": _local(target), "error": error, "ended": ended, "root": ""}
    response = send(request, "login.html", status, **values)
    response.headers["Cache-Control"] = "no-store"
    return response


def _local(target: str) -> str:
    """The target if it is a path of this server, else "/".

    >>> _local("/v1/collection"), _local("//evil.example"), _local("https://evil.example")
    ('/v1/collection', '/', '/')
    """
    return target if _LOCAL.fullmatch(target) else "/"
