"""The service behind the API, for routes that need it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from ocelot.service import Service
from ocelot.web.api.problems import Refusal

__all__ = ["Running"]


async def _running(request: Request) -> Service:
    service: Service = request.app.state.service
    if service.closed:
        raise Refusal(503, "The server is stopping; try again later.")
    return service


Running = Annotated[Service, Depends(_running)]
