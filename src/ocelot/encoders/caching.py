"""An encoder that remembers the vectors of recent queries."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np
from cachetools import LRUCache

from ocelot.encoders.base import Encoder, EncoderWrapper, Matrix, as_input
from ocelot.errors import ConfigurationError
from ocelot.types import Input

if TYPE_CHECKING:
    from ocelot.encoders.base import Encodable
    from ocelot.types import Vector

    Key = tuple[str, str | None, bool]  # the image's content hash, the text, whether it asks

__all__ = ["CachingEncoder"]


class CachingEncoder(EncoderWrapper):
    """Keeps the vectors of the inputs that `encode` was called with last.

    A repeated query then needs no model, nor does a reranker that encodes parts of the query. A
    call with more inputs than `max_lookup` goes past the cache, and so does indexing, which calls
    `prepare` and `embed_checked`: neither pushes queries out. An image is identified by its
    content. Thread-safe.

    >>> from ocelot.encoders.function import FunctionEncoder
    >>> calls = []
    >>> def length(image, text):
    ...     calls.append(text)
    ...     return [1.0, len(text)]
    >>> encoder = CachingEncoder(FunctionEncoder(length, dimension=2))
    >>> encoder.encode(["a", "bc", "a"]).shape, encoder.encode(["bc"]).shape, calls
    ((3, 2), (1, 2), ['a', 'bc'])

    Args:
        encoder: Encodes what is not in the cache, in one call.
        max_items: Vectors to keep; the least recently used are dropped.
        max_lookup: The most inputs of a call that are looked up and kept; the default is enough
            for a query and its parts.
        observe: Called after each call with the numbers of cached and of new vectors.

    Raises:
        ConfigurationError: `max_items` is less than 1.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        max_items: int = 2048,
        max_lookup: int = 32,
        observe: Callable[[int, int], None] = lambda cached, new: None,
    ) -> None:
        if max_items < 1:
            raise ConfigurationError(f"The cache must hold 1 vector or more, was: {max_items}.")
        super().__init__(encoder)
        self._observe = observe
        self._max_lookup = max_lookup
        self._cache: LRUCache[Key, Vector] = LRUCache(max_items)
        self._lock = threading.Lock()  # guards the cache

    def encode(self, inputs: Iterable[Encodable], *, batch_size: int | None = None) -> Matrix:
        """Encode inputs in order, without the model where it knows them; see `Encoder.encode`."""
        remaining = map(as_input, inputs)
        first = list(islice(remaining, self._max_lookup + 1))
        if len(first) <= self._max_lookup:
            return self._lookup(first, batch_size)
        rows = self.wrapped.encode(chain(first, remaining), batch_size=batch_size)
        self._observe(0, len(rows))
        return rows

    def embed_checked(self, batch: Sequence[Any]) -> Matrix:
        return self.wrapped.embed_checked(batch)  # its vectors have length 1 already

    def _lookup(self, inputs: Sequence[Input], batch_size: int | None) -> Matrix:
        if not inputs:
            return np.empty((0, self.dimension), dtype=np.float32)
        keys = [(one.image.id if one.image else "", one.text, one.is_query) for one in inputs]
        with self._lock:
            found = {key: self._cache[key] for key in keys if key in self._cache}
        missing = {key: one for key, one in zip(keys, inputs, strict=True) if key not in found}
        if missing:
            rows = self.wrapped.encode(missing.values(), batch_size=batch_size)
            # Copies, as a view would keep its whole batch in memory.
            new = {key: row.copy() for key, row in zip(missing, rows, strict=True)}
            with self._lock:
                self._cache.update(new)
            found.update(new)
        self._observe(len(inputs) - len(missing), len(missing))
        return np.stack([found[key] for key in keys])
