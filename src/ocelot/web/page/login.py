"""The login of browsers: a form that exchanges an API key for a session."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from ocelot.web.api.problems import Problem
from ocelot.web.page.rendering import form_of, send, static, texts_of
from ocelot.web.security.access import BLOCKED_SECONDS, COOKIE, SESSION_SECONDS

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
router.include_router(static)

_LOCAL = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")  # a path, without backslashes


@router.get("/login")
async def show(request: Request) -> Response:
    return _form(request, request.query_params.get("next", "/"))


@router.post("/login")
async def enter(request: Request) -> Response:
    """Start a session and go on to the page that the browser asked for."""
    try:
        async with form_of(request, max_fields=8, max_part_size=8192) as form:
            key, target = (str(form.get(name, "")) for name in ("key", "next"))
    except HTTPException:
        raise Problem(400, "The form cannot be read.") from None
    state, t = request.app.state, texts_of(request)
    client = request.client.host if request.client else ""
    if state.attempts.blocked(client):
        error = t("login.often", seconds=BLOCKED_SECONDS)
        return _form(request, target, error, 429, {"Retry-After": str(BLOCKED_SECONDS)})
    if not state.keys.accept(key.strip().encode("utf-8", "replace")):
        state.attempts.failed(client)
        return _form(request, target, t("login.wrong"), 401, {"WWW-Authenticate": "Bearer"})
    response = RedirectResponse(_local(target), 303)
    ticket, secure = state.sessions.ticket(), request.url.scheme == "https"
    response.set_cookie(
        COOKIE, ticket, SESSION_SECONDS, httponly=True, samesite="strict", secure=secure
    )
    return response


@router.post("/logout")
async def leave(request: Request) -> Response:
    """End the session in this browser."""
    response = RedirectResponse("/login", 303)
    secure = request.url.scheme == "https"
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=secure)
    return response


def _form(
    request: Request,
    target: str,
    error: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    ended = not error and COOKIE in request.cookies  # one that is not accepted any more
    values = {"next": _local(target), "error": error, "ended": ended, "root": ""}
    response = send(request, "login.html", status, **values)
    response.headers.update({"Cache-Control": "no-store", **(headers or {})})
    return response


def _local(target: str) -> str:
    """The target if it is a path of this server, else "/".

    >>> _local("/v1/collection"), _local("//evil.example"), _local("https://evil.example")
    ('/v1/collection', '/', '/')
    """
    return target if _LOCAL.fullmatch(target) else "/"
