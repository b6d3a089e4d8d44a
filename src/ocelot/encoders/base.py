"""The seam for encoders: the base class batches and checks, an implementer writes `embed`."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from ocelot.errors import EncoderError, InputError
from ocelot.types import Input, Query

if TYPE_CHECKING:
    from ocelot.images.file import ImageSource
    from ocelot.types import Vector

    Encodable = Input | Query | tuple[ImageSource | None, str | None] | str

__all__ = ["Encoder", "Matrix", "as_input", "encode_query", "normalized_mean"]

_AHEAD = 2  # batches prepared before they are wanted
_NO_THREADS = 2  # items that are prepared without any: a query

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float32]]


def as_input(value: Encodable) -> Input:
    """An `Input` from an `Input`, a `Query`, an (image, text) pair, or a text.

    Raises:
        InputError: Both parts are empty, or it is a query of several pictures.
    """
    if isinstance(value, Input):
        return value
    if isinstance(value, Query):
        if len(value.images) > 1:
            raise InputError(
                "A query of several images is not one input: encode it with encode_query, "
                "or each of its inputs()."
            )
        return value.inputs()[0]
    return Input(text=value) if isinstance(value, str) else Input(*value)


class Encoder(ABC):
    """Turns images, texts and pairs of both into unit vectors of one space.

    Work is in two steps so that the first can run in threads ahead of the second:
    `prepare` (decode, resize, tokenise; thread-safe, no model) and `embed` (the model).

    Attributes:
        name: Stored with a collection and shown to people.
        dimension: Width of the vectors.
        fingerprint: Changes whenever the same item would get another vector.
        batch_size: Items given to `embed` at once unless the caller says otherwise.
        runtime: How it computes, such as "torch bf16": no part of the fingerprint, as vectors of
            another runtime can be compared with these.
        decode_side: Pixels of the shortest side at which a picture is good enough for `prepare`,
            so that a large JPEG may be decoded smaller; None where it wants the whole picture.
    """

    name: str
    dimension: int
    fingerprint: str
    batch_size: int = 32
    runtime: str = ""
    decode_side: int | None = None

    def prepare(self, item: Input) -> Any:
        """Everything that `embed` needs of one item. By default (RGB image or None, text).

        Raises:
            ImageError: The item's image cannot be used.
        """
        if item.image is None:
            return None, item.text
        return item.image.rgb(self.decode_side), item.text

    @abstractmethod
    def embed(self, batch: Sequence[Any]) -> np.ndarray[Any, Any]:
        """Vectors for prepared items, shape (len(batch), dimension); any float type and length."""

    def encode(self, items: Iterable[Encodable], *, batch_size: int | None = None) -> Matrix:
        """Encode items in batches, in order; threads prepare the next while the model works.

        Returns:
            float32, shape (n, dimension), rows of length 1.

        Raises:
            InputError: An item is empty, or is a query of several pictures.
            ImageError: An image cannot be used.
            EncoderError: The model gave vectors that cannot be used.
        """
        size = batch_size or self.batch_size
        with closing(self._prepared(map(as_input, items), _AHEAD * size)) as prepared:
            rows = [self.embed_checked(batch) for batch in _batches(prepared, size)]
        if not rows:
            return np.empty((0, self.dimension), dtype=np.float32)
        return np.concatenate(rows)

    def _prepared(self, items: Iterator[Input], ahead: int) -> Generator[Any]:
        """What `prepare` makes of each, in order, with at most `ahead` of them waiting."""
        first = list(islice(items, _NO_THREADS + 1))
        if len(first) <= _NO_THREADS:
            yield from map(self.prepare, first)
            return
        waiting: deque[Future[Any]] = deque()
        with ThreadPoolExecutor(min(8, os.cpu_count() or 2), "ocelot-prepare") as threads:
            try:
                for item in chain(first, items):
                    waiting.append(threads.submit(self.prepare, item))
                    if len(waiting) > ahead:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def embed_checked(self, batch: Sequence[Any]) -> Matrix:
        """`embed`, then checked and normalised: what `encode` and indexing call."""
        vectors = np.asarray(self.embed(batch), dtype=np.float32)
        if vectors.shape != (len(batch), self.dimension):
            raise EncoderError(
                f"The encoder {self.name} must give vectors of shape "
                f"{(len(batch), self.dimension)}, was: {vectors.shape}."
            )
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not (lengths > 0).all():
            raise EncoderError(
                f"The encoder {self.name} gave vectors that are not finite or have no length; "
                "try fp32 (--precision fp32), and check its weights."
            )
        unit: Matrix = vectors / lengths
        return unit

    def close(self) -> None:  # noqa: B027
        """Let go of threads and the like, where an encoder has any; it encodes no more then."""


def encode_query(encoder: Encoder, query: Query) -> Vector:
    """The vector to search with: float32, shape (dimension,), of length 1.

    An encoder composes one picture with one text. For a query of several pictures the text is
    composed with each of them, and what is searched for is the mean of these vectors: that is our
    choice, and no model's. All are encoded in one call.

    Raises:
        ImageError: An image cannot be used.
        EncoderError: The model gave vectors that cannot be used, or the pictures' vectors
            cancel each other out.
    """
    return normalized_mean(encoder.encode(query.inputs()))


def normalized_mean(rows: Matrix) -> Vector:
    """The mean of unit vectors, made a unit vector again; of a single one, exactly that one.

    Args:
        rows: Shape (n, dimension), n from 1.

    Raises:
        EncoderError: They cancel each other out, so that their mean points nowhere.
    """
    unit: Vector = rows[0]
    if len(rows) == 1:
        return unit
    mean = rows.mean(axis=0, dtype=np.float64)
    length = np.linalg.norm(mean)
    if length < 1e-6:  # what rounding leaves of opposite vectors
        raise EncoderError(
            f"The {len(rows)} pictures of the query cancel each other out: "
            "their vectors have no mean direction; leave one out."
        )
    unit = (mean / length).astype(np.float32)
    return unit


def _batches(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
