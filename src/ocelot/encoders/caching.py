"""An encoder that remembers the queries it has seen."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from ocelot.encoders.base import Encoder, Matrix, as_input
from ocelot.errors import ConfigurationError
from ocelot.types import Input

if TYPE_CHECKING:
    from ocelot.encoders.base import Encodable
    from ocelot.types import Vector

__all__ = ["CachingEncoder"]

_Key = tuple[str, str | None]
_FEW = 32  # items of one call that are looked up: a query, or all that it is made of


class CachingEncoder(Encoder):
    """Keeps the vectors of the last few items that `encode` was asked for.

    So a repeated query costs no model, nor does a reranker that looks at its parts again. More
    than 32 items in one call pass straight through to the wrapped encoder, lazily and with its
    threads ahead of the model, as do `embed` and `prepare`: indexing neither looks anything up
    nor drives queries out. A picture is known by its content, wherever it comes from.
    Safe to use from several threads.

    >>> from ocelot.encoders.function import FunctionEncoder
    >>> asked = []
    >>> def length(image, text):
    ...     asked.append(text)
    ...     return [1.0, len(text)]
    >>> encoder = CachingEncoder(FunctionEncoder(length, dimension=2))
    >>> encoder.encode(["a", "bc", "a"]).shape, encoder.encode(["bc"]).shape, asked
    ((3, 2), (1, 2), ['a', 'bc'])

    Args:
        encoder: Asked for what is missing, all of it at once.
        max_items: Vectors that are kept; those not asked for longest make room.
        observe: Told after each call how many vectors were kept ones and how many were not; what
            it raises is ignored.

    Raises:
        ConfigurationError: `max_items` is less than 1.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        max_items: int = 2048,
        observe: Callable[[int, int], None] | None = None,
    ) -> None:
        if max_items < 1:
            raise ConfigurationError(f"The cache must hold 1 vector or more, was: {max_items}.")
        self.name = encoder.name
        self.dimension = encoder.dimension
        self.fingerprint = encoder.fingerprint
        self.batch_size = encoder.batch_size
        self.runtime = encoder.runtime
        self.decode_side = encoder.decode_side
        self._encoder = encoder
        self._max_items = max_items
        self._observe = observe
        self._kept: OrderedDict[_Key, Vector] = OrderedDict()
        self._lock = threading.Lock()

    def prepare(self, item: Input) -> Any:
        """The wrapped encoder's `prepare`."""
        return self._encoder.prepare(item)

    def embed(self, batch: Sequence[Any]) -> np.ndarray[Any, Any]:
        """The wrapped encoder's `embed`."""
        return self._encoder.embed(batch)

    def embed_checked(self, batch: Sequence[Any]) -> Matrix:
        """The wrapped encoder's `embed_checked`."""
        return self._encoder.embed_checked(batch)

    def encode(self, items: Iterable[Encodable], *, batch_size: int | None = None) -> Matrix:
        """Encode items in order, of a few the known ones without the model; as `Encoder.encode`."""
        coming = map(as_input, items)
        first = list(islice(coming, _FEW + 1))
        if len(first) <= _FEW:
            return self._rows(first, batch_size)
        rows = self._encoder.encode(chain(first, coming), batch_size=batch_size)
        self._tell(0, len(rows))
        return rows

    def close(self) -> None:
        """Close the wrapped encoder."""
        self._encoder.close()

    def _rows(self, items: Sequence[Input], batch_size: int | None) -> Matrix:
        if not items:
            return np.empty((0, self.dimension), dtype=np.float32)
        keys = [(item.image.id if item.image else "", item.text) for item in items]
        found = self._recall(keys)
        missing = {key: item for key, item in zip(keys, items, strict=True) if key not in found}
        if missing:
            rows = self._encoder.encode(missing.values(), batch_size=batch_size)
            new = dict(zip(missing, rows, strict=True))
            self._keep(new)
            found.update(new)
        self._tell(len(items) - len(missing), len(missing))
        return np.stack([found[key] for key in keys])

    def _tell(self, kept: int, new: int) -> None:
        if self._observe is not None:
            with suppress(Exception):
                self._observe(kept, new)

    def _recall(self, keys: Iterable[_Key]) -> dict[_Key, Vector]:
        found = {}
        with self._lock:
            for key in keys:
                if (vector := self._kept.get(key)) is not None:
                    self._kept.move_to_end(key)
                    found[key] = vector
        return found

    def _keep(self, new: dict[_Key, Vector]) -> None:
        with self._lock:
            for key, vector in new.items():
                self._kept[key] = vector.copy()  # a view would keep its whole batch
                self._kept.move_to_end(key)
            while len(self._kept) > self._max_items:
                self._kept.popitem(last=False)
