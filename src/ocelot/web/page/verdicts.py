"""Verdicts of slow rerankers: each runs once, however often it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from cachetools import TTLCache

from ocelot.service import Answer
from ocelot.web.page.question import Question

__all__ = ["Verdicts", "key_of"]

_KEPT, _SECONDS = 256, 600.0  # verdicts, and for how long
_GRACE = 5.0  # seconds in which a browser may come back

Key = Hashable


def key_of(question: Question, answer: Answer) -> Key:
    """What a verdict depends on: the question, and the pictures that were found for it."""
    hits = tuple((hit.id, repr(hit.metadata)) for hit in answer.result.hits)
    return question.but(), hits


@dataclass
class _Running:
    task: asyncio.Task[Answer]
    listeners: int = 0


class Verdicts:
    """Runs rerankers; used in one event loop.

    A verdict that nobody waits for is given up after some seconds: a browser whose connection
    broke comes back within them, and one that went on to another question does not.
    """

    def __init__(self, grace: float = _GRACE) -> None:
        self._grace = grace
        self._running: dict[Key, _Running] = {}
        self._kept: TTLCache[Key, Answer] = TTLCache(_KEPT, _SECONDS)

    def known(self, key: Key) -> Answer | None:
        """A verdict that was reached lately."""
        return self._kept.get(key)

    async def reached(self, key: Key, start: Callable[[], Awaitable[Answer]]) -> Answer:
        """A verdict, by the task that reaches it already or by a new one."""
        running = self._running.get(key)
        if running is None:
            running = _Running(asyncio.ensure_future(self._run(key, start)))
            self._running[key] = running
            # An error that comes when nobody listens any more counts as seen.
            running.task.add_done_callback(lambda task: task.cancelled() or task.exception())
        running.listeners += 1
        try:
            return await asyncio.shield(running.task)
        finally:
            running.listeners -= 1
            asyncio.get_running_loop().call_later(self._grace, self._give_up, running)

    async def _run(self, key: Key, start: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            answer = await start()
        finally:
            del self._running[key]
        ranking = answer.result.ranking
        # A model that failed or could not be asked is asked again.
        if ranking is not None and ranking.status in ("ok", "repaired"):
            self._kept[key] = answer
        return answer

    def _give_up(self, running: _Running) -> None:
        if not running.listeners:
            running.task.cancel()
