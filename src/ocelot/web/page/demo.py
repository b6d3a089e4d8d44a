"""The demo shop, for a collection that is empty."""

from __future__ import annotations

import asyncio
from typing import Any

from ocelot.assets import demo_shop_size
from ocelot.indexing import Progress
from ocelot.service import Service
from ocelot.web.api.problems import Problem, problem_of

__all__ = ["Demo"]


class Demo:
    """Fills a collection with the demo shop; used in one event loop."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._work: asyncio.Future[Any] | None = None
        self.size = demo_shop_size()
        self._told = 0, self.size

    @property
    def filling(self) -> tuple[int, int] | None:
        """Pictures that are indexed, and of how many; None when it is not being filled."""
        return None if self._work is None or self._work.done() else self._told

    def begin(self) -> None:
        """Begin to index, unless that has begun."""
        if self.filling is None:
            self._told = 0, self.size
            work = asyncio.to_thread(self._service.fill_with_demo, self._tell)
            self._work = asyncio.ensure_future(work)

    def _tell(self, report: Progress) -> None:
        self._told = report.done, report.total

    def problem(self) -> Problem | None:
        """Why it could not be filled, once; then None."""
        if self._work is None or not self._work.done():
            return None
        work, self._work = self._work, None
        error = None if work.cancelled() else work.exception()
        return problem_of(error) if isinstance(error, Exception) else None
