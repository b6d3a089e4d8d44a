"""What one request may ask for, and how much happens at once."""

from __future__ import annotations

from dataclasses import dataclass

from ocelot.settings import Settings

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Bounds of a service.

    Attributes:
        upload_bytes: Largest request body.
        pixels: Largest picture.
        seconds: That a request may wait, queueing included.
        threads: Searches at once.
        queue: Searches that may wait.
        window: Candidates that a language model sees at once.
        results: Hits of one search.
        filter_length, text_length: Characters.
    """

    upload_bytes: int = 20 * 2**20
    pixels: int = 50_000_000
    seconds: float = 30.0
    threads: int = 16
    queue: int = 64
    window: int = 9
    results: int = 100
    filter_length: int = 2000
    text_length: int = 2000

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Those that the settings say."""
        return cls(
            upload_bytes=int(settings.max_upload_mb * 2**20),
            pixels=settings.max_pixels,
            seconds=settings.request_timeout,
            threads=settings.threads,
            queue=settings.queue,
            window=settings.llm_window,
        )
