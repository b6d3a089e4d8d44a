"""Many searches whose queries are encoded together."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from ocelot.encoders.base import Encoder
from ocelot.encoders.caching import CachingEncoder
from ocelot.errors import OcelotError
from ocelot.query_vector import unwanted_inputs, wanted_inputs
from ocelot.types import Query

__all__ = ["encoded_together"]


def encoded_together(encoder: Encoder, queries: Iterable[Query]) -> Encoder:
    """An encoder that knows the vectors of all inputs of these queries, from one call.

    If that call fails, for one of the pictures cannot be decoded, each query is encoded when it
    is searched with, so that the others are answered.
    """
    inputs = [
        input
        for query in queries
        for input in (*(one for one, _ in wanted_inputs(query)), *unwanted_inputs(query))
    ]
    size = max(1, len(inputs))
    known = CachingEncoder(encoder, max_items=size, max_lookup=size)
    with suppress(OcelotError):
        known.encode(inputs)
    return known
