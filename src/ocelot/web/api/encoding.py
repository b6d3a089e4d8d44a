"""What the encoder computes over HTTP: vectors, and the order of documents by a query.

Both also in the shapes that clients of OpenAI, Cohere and Jina know.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from ocelot.service import Service
from ocelot.types import Input
from ocelot.web.api.bodies import JSONRoute
from ocelot.web.api.dependencies import CurrentService, load_images
from ocelot.web.api.encoder_responses import (
    DocumentText,
    EmbeddingList,
    Embeddings,
    RerankAnswer,
    RerankResult,
)
from ocelot.web.api.openapi import problems
from ocelot.web.api.problems import Problem
from ocelot.web.api.requests import EmbeddingItem, EmbeddingRequest, RerankRequest
from ocelot.web.api.requests.embeddings import RerankDocument, RerankQuery, item_of

__all__ = ["router"]

router = APIRouter(tags=["encoder"], route_class=JSONRoute)


@router.post(
    "/v1/embeddings",
    operation_id="embed",
    summary="Encode pictures and texts",
    response_description="One vector for each item or input, in order.",
    responses=problems(400, 403, 404, 408, 413, 415, 422, 429),
)
async def embed(request: EmbeddingRequest, service: CurrentService) -> Embeddings | EmbeddingList:
    """Unit vectors in the space that the collection is searched in.

    `items` may hold pictures, texts and pairs of both. `input` is what OpenAI's clients send, and
    is answered in their shape, so that they work with `base_url` set to this server's `/v1`.
    """
    _check_model(request.model, service)
    dimension = service.encoder.dimension
    if request.dimensions not in (None, dimension):
        raise Problem(
            400,
            f"The vectors of {service.encoder.name} have {dimension} dimensions, not "
            f"{request.dimensions}: leave dimensions out.",
            field="dimensions",
        )
    given = request.input
    if given is None:
        items = request.items or []
    elif isinstance(given, str):
        items = [_item(given, "input")]
    else:
        items = [_item(one, f"input.{place}") for place, one in enumerate(given)]
    rows = await service.embed(await _inputs(items, service))
    name = service.encoder.name
    if given is None:
        return Embeddings(encoder=name, dimension=rows.shape[1], embeddings=rows.tolist())
    return EmbeddingList.of(rows, name, request.encoding_format)


@router.post(
    "/v1/rerank",
    operation_id="rerank",
    summary="Order documents by a query",
    response_description="The documents, the best first.",
    responses=problems(400, 403, 404, 408, 413, 415, 422, 429),
)
async def rerank(request: RerankRequest, service: CurrentService) -> RerankAnswer:
    """How well texts, pictures and stored items fit a query, by the collection's encoder.

    The shape is that of Cohere and Jina. Nothing of it is stored.
    """
    _check_model(request.model, service)
    asked = _part(request.query, "query")
    parts = [_part(one, f"documents.{place}") for place, one in enumerate(request.documents)]
    found = await _inputs(
        [one for one in (asked, *parts) if isinstance(one, EmbeddingItem)], service
    )
    query, inputs = found[0], iter(found[1:])
    documents = [one if isinstance(one, str) else next(inputs) for one in parts]
    scores = np.asarray(await service.similarities(query, documents))
    order = np.argsort(-scores, kind="stable")[: request.top_n]
    results = [
        RerankResult(
            index=int(place),
            relevance_score=round(float(scores[place]), 6),
            document=_text_of(parts[place]) if request.return_documents else None,
        )
        for place in order
    ]
    return RerankAnswer(model=service.encoder.name, results=results)


def _check_model(model: str | None, service: Service) -> None:
    if model not in (None, "", service.encoder.name):
        raise Problem(
            404,
            f"There is no model {model!r} here: the encoder of this collection is "
            f"{service.encoder.name!r}.",
            field="model",
        )


def _item(given: str, place: str) -> EmbeddingItem:
    try:
        return item_of(given)
    except PydanticCustomError as error:
        raise _refused(place, error.message()) from None
    except ValidationError as error:
        raise _refused(place, error.errors()[0]["msg"]) from None


def _refused(place: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"type": "input", "loc": ("body", place), "msg": message}])


def _part(given: str | RerankQuery, place: str) -> EmbeddingItem | str:
    """An item to encode, or the id of a stored one."""
    if isinstance(given, str):
        return _item(given, place)
    if isinstance(given, RerankDocument) and given.id is not None:
        return given.id
    return given.item()


def _text_of(part: EmbeddingItem | str) -> DocumentText | None:
    is_text = isinstance(part, EmbeddingItem) and part.text is not None
    return DocumentText(text=str(part.text)) if is_text else None  # type: ignore[union-attr]


async def _inputs(items: Sequence[EmbeddingItem], service: Service) -> list[Input]:
    """The items with their pictures loaded."""
    places = [place for place, item in enumerate(items) if item.image is not None]
    names = [f"the picture of item {place + 1}" for place in places]
    images = [item.image for item in items if item.image is not None]
    found = dict(zip(places, await load_images(service, images, names), strict=True))
    return [Input(found.get(place), item.text) for place, item in enumerate(items)]
