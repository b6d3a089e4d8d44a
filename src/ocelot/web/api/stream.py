"""An answer as server-sent events: the hits at once, the ranking when it is ready."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

from ocelot.service import Answer
from ocelot.web.api.problems import problem_of
from ocelot.web.api.responses import SearchAnswer

__all__ = ["events"]

_KEEP_ALIVE = 15.0  # seconds; proxies close a connection that is silent for longer


async def events(
    found: Answer, rerank: Callable[[], Awaitable[Answer]] | None
) -> AsyncIterator[bytes]:
    """The events `hits`, `ranking` if `rerank` is given (`error` if it fails), and `done`."""
    hits = _event("hits", SearchAnswer.of(found).model_dump_json())
    if rerank is None:
        yield hits
    else:
        ranking = asyncio.ensure_future(rerank())  # runs while the hits are sent
        try:
            yield hits
            while not (await asyncio.wait({ranking}, timeout=_KEEP_ALIVE))[0]:
                yield b": keep-alive\n\n"
            ranked = SearchAnswer.of(ranking.result())
        except Exception as error:
            yield _event("error", json.dumps(problem_of(error).body()))
        else:
            yield _event("ranking", ranked.model_dump_json())
        finally:
            ranking.cancel()
    yield _event("done", "{}")


def _event(name: str, data: str) -> bytes:
    # JSON text has no line breaks, so one data line holds it.
    return f"event: {name}\ndata: {data}\n\n".encode()
