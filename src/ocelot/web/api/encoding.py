"""What the encoder computes over HTTP: vectors, and the order of documents by a query.

Both also in the shapes that clients of OpenAI, Cohere and Jina know.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter
from pydantic import Discriminator, Field, PlainValidator, Tag, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import Self

from ocelot.service import MAX_TEXT, Service
from ocelot.types import Input
from ocelot.web.api import fields
from ocelot.web.api.bodies import BodyRoute
from ocelot.web.api.dependencies import CurrentService, load_images
from ocelot.web.api.fields import EXAMPLE_ID, Body, Text, Whole, source_of
from ocelot.web.api.openapi import problems
from ocelot.web.api.problems import TAGS, Problem
from ocelot.web.api.responses import Value

__all__ = ["MAX_EMBEDDED", "EmbeddingRequest", "RerankRequest", "router"]

router = APIRouter(tags=["encoder"], route_class=BodyRoute)

MAX_EMBEDDED = 256
_MAX_URI = 300_000_000  # characters; the limit of the request is smaller


class EmbeddingItem(Body):
    """A picture, a text, or both, to encode into one vector."""

    image: fields.Image | None = None
    text: Text = None

    _is_not_empty = model_validator(mode="after")(fields.not_empty)


class RerankQuery(Body):
    """A text, a picture, or both."""

    text: Text = None
    image: fields.Base64 | None = None

    _is_not_empty = model_validator(mode="after")(fields.not_empty)


class RerankDocument(RerankQuery):
    """A text, a picture, both, or a stored item."""

    id: fields.ItemId | None = None

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if self.id is None:
            return fields.not_empty(self)
        if self.text is not None or self.image is not None:
            raise PydanticCustomError("either", "give an id alone, or a text, a picture, or both")
        return self


def _read_plain(given: Any) -> RerankDocument:
    if not isinstance(given, str):
        raise PydanticCustomError("string_type", "Input should be a valid string")
    if given[:11].lower() == "data:image/":
        return RerankDocument.model_construct(image=fields.decode(given), text=None, id=None)
    if not given.strip():
        raise PydanticCustomError("empty", "it is blank: give a text, or a picture as a data URI")
    if len(given) > MAX_TEXT:
        limit = {"most": MAX_TEXT}
        raise PydanticCustomError("long", "a text may have {most} characters at most", limit)
    return RerankDocument.model_construct(image=None, text=given, id=None)


def _kind(value: Any) -> str:
    return TAGS[0] if isinstance(value, str) else TAGS[1]


Plain = Annotated[  # a text, or a picture as a data URI
    RerankDocument,
    PlainValidator(_read_plain),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": _MAX_URI}),
    Tag(TAGS[0]),
]
ModelName = Annotated[
    str | None, Field(max_length=200, description="Name of the encoder; only this one is here.")
]


class EmbeddingRequest(
    Body,
    json_schema_extra={
        "examples": [
            {"items": [{"image": {"id": EXAMPLE_ID}, "text": "in blue"}, {"text": "a kettle"}]},
            {"model": "ocelot-tiny", "input": ["a kettle"], "encoding_format": "float"},
        ]
    },
):
    """What to encode: `items`, or `input` as OpenAI's clients send it."""

    items: Annotated[list[EmbeddingItem] | None, Field(min_length=1, max_length=MAX_EMBEDDED)] = (
        None
    )
    """Pictures, texts, or pairs of both."""
    input: (
        Annotated[
            Plain
            | Annotated[list[Plain], Field(min_length=1, max_length=MAX_EMBEDDED), Tag(TAGS[1])],
            Discriminator(_kind),
        ]
        | None
    ) = None
    """Texts, or pictures as data URIs."""
    model: ModelName = None
    encoding_format: Literal["float", "base64"] = "float"
    """How vectors for `input` are written: base64 is of little-endian float32."""
    dimensions: Annotated[int, Field(ge=1, le=32_768), Whole] | None = None
    """The length of the vectors; it cannot be chosen."""
    user: Annotated[str, Field(max_length=500)] | None = None
    """Is not used."""

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if (self.items is None) == (self.input is None):
            raise PydanticCustomError("either", "give either items or input")
        return self


