"""The seam for encoders: the base class batches and checks, an implementer writes `embed`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ocelot.errors import EncoderError
from ocelot.images import load_image
from ocelot.records import Item

if TYPE_CHECKING:
    from ocelot.records import ImageSource

    Encodable = Item | tuple[ImageSource | None, str | None] | str

__all__ = ["Encoder", "Matrix", "as_item"]

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float32]]


def as_item(value: Encodable) -> Item:
    """An `Item` from an `Item`, a `Query`, an (image, text) pair, or a text.

    Raises:
        InputError: Both parts are empty.
    """
    if isinstance(value, Item):
        return value
    return Item(text=value) if isinstance(value, str) else Item(*value)


class Encoder(ABC):
    """Turns images, texts and pairs of both into unit vectors of one space.

    Work is in two steps so that the first can run in threads ahead of the second:
    `prepare` (decode, resize, tokenise; thread-safe, no model) and `embed` (the model).

    Attributes:
        name: Stored with a collection and shown to people.
        dimension: Width of the vectors.
        fingerprint: Changes whenever the same item would get another vector.
        batch_size: Items given to `embed` at once unless the caller says otherwise.
    """

    name: str
    dimension: int
    fingerprint: str
    batch_size: int = 32

    def prepare(self, item: Item) -> Any:
        """Everything that `embed` needs of one item. By default (RGB image or None, text).

        Raises:
            ImageError: The item's image cannot be used.
        """
        image = None if item.image is None else load_image(item.image)
        return image, item.text

    @abstractmethod
    def embed(self, batch: Sequence[Any]) -> np.ndarray[Any, Any]:
        """Vectors for prepared items, shape (len(batch), dimension); any float type and length."""

    def encode(self, items: Iterable[Encodable], *, batch_size: int | None = None) -> Matrix:
        """Encode items in batches, in order.

        Returns:
            float32, shape (n, dimension), rows of length 1.

        Raises:
            InputError: An item is empty.
            ImageError: An image cannot be used.
            EncoderError: The model gave vectors that cannot be used.
        """
        rows = [
            self.embed_checked([self.prepare(item) for item in batch])
            for batch in _batches(map(as_item, items), batch_size or self.batch_size)
        ]
        if not rows:
            return np.empty((0, self.dimension), dtype=np.float32)
        return np.concatenate(rows)

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
                "try fp32 (--dtype fp32), and check its weights."
            )
        unit: Matrix = vectors / lengths
        return unit


def _batches(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
