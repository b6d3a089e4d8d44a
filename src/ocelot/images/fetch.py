"""A picture from the web."""

from __future__ import annotations

from urllib.parse import urlsplit

from ocelot.errors import ImageError, ImageTooLarge
from ocelot.images.decode import MAX_BYTES

__all__ = ["fetch", "public_name"]

_SECONDS = 30.0


def fetch(url: str, *, max_bytes: int = MAX_BYTES, timeout: float = _SECONDS) -> bytes:
    """The bytes behind an `http(s)` URL; redirects are followed.

    Args:
        timeout: Seconds for each step: to connect, and between two pieces of data.

    Raises:
        ImageError: The server cannot be reached or answers with an error.
        ImageTooLarge: There is more data than `max_bytes`.
    """
    import httpx  # not needed by most searches

    name = public_name(url)
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=timeout) as response:
            response.raise_for_status()
            data = bytearray()
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > max_bytes:
                    raise ImageTooLarge(name, f"it is larger than {max_bytes / 2**20:.0f} MiB")
    except httpx.HTTPStatusError as error:
        raise ImageError(name, f"the server answered {error.response.status_code}") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ImageError(name, f"it cannot be fetched ({type(error).__name__})") from error
    if not data:
        raise ImageError(name, "it is empty")
    return bytes(data)


def public_name(url: str) -> str:
    """The URL without user, password and query, which may hold secrets.

    >>> public_name("https://user:secret@shop.example/a.jpg?token=1")
    'https://shop.example/a.jpg'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
