"""The login of browsers: a form that exchanges an API key for a session."""

from __future__ import annotations

import html
import re

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ocelot.web.api.bodies import check_charset
from ocelot.web.api.problems import Refusal
from ocelot.web.security.keys import COOKIE, SESSION_SECONDS, Keys, Sessions

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_LOCAL = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")  # a path, without backslashes
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ocelot: sign in</title>
<style>
:root {{ color-scheme: light dark; --ink: #1c1917; --paper: #fafaf9; --line: #d6d3d1;
  --accent: #b45309; --wrong: #b91c1c; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #f5f5f4; --paper: #1c1917; --line: #57534e; --accent: #f59e0b;
    --wrong: #fca5a5; }}
}}
* {{ box-sizing: border-box; }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
  background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }}
form {{ width: 100%; max-width: 22rem; display: grid; gap: .75rem; }}
h1 {{ margin: 0; font-size: 1.5rem; }}
p {{ margin: 0; }}
.wrong {{ color: var(--wrong); }}
input, button {{ width: 100%; padding: .7rem .8rem; border-radius: .5rem; font: inherit; }}
input {{ border: 1px solid var(--line); background: transparent; color: inherit; }}
button {{ border: 0; background: var(--accent); color: var(--paper); font-weight: 600;
  cursor: pointer; }}
:focus-visible {{ outline: 2px solid var(--accent); outline-offset: 2px; }}
</style>
</head>
<body>
<form method="post" action="/login">
<h1>Ocelot</h1>
<label for="key">API key</label>
<input id="key" name="key" type="password" autocomplete="current-password" required autofocus>
<input name="next" type="hidden" value="{next}">
{error}<button>Sign in</button>
</form>
</body>
</html>
"""
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


@router.get("/login")
async def show(request: Request) -> Response:
    """The login form."""
    return _form(request.query_params.get("next", "/"))


@router.post("/login")
async def enter(request: Request) -> Response:
    """Start a session and go on to the page that the browser asked for."""
    check_charset(request)
    try:
        async with request.form(max_files=0, max_fields=8, max_part_size=8192) as form:
            key, target = (str(form.get(name, "")) for name in ("key", "next"))
    except HTTPException:
        raise Refusal(400, "The form cannot be read.") from None
    keys: Keys = request.app.state.keys
    sessions: Sessions = request.app.state.sessions
    if not keys.accept(key.strip().encode("utf-8", "replace")):
        return _form(target, "This key is wrong.", 401)
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


def _form(target: str, error: str = "", status: int = 200) -> Response:
    text = f'<p class="wrong" role="alert">{html.escape(error)}</p>\n' if error else ""
    page = _PAGE.format(next=html.escape(_local(target)), error=text)
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return HTMLResponse(page, status, headers)


def _local(target: str) -> str:
    """The target if it is a path of this server, else "/".

    >>> _local("/v1/collection"), _local("//evil.example"), _local("https://evil.example")
    ('/v1/collection', '/', '/')
    """
    return target if _LOCAL.fullmatch(target) else "/"
