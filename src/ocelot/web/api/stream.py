"""An answer as server-sent events: the hits at once, the ranking when it is ready.

The events of a question are always the same ones in the same order, so an id is the question's
digest and a number. A client that has lost its connection repeats the question with the last id;
any server, also one that was started since, then sends the events after it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

from ocelot.service import Answer
from ocelot.web.api.problems import problem_of
from ocelot.web.api.responses import SearchAnswer

__all__ = ["events"]

_KEEP_ALIVE = 15.0  # seconds; proxies close a connection that is silent for longer
_HITS, _RANKING, _DONE = 1, 2, 3  # numbers of the events


async def events(
    found: Answer,
    rerank: Callable[[], Awaitable[Answer]] | None,
    *,
    told: Callable[[Answer], SearchAnswer],
    name: str,
    last: str | None = None,
) -> AsyncIterator[bytes]:
    """The events `hits`, `ranking` if `rerank` is given (`error` if it fails), and `done`.

    Args:
        told: Makes the data of an event.
        name: Identifies the question.
        last: Id of the last event that the client has.
    """
    ids = {number: f"{name}-{number}" for number in (_HITS, _RANKING, _DONE)}
    seen = next((number for number, id in ids.items() if id == last), 0)
    ranking = None
    if rerank is not None and seen < _RANKING:
        ranking = asyncio.ensure_future(rerank())  # runs while the hits are sent
    try:
        if seen < _HITS:
            yield _event("hits", told(found).model_dump_json(), ids[_HITS])
        if ranking is not None:
            while not (await asyncio.wait({ranking}, timeout=_KEEP_ALIVE))[0]:
                yield b": keep-alive\n\n"
            try:
                ranked = told(ranking.result()).model_dump_json()
            except Exception as error:  # without an id: it is worth another try
                yield _event("error", json.dumps(problem_of(error).body()))
            else:
                yield _event("ranking", ranked, ids[_RANKING])
        yield _event("done", "{}", ids[_DONE])
    finally:
        if ranking is not None:
            ranking.cancel()


def _event(name: str, data: str, id: str = "") -> bytes:
    # JSON text has no line breaks, so one data line holds it.
    head = f"id: {id}\n" if id else ""
    return f"{head}event: {name}\ndata: {data}\n\n".encode()
