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
    """Fills a collection with the demo shop; used in one event loop.

    Attributes:
        filling: Pictures that are indexed, and of how many; None when it is not being filled.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._problem: Problem | None = None
        self.size = demo_shop_size()
        self.filling: tuple[int, int] | None = None

    def begin(self) -> None:
        """Begin to index, unless that has begun."""
        if self.filling is None:
            self.filling, loop = (0, self.size), asyncio.get_running_loop()

            def tell(report: Progress) -> None:
                loop.call_soon_threadsafe(self._told, report)

            work = asyncio.ensure_future(asyncio.to_thread(self._service.fill_with_demo, tell))
            work.add_done_callback(self._ended)

    def _told(self, report: Progress) -> None:
        if self.filling is not None:
            self.filling = report.done, report.total

    def _ended(self, work: asyncio.Future[Any]) -> None:
        self.filling = None
        error = None if work.cancelled() else work.exception()
        self._problem = problem_of(error) if isinstance(error, Exception) else None

    def problem(self) -> Problem | None:
        """Why it could not be filled, once; then None."""
        said, self._problem = self._problem, None
        return said
