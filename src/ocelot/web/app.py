"""The web application: the HTTP API, its middleware, and the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from ocelot import __version__
from ocelot.service import Service
from ocelot.settings import Settings
from ocelot.web.api import bulk, encoding, items, search, server
from ocelot.web.api.openapi import complete
from ocelot.web.api.problems import HANDLERS
from ocelot.web.page import login
from ocelot.web.page.rendering import ProblemPages
from ocelot.web.page.routes import create_page
from ocelot.web.reference import page as reference
from ocelot.web.security.access import (
    Attempts,
    Keys,
    ReadOnly,
    RequireKey,
    SameOrigin,
    Sessions,
    origins_of,
)
from ocelot.web.security.body_limits import BodyLimits, Shutdown
from ocelot.web.security.middleware import RequestLog, SecurityHeaders

__all__ = ["create_app", "describe", "stop_streams"]

_ROUTERS = (
    search.router, items.router, bulk.router, encoding.router, server.router, reference.router,
)  # fmt: skip
_TAGS = [
    {"name": "search", "description": "Find pictures by pictures and text."},
    {"name": "items", "description": "The pictures in the collection."},
    {"name": "encoder", "description": "What the collection's encoder computes."},
    {"name": "collection", "description": "The collection that is searched."},
    {"name": "operation", "description": "Health and metrics."},
]


def create_app(
    service: Service,
    settings: Settings,
    *,
    page: bool = True,
    hosts: Sequence[str] | None = None,
) -> FastAPI:
    """The HTTP API over a service, and the page. The caller closes the service.

    Args:
        settings: Gives `api_keys`, `cors_origins` and `read_only`.
        page: Whether to serve the page at /.
        hosts: Names of the server; requests with another Host are refused, which protects a local
            server from DNS rebinding. None allows all names.

    Raises:
        ConfigurationError: The setting api_keys holds no key, or cors_origins an entry that is
            not an origin.
    """
    origins = origins_of(settings.cors_origins)
    keys = None if settings.api_keys is None else Keys(settings.api_keys)
    sessions, shutdown = Sessions(), Shutdown()
    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=("GET", "HEAD", "POST", "PATCH", "DELETE"),
        allow_headers=("Authorization", "X-API-Key", "X-Request-Id", "Last-Event-ID"),
        expose_headers=("ETag", "Location", "Retry-After", "X-Request-Id"),
    )
    trusted = Middleware(
        TrustedHostMiddleware,
        allowed_hosts=[name.lower() for name in hosts or ()],
        www_redirect=False,
    )
    app = _api(
        Middleware(SecurityHeaders, embeddable=bool(origins)),
        *([Middleware(ProblemPages)] if page else []),
        Middleware(RequestLog, metrics=service.metrics, shutdown=shutdown),
        *([trusted] if hosts is not None else []),
        cors,
        Middleware(SameOrigin, origins=origins),
        *([Middleware(RequireKey, keys=keys, sessions=sessions)] if keys else []),
        *([Middleware(ReadOnly)] if settings.read_only else []),
        Middleware(BodyLimits, limits=service.limits, shutdown=shutdown, metrics=service.metrics),
    )
    app.state.service, app.state.shutdown = service, shutdown
    app.state.locked, app.state.writable = keys is not None, not settings.read_only
    if keys is not None:
        app.state.keys, app.state.sessions, app.state.attempts = keys, sessions, Attempts()
        app.include_router(login.router)
    # Made when it is first asked for, as it takes as long as all else.
    made = cache(lambda: describe(rerankers=service.rerankers, locked=keys is not None))
    app.openapi = made  # type: ignore[method-assign]
    if page:
        app.include_router(create_page(service, shutdown))
    return app


def stop_streams(app: FastAPI) -> None:
    """Prepare to stop: end event streams that wait, stop waiting for bodies, answer /readyz 503.

    Call it in the server's event loop.
    """
    app.state.shutdown.begin()


def describe(
    *, rerankers: Iterable[str] = ("llm", "fusion"), locked: bool = True
) -> dict[str, Any]:
    """The OpenAPI description of a server with these rerankers, and with API keys if locked."""
    return complete(_api().openapi(), tuple(rerankers), locked=locked)


def _api(*middleware: Middleware) -> FastAPI:
    app = FastAPI(
        title="Ocelot",
        summary="Composed image search.",
        description="Search pictures with a picture and a sentence.",
        version=__version__,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=_TAGS,
        docs_url=None,  # these pages load scripts from other hosts; ours is in `reference`
        redoc_url=None,
        redirect_slashes=False,
        middleware=middleware,
        exception_handlers=dict(HANDLERS),
        telemetry={"tracing": False, "logs": False},  # these hold questions; RequestLog has a span
    )
    for router in _ROUTERS:
        app.include_router(router)
    return app
