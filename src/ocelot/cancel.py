"""Cancelling work that nobody waits for any more.

The caller wraps its call in `cancellable`; long-running code calls `stop_if_cancelled` between
its steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

__all__ = [
    "Abandoned", "Predicate", "cancellable", "current_predicates", "is_cancelled",
    "stop_if_cancelled",
]  # fmt: skip

Predicate = Callable[[], bool]
_current: ContextVar[tuple[Predicate, ...]] = ContextVar("ocelot_cancelled", default=())


class Abandoned(BaseException):
    """The work was not done because its caller gave up; see `cancellable`.

    It is no `Exception`, as nothing went wrong: handlers of errors let it pass.
    """

    def __init__(self) -> None:
        super().__init__("The caller gave up before this was done.")


@contextmanager
def cancellable(cancelled: Predicate) -> Iterator[None]:
    """Let the work of this thread be dropped between its steps, and while it waits in a queue.

    >>> with cancellable(lambda: True):
    ...     stop_if_cancelled()
    Traceback (most recent call last):
    ocelot.cancel.Abandoned: The caller gave up before this was done.

    Args:
        cancelled: Returns True once nobody waits any more. It must be fast and thread-safe; an
            exception counts as False. Inside another `cancellable`, either can cancel.
    """
    token = _current.set((*_current.get(), cancelled))
    try:
        yield
    finally:
        _current.reset(token)


def current_predicates() -> tuple[Predicate, ...]:
    """Return this thread's predicates, for work that is handed to another thread."""
    return _current.get()


def is_cancelled(predicates: tuple[Predicate, ...]) -> bool:
    """Return True if any of the predicates does."""
    for cancelled in predicates:
        with suppress(Exception):
            if cancelled():
                return True
    return False


def stop_if_cancelled() -> None:
    """Raise `Abandoned` if this thread's work was cancelled."""
    if is_cancelled(_current.get()):
        raise Abandoned
