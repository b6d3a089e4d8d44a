"""The id of the request that is being answered, for log lines and for calls to other servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["answering", "request_id"]

_current: ContextVar[str] = ContextVar("ocelot_request_id", default="")


def request_id() -> str:
    """The id; "" outside of a request. A thread knows it if it runs in a copy of the context."""
    return _current.get()


@contextmanager
def answering(id: str) -> Iterator[None]:
    """Give what runs in this context a request id.

    >>> with answering("a1"):
    ...     request_id()
    'a1'
    """
    token = _current.set(id)
    try:
        yield
    finally:
        _current.reset(token)