class RerankRequest(
    Body,
    json_schema_extra={
        "examples": [
            {
                "query": "a red kettle",
                "documents": ["a mug", {"text": "a kettle in red"}, {"id": EXAMPLE_ID}],
                "top_n": 2,
            }
        ]
    },
):
    """A query and what to order by it, as Cohere's and Jina's clients send it."""

    query: Annotated[Plain | Annotated[RerankQuery, Tag(TAGS[1])], Discriminator(_kind)]
    """A text, a picture as a data URI, or an object with both."""
    documents: Annotated[
        list[Annotated[Plain | Annotated[RerankDocument, Tag(TAGS[1])], Discriminator(_kind)]],
        Field(min_length=1, max_length=MAX_EMBEDDED),
    ]
    """Texts, pictures as data URIs, or objects."""
    top_n: Annotated[int, Field(ge=1, le=MAX_EMBEDDED), Whole] | None = None
    """The most results; by default all."""
    return_documents: bool = False
    """Whether each result has the text of its document."""
    model: ModelName = None


class Embeddings(Value):
    """Unit vectors, one for each of `items`."""

    encoder: str
    dimension: int
    embeddings: list[list[float]]


class Embedding(Value):
    """One vector."""

    object: Literal["embedding"] = "embedding"
    index: int
    """Place in `input`, from 0."""
    embedding: list[float] | str
    """Numbers, or base64 of little-endian float32."""


class TokenUsage(Value):
    """What OpenAI charges for; always 0 here."""

    prompt_tokens: int = 0
    total_tokens: int = 0


class EmbeddingList(Value):
    """Unit vectors, one for each part of `input`, in OpenAI's shape."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    """Name of the encoder."""
    usage: TokenUsage


class DocumentText(Value):
    """The text of a document."""

    text: str


class RerankResult(Value):
    """How well a document fits the query."""

    index: int
    """Place in `documents`, from 0."""
    relevance_score: float
    """Cosine similarity of the encoder's vectors, -1 to 1."""
    document: DocumentText | None = None
    """Where `return_documents` asks for it and it has a text."""


class RerankAnswer(Value):
    """Documents, the best first, in the shape of Cohere and Jina."""

    model: str
    """Name of the encoder."""
    results: list[RerankResult]


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
    name, dimension = service.encoder.name, service.encoder.dimension
    if request.dimensions not in (None, dimension):
        raise Problem(
            400,
            f"The vectors of {name} have {dimension} dimensions, not {request.dimensions}: leave "
            "dimensions out.",
            field="dimensions",
        )
    if request.input is None:
        rows = await service.embed(await _inputs(request.items or [], service))
        return Embeddings(encoder=name, dimension=rows.shape[1], embeddings=rows.tolist())
    given = request.input if isinstance(request.input, list) else [request.input]
    rows = await service.embed(await _inputs(given, service))
    written: list[Any] = rows.tolist()
    if request.encoding_format == "base64":
        written = [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in rows]
    data = [Embedding(index=index, embedding=one) for index, one in enumerate(written)]
    return EmbeddingList(data=data, model=name, usage=TokenUsage())


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
    documents = request.documents
    to_encode = [request.query, *(one for one in documents if one.id is None)]
    query, *inputs = await _inputs(to_encode, service)
    encoded = iter(inputs)
    scores = np.asarray(
        await service.similarities(query, [one.id or next(encoded) for one in documents])
    )
    results = []
    for place in np.argsort(-scores, kind="stable")[: request.top_n].tolist():
        result = RerankResult(index=place, relevance_score=round(float(scores[place]), 6))
        text = documents[place].text
        if request.return_documents and text is not None:
            result.document = DocumentText(text=text)
        results.append(result)
    return RerankAnswer(model=service.encoder.name, results=results)


def _check_model(model: str | None, service: Service) -> None:
    if model not in (None, "", service.encoder.name):
        raise Problem(
            404,
            f"There is no model {model!r} here: the encoder of this collection is "
            f"{service.encoder.name!r}.",
            field="model",
        )


async def _inputs(items: Sequence[EmbeddingItem | RerankQuery], service: Service) -> list[Input]:
    """The items with their pictures loaded."""
    sources = {place: item.image for place, item in enumerate(items) if item.image is not None}
    names = [f"the picture of item {place + 1}" for place in sources]
    loaded = await load_images(service, [source_of(one) for one in sources.values()], names)
    found = dict(zip(sources, loaded, strict=True))
    return [Input(found.get(place), item.text) for place, item in enumerate(items)]
