"""Responses with what the encoder computes, also in the shapes of OpenAI, Cohere and Jina."""

from __future__ import annotations

import base64
from typing import Literal

from pydantic import BaseModel
from typing_extensions import Self

from ocelot.encoders.base import Matrix

__all__ = ["EmbeddingList", "Embeddings", "RerankAnswer"]


class _Value(BaseModel, use_attribute_docstrings=True):
    pass


class Embeddings(_Value):
    """Unit vectors, one for each of `items`."""

    encoder: str
    dimension: int
    embeddings: list[list[float]]


class Embedding(_Value):
    """One vector."""

    object: Literal["embedding"] = "embedding"
    index: int
    """Place in `input`, from 0."""
    embedding: list[float] | str
    """Numbers, or base64 of little-endian float32."""


class TokenUsage(_Value):
    """What OpenAI charges for; always 0 here."""

    prompt_tokens: int = 0
    total_tokens: int = 0


class EmbeddingList(_Value):
    """Unit vectors, one for each part of `input`, in OpenAI's shape."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    """Name of the encoder."""
    usage: TokenUsage

    @classmethod
    def of(cls, rows: Matrix, model: str, encoding: str) -> Self:
        """Vectors, shape (n, dimension), written as `encoding_format` says."""
        written = (
            base64.b64encode(row.astype("<f4").tobytes()).decode()
            if encoding == "base64"
            else row.tolist()
            for row in rows
        )
        data = [Embedding(index=index, embedding=one) for index, one in enumerate(written)]
        return cls(data=data, model=model, usage=TokenUsage())


class DocumentText(_Value):
    """The text of a document."""

    text: str


class RerankResult(_Value):
    """How well a document fits the query."""

    index: int
    """Place in `documents`, from 0."""
    relevance_score: float
    """Cosine similarity of the encoder's vectors, -1 to 1."""
    document: DocumentText | None = None
    """Where `return_documents` asks for it and it has a text."""


class RerankAnswer(_Value):
    """Documents, the best first, in the shape of Cohere and Jina."""

    model: str
    """Name of the encoder."""
    results: list[RerankResult]
