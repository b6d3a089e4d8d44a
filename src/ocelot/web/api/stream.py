"""An answer as server-sent events: the hits at once, the verdict when it is there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

from ocelot.service import Answer
from ocelot.web.api.problems import problem_of
from ocelot.web.api.responses import SearchAnswer

__all__ = ["events"]

_QUIET = 15.0  # seconds of silence that proxies are known to bear


async def events(
    found: Answer, judge: Callable[[], Awaitable[Answer]] | None
) -> AsyncIterator[bytes]:
    """The events `hits`, `ranking` where `judge` is given, and `done`; `error` where it fails."""
    hits = _event("hits", SearchAnswer.of(found).model_dump_json())
    if judge is None:
        yield hits
    else:
        verdict = asyncio.ensure_future(judge())  # at work while the hits are on their way
        try:
            yield hits
            while not (await asyncio.wait({verdict}, timeout=_QUIET))[0]:
                yield b": still at it\n\n"
            ranked = SearchAnswer.of(verdict.result())
        except Exception as error:
            yield _event("error", json.dumps(problem_of(error).body()))
        else:
            yield _event("ranking", ranked.model_dump_json())
        finally:
            verdict.cancel()
    yield _event("done", "{}")


def _event(name: str, data: str) -> bytes:
    # JSON has no line breaks of its own, so one data line holds it.
    return f"event: {name}\ndata: {data}\n\n".encode()
