"""The application: a service, and around it the API, its guards and the page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware

from ocelot import __version__
from ocelot.service import Limits, Service
from ocelot.settings import Settings
from ocelot.web.api import collection, health, items, search
from ocelot.web.api.openapi import complete
from ocelot.web.api.problems import HANDLERS
from ocelot.web.fence import Fence
from ocelot.web.security import login
from ocelot.web.security.body_limits import BodyLimit
from ocelot.web.security.headers import SecurityHeaders
from ocelot.web.security.keys import Keys, Locked, Sessions
from ocelot.web.security.middleware import EndableStreams, Observed, Stop, WhileConnected
from ocelot.web.security.origins import KnownHosts, OwnOrigin, Preflights, cors, origins_of

__all__ = ["create_app", "describe", "stop_streams"]

_ROUTERS = (search.router, items.router, collection.router, health.router)
_ABOUT = "A picture and a sentence in, the picture meant out, with the reason."
_TAGS = [
    {"name": "search", "description": "Find pictures by pictures and words."},
    {"name": "items", "description": "The pictures in the collection."},
    {"name": "collection", "description": "What there is to search."},
    {"name": "operation", "description": "How the server is."},
]


def create_app(
    service: Service,
    settings: Settings,
    *,
    page: bool = True,
    hosts: Iterable[str] | None = None,
) -> FastAPI:
    """The HTTP API over a service, and the page. Closing the service stays with the caller.

    Args:
        settings: For `api_keys` and `cors_origins`.
        page: Whether to mount the page at /.
        hosts: Names that the server goes by; others are refused. None takes all of them.

    Raises:
        ConfigurationError: The setting api_keys holds no key, or cors_origins what is no origin.
    """
    origins = origins_of(settings.cors_origins)
    keys = None if settings.api_keys is None else Keys(settings.api_keys)
    sessions, stop = Sessions(), Stop()
    guards = [
        Middleware(SecurityHeaders, embeddable=bool(origins)),
        Middleware(Observed, metrics=service.metrics, stop=stop),
        *([] if hosts is None else [Middleware(KnownHosts, hosts=tuple(hosts))]),
        Middleware(Preflights),
        cors(origins),
        Middleware(OwnOrigin, origins=origins),
        *([Middleware(Locked, keys=keys, sessions=sessions)] if keys else []),
        Middleware(EndableStreams, stop=stop),
        Middleware(WhileConnected, metrics=service.metrics),
        Middleware(BodyLimit, limits=service.limits, stop=stop),
    ]
    app = _bare(guards)
    app.state.service, app.state.stop = service, stop
    if keys is not None:
        app.state.keys, app.state.sessions = keys, sessions
        app.include_router(login.router)
    _describe_with(app, service.limits, service.rerankers, locked=keys is not None)
    app.router.routes.append(Fence(app.router.routes))
    if page:
        from ocelot.web.page import mount_page

        mount_page(app, service, locked=keys is not None)
    return app


def stop_streams(app: FastAPI) -> None:
    """Let the server stop: the page's endless streams end, bodies that are not there yet are
    waited for no longer, and /readyz says 503 from now on.

    Call it in the server's event loop, as from a signal handler there.
    """
    app.state.stop.say()


def describe(
    *, rerankers: Iterable[str] = ("llm", "fusion"), locked: bool = True
) -> dict[str, Any]:
    """The OpenAPI description of a server, without one.

    Args:
        rerankers: Those on offer.
        locked: Whether it asks for a key.
    """
    app = _bare([])
    _describe_with(app, Limits(), rerankers, locked=locked)
    return app.openapi()


def _bare(guards: list[Middleware]) -> FastAPI:
    app = FastAPI(
        title="Ocelot",
        summary="Composed image search.",
        description=_ABOUT,
        version=__version__,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=_TAGS,
        docs_url=None,  # its pages load scripts from other hosts
        redoc_url=None,
        redirect_slashes=False,
        middleware=guards,
        exception_handlers=dict(HANDLERS),
    )
    for router in _ROUTERS:
        app.include_router(router)
    return app


def _describe_with(app: FastAPI, limits: Limits, rerankers: Iterable[str], *, locked: bool) -> None:
    schema = complete(app.openapi(), limits, tuple(rerankers), locked=locked)
    app.openapi = lambda: schema  # type: ignore[method-assign]
