"""The interface of encoders: the base class batches and checks; a model implements `embed`."""

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
from ocelot.query import Input, Query
from ocelot.query_vector import Matrix, query_vector, unwanted_inputs, wanted_inputs

if TYPE_CHECKING:
    from ocelot.images.file import ImageSource
    from ocelot.score_calibration import ScoreCalibration
    from ocelot.types import Vector

    Encodable = Input | Query | tuple[ImageSource | None, str | None] | str

__all__ = ["Encoder", "EncoderWrapper", "Matrix", "as_input", "encode_query"]

_BATCHES_AHEAD = 2  # prepared before the model asks for them
_WITHOUT_THREADS = 2  # so few inputs, such as a query's, are prepared in the caller's thread


def as_input(value: Encodable) -> Input:
    """Return an `Input`; raise `InputError` if it is empty or a query of several images."""
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

    There are two steps, so that threads can do the first while the model does the second:

    * `prepare(input)`: decode, resize and tokenise one input. It must be thread-safe.
    * `embed(batch)`: run the model on what `prepare` returned.

    A subclass sets the attributes and implements `embed`; the rest has a default.

    Attributes:
        name: Stored with a collection and shown to people.
        dimension: Length of the vectors.
        fingerprint: Identifies the vectors: it must change when the same input would get
            another vector.
        batch_size: Inputs given to `embed` at once unless the caller says otherwise.
        runtime: How it computes, such as "torch bf16". It is not part of the fingerprint:
            vectors of another runtime can be compared with these.
        score_calibration: What its scores mean, if that was fitted.
        text_weight: What words count beside a picture, 0 to 1, if both are encoded apart and
            combined by a weighted sum of their unit vectors.
        decode_side: Length in pixels of the shortest side that `prepare` needs, so that a large
            JPEG may be decoded at a smaller size; None for the whole image.
    """

    name: str
    dimension: int
    fingerprint: str
    batch_size: int = 32
    runtime: str = ""
    decode_side: int | None = None
    score_calibration: ScoreCalibration | None = None
    text_weight: float | None = None

    def prepare(self, input: Input) -> Any:
        """Return what `embed` needs of one input; by default (RGB image or None, text or None).

        Raises:
            ImageError: The image cannot be decoded.
        """
        if input.image is None:
            return None, input.text
        return input.image.rgb(self.decode_side), input.text

    @abstractmethod
    def embed(self, batch: Sequence[Any]) -> np.ndarray[Any, Any]:
        """Return one vector for each prepared input, in their order.

        The shape is (len(batch), dimension). Any float type and any vector length will do:
        the caller converts and normalises.
        """

    def encode(self, inputs: Iterable[Encodable], *, batch_size: int | None = None) -> Matrix:
        """Encode inputs in batches, in order; threads prepare the next ones meanwhile.

        Returns:
            float32, shape (n, dimension), rows of length 1.

        Raises:
            InputError: An input is empty, or is a query of several images.
            ImageError: An image cannot be decoded.
            EncoderError: The model returned vectors that cannot be used.
        """
        size = batch_size or self.batch_size
        with closing(self._prepared(map(as_input, inputs), _BATCHES_AHEAD * size)) as prepared:
            rows = []
            while batch := list(islice(prepared, size)):
                rows.append(self.embed_checked(batch))
        return np.concatenate(rows) if rows else np.empty((0, self.dimension), dtype=np.float32)

    def _prepared(self, inputs: Iterator[Input], ahead: int) -> Generator[Any]:
        """Yield what `prepare` returns, in order; at most `ahead` results wait."""
        first = list(islice(inputs, _WITHOUT_THREADS + 1))
        if len(first) <= _WITHOUT_THREADS:
            yield from map(self.prepare, first)
            return
        waiting: deque[Future[Any]] = deque()
        with ThreadPoolExecutor(min(8, os.cpu_count() or 2), "ocelot-prepare") as threads:
            try:
                for input in chain(first, inputs):
                    waiting.append(threads.submit(self.prepare, input))
                    if len(waiting) > ahead:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def embed_checked(self, batch: Sequence[Any]) -> Matrix:
        """Call `embed`, check the vectors and normalise them; for `encode` and for indexing.

        Raises:
            EncoderError: The vectors have the wrong shape, are not finite, or have no length.
        """
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
        return vectors / lengths

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Return the words of a text that this encoder never saw in training, where it can tell."""
        return ()

    def close(self) -> None:  # noqa: B027
        """Release threads and other resources; the encoder cannot be used afterwards."""


class EncoderWrapper(Encoder):
    """Passes everything on to another encoder; subclasses override a part, such as `embed`."""

    def __init__(self, encoder: Encoder) -> None:
        self.wrapped = encoder
        self.name, self.fingerprint = encoder.name, encoder.fingerprint
        self.dimension, self.batch_size = encoder.dimension, encoder.batch_size
        self.runtime, self.decode_side = encoder.runtime, encoder.decode_side
        self.score_calibration, self.text_weight = encoder.score_calibration, encoder.text_weight

    def prepare(self, input: Input) -> Any:
        return self.wrapped.prepare(input)

    def embed(self, batch: Sequence[Any]) -> np.ndarray[Any, Any]:
        return self.wrapped.embed(batch)

    def unknown_words(self, text: str) -> tuple[str, ...]:
        return self.wrapped.unknown_words(text)

    def close(self) -> None:
        self.wrapped.close()


def encode_query(
    encoder: Encoder, query: Query, liked: Matrix | None = None, unliked: Matrix | None = None
) -> Vector:
    """Return the vector to search with: float32, shape (dimension,), length 1.

    `ocelot.query_vector` says how it is made. All inputs are encoded in one call.

    Args:
        liked, unliked: The stored vectors of `query.like` and `query.unlike`.

    Raises:
        ImageError, EncoderError: See `Encoder.encode` and `normalized_mean`.
    """
    wanted, unwanted = wanted_inputs(query), unwanted_inputs(query)
    rows = encoder.encode([*(input for input, _ in wanted), *unwanted])
    away = rows[len(wanted) :]
    if unliked is not None:
        away = np.concatenate([away, unliked])
    weights = [weight for _, weight in wanted]
    return query_vector(rows[: len(wanted)], weights, liked, away, query.negative_weight)
