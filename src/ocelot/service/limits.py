"""What one request may ask for, and how much runs at once."""

from __future__ import annotations

from dataclasses import dataclass

from ocelot.settings import Settings

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Limits of a service.

    Attributes:
        upload_bytes: Bytes of the largest request body.
        pixels: Pixels of the largest picture.
        seconds: Seconds that a request may take, including the time in the queue.
        threads: Searches that run at once.
        queue: Searches that may wait.
        results: The most hits of one search.
        filter_length, text_length: The most characters of a filter and of a text.
    """

    upload_bytes: int = 20 * 2**20
    pixels: int = 50_000_000
    seconds: float = 30.0
    threads: int = 16
    queue: int = 64
    results: int = 100
    filter_length: int = 2000
    text_length: int = 2000

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
