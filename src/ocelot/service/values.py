"""Values of the service: limits of requests, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass

from ocelot.collection import CollectionInfo, Facet
from ocelot.settings import Settings
from ocelot.types import Item, Result

__all__ = ["MAX_DEPTH", "MAX_RERANKED", "MAX_RESULTS", "MAX_TEXT", "Answer", "Limits", "Overview"]

MAX_RESULTS = 500  # hits of one answer
MAX_DEPTH = 10_000  # hits of all answers to one query
MAX_RERANKED = 100  # hits of one answer that are reranked
MAX_TEXT = 2000  # characters of a text


@dataclass(frozen=True)
class Limits:
    """Limits of a service.

    Attributes:
        upload_bytes: Bytes of the largest request body.
        pixels: Pixels of the largest picture.
        seconds: Seconds that a request may take, including the time in the queue.
        threads: Searches that run at once.
        queue: Searches that may wait.
    """

    upload_bytes: int = 20 * 2**20
    pixels: int = 50_000_000
    seconds: float = 30.0
    threads: int = 16
    queue: int = 64

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits that the settings give."""
        return cls(
            upload_bytes=int(settings.max_upload_mb * 2**20),
            pixels=settings.max_pixels,
            seconds=settings.request_timeout,
            threads=settings.threads,
            queue=settings.queue,
        )


@dataclass(frozen=True)
class Answer:
    """A search result, and the key of its panorama (None without hits)."""

    result: Result
    panorama: str | None


@dataclass(frozen=True)
class Overview:
    """What the collection holds.

    Attributes:
        facets: The metadata fields of some of its rows.
        sampled: How many rows these are.
        examples: Some of the items.
    """

    info: CollectionInfo
    facets: tuple[Facet, ...]
    sampled: int
    examples: tuple[Item, ...] = ()
