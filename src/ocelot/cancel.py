"""Work that nobody waits for any more: a word between who asks and who works.

Who asks wraps a call in `cancellable`; who works long calls `stop_if_cancelled` between steps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

__all__ = [
    "Abandoned",
    "Predicate",
    "cancellable",
    "is_cancelled",
    "predicates",
    "stop_if_cancelled",
]

Predicate = Callable[[], bool]


class Abandoned(BaseException):
    """Nobody waits for this any more, so it was not done; see `cancellable`.

    No `Exception`, as it is nothing that went wrong: what handles errors lets it through.
    """

    def __init__(self) -> None:
        super().__init__("The caller gave up before this was done.")


class _Here(threading.local):
    predicates: tuple[Predicate, ...] = ()


_here = _Here()


@contextmanager
def cancellable(says_so: Predicate) -> Iterator[None]:
    """Let work of this thread be dropped between its steps, and while it waits for its turn.

    >>> with cancellable(lambda: True):
    ...     stop_if_cancelled()
    Traceback (most recent call last):
    ocelot.cancel.Abandoned: The caller gave up before this was done.

    Args:
        says_so: Quick and thread-safe: whether nobody waits any more. One that raises has not
            said yes. Within another `cancellable`, either may say yes.
    """
    outer = _here.predicates
    _here.predicates = (*outer, says_so)
    try:
        yield
    finally:
        _here.predicates = outer


def predicates() -> tuple[Predicate, ...]:
    """Those of this thread, for work that is handed to another one."""
    return _here.predicates


def is_cancelled(asked: tuple[Predicate, ...]) -> bool:
    """Whether any of them says yes."""
    for says_so in asked:
        with suppress(Exception):
            if says_so():
                return True
    return False


def stop_if_cancelled() -> None:
    """Raise `Abandoned` where this thread's work is wanted no more."""
    if is_cancelled(_here.predicates):
        raise Abandoned
