"""The tools: what a language model gives, and what it gets. They only read.

Paths are never taken: a model could be talked into reading any file of the disk.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

from mcp.types import ImageContent, TextContent
from pydantic import BaseModel, Field

from ocelot.collection import Facet
from ocelot.errors import ImageError, ItemNotFound
from ocelot.query import Query
from ocelot.render import words
from ocelot.score_calibration import LEAD_OVER
from ocelot.service import MAX_TEXT, Service
from ocelot.types import Hit
from ocelot.web.api.dependencies import load_images
from ocelot.web.api.fields import Base64, Filter, ItemId, Whole

__all__ = ["TOOLS"]

Content = list[TextContent | ImageContent]

_MAX_PICTURES = 8  # in one answer
_SMALL, _LARGE = 256, 1024  # pixels of the longer side
_MAX_HITS = 100  # in one answer, which a model must read
_MAX_VALUE = 300  # characters of a field in a list; `show` gives all
_MAX_VALUES = 12  # examples of a field's values


_Limit = Annotated[int, Field(ge=1, le=_MAX_HITS, description="The most hits to return."), Whole]


class _Arguments(BaseModel, extra="forbid", use_attribute_docstrings=True):
    pass


class SearchArguments(_Arguments):
    """What to search for: a text, a picture, or both."""

    text: Annotated[str | None, Field(max_length=MAX_TEXT)] = None
    """What is wanted, in a few words; with a picture, how it differs from the picture."""
    image: Base64 | None = None
    """A picture, as the bytes of an image file in base64 or as a data: URL."""
    image_id: ItemId | None = None
    """Id of an item whose picture to search with."""
    filter: Filter = None
    limit: _Limit = _MAX_PICTURES


class SimilarArguments(_Arguments):
    """Which item, and how many others."""

    id: ItemId
    filter: Filter = None
    limit: _Limit = _MAX_PICTURES


class ShowArguments(_Arguments):
    """Which item."""

    id: ItemId


class StatsArguments(_Arguments):
    """Nothing."""


async def _search(service: Service, asked: SearchArguments) -> Content:
    """Find pictures by a text, a picture, or both.

    With both, the text says how what is wanted differs from the picture, as in "the same in blue".
    Answers with the hits, the best first, and the pictures of the first eight. `match` says whether
    the first hit fits at all: false means that nothing does and these are only the closest, null
    that it is not known. `score` is the cosine similarity, comparable within one answer only.
    """
    images = [one for one in (asked.image, asked.image_id) if one is not None]
    query = Query(await load_images(service, images), asked.text)
    answer = await service.search(
        query,
        limit=max(asked.limit, LEAD_OVER),  # with fewer, no verdict is known
        filter=asked.filter,
        reranked=service.default is not None,
    )
    if service.default is not None and answer.result.hits:
        answer = await service.rerank(answer)
    result, ranking = answer.result, answer.result.ranking
    said: dict[str, Any] = {}
    if ranking is not None:
        said = {"match": ranking.match, "reason": ranking.reason, "ranked_by": ranking.ranked_by}
    if notes := [note for note in (words.notice(ranking), words.unknown(result)) if note]:
        said["notes"] = notes
    return await _shown(service, result.hits[: asked.limit], **said)


async def _similar(service: Service, asked: SimilarArguments) -> Content:
    """Find the items most similar to an item, which is not among them.

    Answers with the items, the most similar first, and the pictures of the first eight.
    """
    hits = await service.similar(asked.id, limit=asked.limit, filter=asked.filter)
    return await _shown(service, hits)


async def _show(service: Service, asked: ShowArguments) -> Content:
    """Show an item: its picture, its size in pixels, and all its fields."""
    item = await service.get(asked.id)
    facts: dict[str, Any] = {"id": item.id, "title": item.title, "width": item.width}
    facts |= {"height": item.height, "fields": dict(item.metadata)}
    picture = await _picture(service, item.id, _LARGE)
    if picture is None:
        return [_text({**facts, "notes": ["The picture cannot be read any more."]})]
    return [_text(facts), picture]


async def _stats(service: Service, asked: StatsArguments) -> Content:
    """Describe the collection: the number of items, and their fields, which filters can use."""
    overview = await service.overview()
    facts = {
        "collection": overview.info.name,
        "items": overview.info.count,
        "encoder": overview.info.encoder.name,
        "fields": [_field(facet) for facet in overview.facets],
        "fields_read_from": overview.sampled,
    }
    return [_text(facts)]


# Title, arguments and function by name; the docstring of the function describes the tool.
TOOLS: dict[str, tuple[str, type[BaseModel], Callable[[Service, Any], Awaitable[Content]]]] = {
    "search": ("Search pictures", SearchArguments, _search),
    "similar": ("Find similar items", SimilarArguments, _similar),
    "show": ("Show an item", ShowArguments, _show),
    "stats": ("Describe the collection", StatsArguments, _stats),
}


async def _shown(service: Service, hits: Sequence[Hit], **said: Any) -> Content:
    """Hits as text, and the pictures of the first ones, each after its rank."""
    first = hits[:_MAX_PICTURES]
    pictures = await asyncio.gather(*(_picture(service, hit.id, _SMALL) for hit in first))
    content: Content = [_text({**said, "hits": [_described(hit) for hit in hits]})]
    for hit, picture in zip(first, pictures, strict=True):
        if picture is not None:
            content += [TextContent(text=f"Picture of hit {hit.rank}:"), picture]
    return content


def _described(hit: Hit) -> dict[str, Any]:
    return {
        "rank": hit.rank,
        "id": hit.id,
        "title": words.short(hit.title, _MAX_VALUE),
        "score": round(hit.score, 4),
        "fields": {key: _cut(value) for key, value in hit.metadata.items()},
    }


def _field(facet: Facet) -> dict[str, Any]:
    known = {"name": facet.key, "kind": facet.kind, "items": facet.count}
    if facet.kind == "number":
        return {**known, "lowest": facet.low, "highest": facet.high}
    return {**known, "values": list(facet.values[:_MAX_VALUES]), "distinct": facet.distinct}


def _cut(value: Any) -> Any:
    return words.short(value, _MAX_VALUE) if isinstance(value, str) else value


async def _picture(service: Service, id: str, size: int) -> ImageContent | None:
    """A small copy of an item's picture; None if its file is gone."""
    try:
        found = await service.picture(id, size)
    except (ImageError, ItemNotFound):
        return None
    return ImageContent(data=base64.b64encode(found.data).decode(), mime_type=found.media_type)


def _text(facts: dict[str, Any]) -> TextContent:
    """Facts as JSON. Names of files may hold bytes that are no text, which no client could read."""
    text = json.dumps(facts, ensure_ascii=False)
    return TextContent(text=text.encode("utf-8", "replace").decode())
