"""Calls of many threads that become one: who runs, who waits, and what errors and interrupts do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ocelot.collection import Collection
from ocelot.collection.together import Together
from ocelot.errors import FilterError
from tests.collection.test_collection import ENCODER, nearest, rows, vectors

Question = str
Answers = Callable[[str, Sequence[Question]], list[str]]


class Queue(list):  # type: ignore[type-arg]
    """A list that another thread can wait for."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)

    def append(self, call: object) -> None:
        super().append(call)
        self.arrived.release()


class Held:
    """A `Together` whose first run begins and then waits until others have asked."""

    def __init__(self, answer: Answers, most: int = 32) -> None:
        self.runs: list[tuple[str, list[str]]] = []
        self.began, self.goes_on = threading.Event(), threading.Event()
        self._answer = answer
        self.together: Together[str, str, str] = Together(self._run, most)
        self.together._waiting = self.queue = Queue()

    def _run(self, kind: str, questions: Sequence[str]) -> list[str]:
        self.runs.append((kind, list(questions)))
        if len(self.runs) == 1:
            self.began.set()
            self.goes_on.wait()
        return self._answer(kind, questions)

    def ask(
        self, threads: ThreadPoolExecutor, calls: Sequence[tuple[str, str]]
    ) -> list[Future[str]]:
        """The first call runs; the others arrive one by one while it does; then it goes on."""
        asked = []
        for kind, question in calls:
            asked.append(threads.submit(self.together, kind, question))
            self.queue.arrived.acquire()
            self.began.wait()
        self.goes_on.set()
        return asked


def loudly(kind: str, questions: Sequence[str]) -> list[str]:
    return [f"{kind}: {question.upper()}" for question in questions]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_a_lone_call_runs_in_its_own_thread() -> None:
    ran = []

    def run(kind: str, questions: Sequence[str]) -> list[str]:
        ran.append((threading.current_thread(), questions))
        return loudly(kind, questions)

    together = Together(run)
    assert together("say", "a") == "say: A"
    assert together("say", "b") == "say: B"
    assert ran == [(threading.current_thread(), ["a"]), (threading.current_thread(), ["b"])]


def test_those_that_wait_are_answered_together_by_kind(threads: ThreadPoolExecutor) -> None:
    held = Held(loudly)
    calls = [("say", "a"), ("say", "b"), ("sing", "c"), ("say", "d"), ("sing", "e")]
    asked = held.ask(threads, calls)
    assert [one.result() for one in asked] == [f"{kind}: {said.upper()}" for kind, said in calls]
    assert held.runs == [("say", ["a"]), ("say", ["b", "d"]), ("sing", ["c", "e"])]


def test_a_run_has_a_largest_size(threads: ThreadPoolExecutor) -> None:
    held = Held(loudly, most=2)
    asked = held.ask(threads, [("say", one) for one in "abcd"])
    assert [one.result()[-1] for one in asked] == list("ABCD")
    assert held.runs == [("say", ["a"]), ("say", ["b", "c"]), ("say", ["d"])]


def test_an_error_reaches_those_who_asked_and_nobody_else(threads: ThreadPoolExecutor) -> None:
    def answer(kind: str, questions: Sequence[str]) -> list[str]:
        if kind == "fail":
            raise ValueError(f"{len(questions)} failed")
        return loudly(kind, questions)

    held = Held(answer)
    first, *others, last = held.ask(
        threads, [("say", "a"), ("fail", "b"), ("fail", "c"), ("say", "d")]
    )
    assert first.result() == "say: A"
    for one in others:
        with pytest.raises(ValueError, match="2 failed"):
            one.result()
    assert last.result() == "say: D"


def test_an_interrupt_of_the_one_that_runs_leaves_the_others(threads: ThreadPoolExecutor) -> None:
    def answer(kind: str, questions: Sequence[str]) -> list[str]:
        if kind == "interrupt":
            raise KeyboardInterrupt
        return loudly(kind, questions)

    held = Held(answer)
    first, interrupted, other, last = held.ask(
        threads, [("say", "a"), ("interrupt", "b"), ("interrupt", "c"), ("say", "d")]
    )
    assert (first.result(), last.result()) == ("say: A", "say: D")
    for one in (interrupted, other):
        with pytest.raises(KeyboardInterrupt):
            one.result()
    assert [questions for _, questions in held.runs] == [["a"], ["b", "c"], ["c"], ["d"]]
    assert held.together("say", "e") == "say: E"


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[tuple[Collection, np.ndarray]]:
    """A local collection of 200 rows, and their vectors."""
    matrix = vectors(200)
    with Collection.open(tmp_path / "a.db", name="filled", encoder=ENCODER) as collection:
        collection.upsert(rows(matrix))
        yield collection, matrix


def test_searches_of_many_threads_agree_with_brute_force(
    filled: tuple[Collection, np.ndarray], threads: ThreadPoolExecutor
) -> None:
    collection, matrix = filled
    filters = (None, 'category == "Toys"', "price < 30")
    keeps = (lambda n: True, lambda n: n % 3 > 0, lambda n: n < 60)
    asked = [(query, n % 3, 5 + n % 2) for n, query in enumerate(vectors(64, seed=1))]

    def search(one: tuple[np.ndarray, int, int]) -> list[str]:
        query, kind, limit = one
        return [hit.id for hit in collection.search(query, limit=limit, filter=filters[kind])]

    expected = [nearest(matrix, query, keeps[kind], limit)[0] for query, kind, limit in asked]
    assert list(threads.map(search, asked)) == expected


def test_a_wrong_filter_is_told_to_every_thread(
    filled: tuple[Collection, np.ndarray], threads: ThreadPoolExecutor
) -> None:
    collection, matrix = filled

    def search(number: int) -> bool:
        if number % 2:
            with pytest.raises(FilterError, match="price <"):
                collection.search(matrix[number], filter="price <")
        return bool(collection.search(matrix[number]))

    assert all(threads.map(search, range(32)))
