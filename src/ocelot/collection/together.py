"""Calls of several threads, answered in one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["Together"]

_Kind = TypeVar("_Kind")
_Question = TypeVar("_Question")
_Answer = TypeVar("_Answer")


@dataclass(eq=False)
class _Call(Generic[_Kind, _Question, _Answer]):
    kind: _Kind
    question: _Question
    answer: _Answer | None = None
    error: Exception | None = None
    is_done: bool = False
    wake: threading.Event = field(default_factory=threading.Event)  # it is done, or its turn


class Together(Generic[_Kind, _Question, _Answer]):
    """A function that threads call at once: while one call runs, the others wait, and the next to
    run answers all of its kind. A lone call runs at once, in its own thread.

    Args:
        run: `run(kind, questions)` returns as many answers. It never runs twice at a time. What it
            raises reaches the callers of all these questions.
        most: Questions in one run.
    """

    def __init__(
        self, run: Callable[[_Kind, Sequence[_Question]], Sequence[_Answer]], most: int = 32
    ) -> None:
        self._run, self._most = run, most
        self._lock = threading.Lock()  # guards what follows
        self._is_running = False
        self._waiting: list[_Call[_Kind, _Question, _Answer]] = []

    def __call__(self, kind: _Kind, question: _Question) -> _Answer:
        """Answer one question."""
        mine: _Call[_Kind, _Question, _Answer] = _Call(kind, question)
        with self._lock:
            self._waiting.append(mine)
            if not self._is_running:
                self._is_running = True
                mine.wake.set()
        try:
            mine.wake.wait()
            if not mine.is_done:
                self._answer(mine)
        finally:
            self._leave(mine)
        if mine.error is not None:
            raise mine.error
        return mine.answer  # type: ignore[return-value]

    def _answer(self, mine: _Call[_Kind, _Question, _Answer]) -> None:
        """Answer a call, and those like it that wait."""
        with self._lock:
            alike = [call for call in self._waiting if call.kind == mine.kind and call is not mine]
        calls = [mine, *alike[: self._most - 1]]
        try:
            answers = self._run(mine.kind, [call.question for call in calls])
            for call, answer in zip(calls, answers, strict=True):
                call.answer = answer
        except Exception as error:
            for call in calls:
                call.error = error
        for call in calls:
            call.is_done = True

    def _leave(self, mine: _Call[_Kind, _Question, _Answer]) -> None:
        """Give the turn to the next call, if it was this one's; also when it was interrupted."""
        with self._lock:
            if mine not in self._waiting:
                return  # another call answered it
            had_turn = mine.wake.is_set()
            left = [call for call in self._waiting if call is not mine]
            self._waiting = [call for call in left if not call.is_done]
            if had_turn:
                self._is_running = bool(self._waiting)
                for call in [*self._waiting[:1], *(call for call in left if call.is_done)]:
                    call.wake.set()
