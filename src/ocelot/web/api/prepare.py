"""From the body of a search to what the service takes: pictures loaded, the cursor read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ocelot.service import MAX_DEPTH, Answer, Service
from ocelot.types import Query
from ocelot.web.api.cursors import cursor_to, digest_of, place_of, wrong_cursor
from ocelot.web.api.dependencies import load_images
from ocelot.web.api.problems import Problem
from ocelot.web.api.requests import SearchRequest

__all__ = ["Search", "next_after", "offset_of", "prepared"]


@dataclass(frozen=True)
class Search:
    """A search that can be run.

    Attributes:
        options: The other arguments of `Service.search`.
        asked: What its cursors belong to.
    """

    query: Query
    options: dict[str, Any]
    asked: Any

    @property
    def digest(self) -> str:
        """Identifies the search with its place, for the ids of events."""
        return digest_of([self.asked, self.options["limit"], self.options["offset"]])

    def next(self, answer: Answer) -> str | None:
        """The cursor of the next answer; None if there is none."""
        if self.query.diversity:  # which hits come first depends on how many there are
            return None
        offset, limit = self.options["offset"], self.options["limit"]
        return next_after(offset, limit, len(answer.result.hits), self.asked)


async def prepared(request: SearchRequest, service: Service) -> Search:
    """Load the pictures of a search and read its cursor.

    Raises:
        Problem, OcelotError: A picture or the cursor cannot be used.
    """
    images = await load_images(service, request.images)
    names = [f"negative picture {n}" for n, _ in enumerate(request.negative_images, 1)]
    unwanted = await load_images(service, request.negative_images, names)
    query = request.to_query(images, unwanted)
    asked = [
        query.reference_ids(), query.text, query.extras(), request.filter, request.min_score,
        request.keep_reference,
    ]  # fmt: skip
    if request.cursor is not None and query.diversity:
        raise Problem(
            400,
            "The field cursor cannot be used together with diversity, with which the first hits "
            "depend on their number: ask for more at once, with limit.",
            type="urn:ocelot:problem:cursor",
            title="The cursor cannot be used",
            field="cursor",
        )
    offset, limit = offset_of(request.cursor, request.limit, asked)
    options = {
        "limit": limit,
        "offset": offset,
        "filter": request.filter,
        "min_score": request.min_score,
        "keep_reference": request.keep_reference,
    }
    return Search(query, options, asked)


def offset_of(cursor: str | None, limit: int, asked: object) -> tuple[int, int]:
    """The hits to leave out, and the limit within the depth that cursors reach."""
    place = place_of(cursor, asked) or "0"
    if not (place.isascii() and place.isdecimal() and int(place[:9]) < MAX_DEPTH):
        raise wrong_cursor()  # anybody can make one
    return int(place), min(limit, MAX_DEPTH - int(place))


def next_after(offset: int, limit: int, found: int, asked: object) -> str | None:
    """The cursor after `found` hits of at most `limit`; None if there are no more."""
    end = offset + found
    return cursor_to(str(end), asked) if found == limit and end < MAX_DEPTH else None
