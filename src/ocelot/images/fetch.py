"""Images from the web."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from ocelot.errors import ImageError, ImageTooLarge
from ocelot.images.decode import MAX_BYTES

__all__ = ["fetch", "public_name"]

_SECONDS = 30.0  # to connect, and between two pieces of data
_DEADLINE = 120.0  # seconds for the whole content
# A few kilobytes that were compressed could become gigabytes; image files gain nothing by it.
_HEADERS = {"Accept-Encoding": "identity"}
_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy")


def fetch(url: str) -> bytes:
    """The content of an `http(s)` URL, or an `ImageError`; redirects are followed."""
    import httpx  # most searches do not need it

    name = public_name(url)
    data, deadline = bytearray(), time.monotonic() + _DEADLINE
    try:
        with (
            _no_request_log(),
            httpx.stream(
                "GET", url, headers=_HEADERS, follow_redirects=True, timeout=_SECONDS
            ) as response,
        ):
            response.raise_for_status()
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                raise ImageError(name, "the server sent it compressed, which was not asked for")
            for chunk in response.iter_raw():
                data += chunk
                if time.monotonic() > deadline:
                    raise ImageError(name, f"it did not arrive within {_DEADLINE:.0f} s")
                if len(data) > MAX_BYTES:
                    raise ImageTooLarge(name, f"it is larger than {MAX_BYTES / 2**20:.0f} MiB")
    except httpx.HTTPStatusError as error:
        raise ImageError(name, f"the server answered {error.response.status_code}") from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # of names of hosts
        raise ImageError(name, f"it cannot be fetched ({type(error).__name__})") from None
    if not data:
        raise ImageError(name, "it is empty")
    return bytes(data)


def public_name(url: str) -> str:
    """The URL without user, password and query, which may hold secrets.

    >>> public_name("https://user:secret@shop.example/a.jpg?token=1")
    'https://shop.example/a.jpg'

    Raises:
        ImageError: It is not a URL.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # no number: an unquoted "/" in a password, which would then be shown
    except ValueError:
        raise ImageError("the image's URL", "it is not a valid URL") from None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@contextmanager
def _no_request_log() -> Iterator[None]:
    """Keep httpx from logging the requests of this thread: it logs whole URLs, and redirects."""
    thread = threading.get_ident()

    def keep(record: logging.LogRecord) -> bool:
        return threading.get_ident() != thread

    with ExitStack() as stack:
        for logger in map(logging.getLogger, _LOGGERS):
            logger.addFilter(keep)
            stack.callback(logger.removeFilter, keep)
        yield
