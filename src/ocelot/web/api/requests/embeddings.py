"""The bodies of what the encoder computes: vectors, and how well documents fit a query."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import Self

from ocelot.service import MAX_TEXT
from ocelot.web.api.requests.fields import (
    EXAMPLE_ID,
    TAGS,
    Base64,
    Body,
    Image,
    ImageData,
    ItemId,
    Text,
    Whole,
    not_empty,
)

__all__ = [
    "MAX_EMBEDDED", "EmbeddingItem", "EmbeddingRequest", "RerankDocument", "RerankQuery",
    "RerankRequest",
    "item_of",
]  # fmt: skip

MAX_EMBEDDED = 256
_DATA_URI = re.compile("data:image/", re.IGNORECASE)
_MAX_URI = 300_000_000  # characters; the limit of the request is smaller

Model = Annotated[
    str | None, Field(max_length=200, description="Name of the encoder; only this one is here.")
]
Plain = Annotated[str, Field(min_length=1, max_length=_MAX_URI)]


def _kind(value: Any) -> str:
    return TAGS[0] if isinstance(value, str) else TAGS[1]


Inputs = Annotated[
    Annotated[Plain, Tag(TAGS[0])]
    | Annotated[list[Plain], Field(min_length=1, max_length=MAX_EMBEDDED), Tag(TAGS[1])],
    Discriminator(_kind),
]


class EmbeddingItem(Body, strict=True):
    """A picture, a text, or both, to encode into one vector."""

    image: Image | None = None
    text: Text = None

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        return not_empty(self, self.image is not None)


def item_of(given: str) -> EmbeddingItem:
    """A text, or a picture as a data URI, as an item.

    Raises:
        PydanticCustomError: The text is blank or too long, or the picture is not base64.
    """
    if _DATA_URI.match(given):
        return EmbeddingItem.model_construct(image=ImageData(base64=given), text=None)  # type: ignore[arg-type]
    if not given.strip():
        raise PydanticCustomError("empty", "it is blank: give a text, or a picture as a data URI")
    if len(given) > MAX_TEXT:
        raise PydanticCustomError(
            "long", "a text may have {most} characters at most", {"most": MAX_TEXT}
        )
    return EmbeddingItem.model_construct(image=None, text=given)


class EmbeddingRequest(
    Body,
    strict=True,
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
    input: Inputs | None = None
    """Texts, or pictures as data URIs."""
    model: Model = None
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


class RerankQuery(Body, strict=True):
    """A text, a picture, or both."""

    text: Text = None
    image: Base64 | None = None

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        return not_empty(self, self.image is not None)

    def item(self) -> EmbeddingItem:
        """The text and the picture."""
        image = None if self.image is None else ImageData.model_construct(base64=self.image)
        return EmbeddingItem.model_construct(image=image, text=self.text)


class RerankDocument(RerankQuery, strict=True):
    """A text, a picture, both, or a stored item."""

    id: ItemId | None = None

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if self.id is None:
            return not_empty(self, self.image is not None)
        if self.text is not None or self.image is not None:
            raise PydanticCustomError("either", "give an id alone, or a text, a picture, or both")
        return self


Document = Annotated[
    Annotated[Plain, Tag(TAGS[0])] | Annotated[RerankDocument, Tag(TAGS[1])], Discriminator(_kind)
]


class RerankRequest(
    Body,
    strict=True,
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

    query: Annotated[
        Annotated[Plain, Tag(TAGS[0])] | Annotated[RerankQuery, Tag(TAGS[1])], Discriminator(_kind)
    ]
    """A text, a picture as a data URI, or an object with both."""
    documents: Annotated[list[Document], Field(min_length=1, max_length=MAX_EMBEDDED)]
    """Texts, pictures as data URIs, or objects."""
    top_n: Annotated[int, Field(ge=1, le=MAX_EMBEDDED), Whole] | None = None
    """The most results; by default all."""
    return_documents: bool = False
    """Whether each result has the text of its document."""
    model: Model = None
