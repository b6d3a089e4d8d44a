"""The body of items to encode."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator
from typing_extensions import Self

from ocelot.web.api.requests.fields import EXAMPLE_ID, Body, Image, Text, not_empty

__all__ = ["MAX_EMBEDDED", "EmbeddingItem", "EmbeddingRequest"]

MAX_EMBEDDED = 32


class EmbeddingItem(Body, strict=True):
    """A picture, a text, or both, to encode into one vector."""

    image: Image | None = None
    text: Text = None

    @model_validator(mode="after")
    def _isnot_empty(self) -> Self:
        return not_empty(self, self.image is not None)


class EmbeddingRequest(
    Body,
    strict=True,
    json_schema_extra={
        "examples": [
            {"items": [{"image": {"id": EXAMPLE_ID}, "text": "in blue"}, {"text": "a kettle"}]}
        ]
    },
):
    """Items to encode."""

    items: Annotated[list[EmbeddingItem], Field(min_length=1, max_length=MAX_EMBEDDED)]
