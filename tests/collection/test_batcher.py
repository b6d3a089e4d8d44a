"""Calls of many threads that become one: who runs, who waits, and what errors and interrupts do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ocelot.collection import Collection
from ocelot.collection.batcher import Batcher
from ocelot.types import Hit
from tests.collection.test_collection import ENCODER, id_of, nearest, rows, vectors

LIMIT = 60.0  # seconds until a test fails rather than hangs

Run = Callable[[str, Sequence[str]], list[str]]


class Held:
    """A `Batcher` whose first run begins and then waits until the others have called."""

    def __init__(self, run: Run, max_batch: int = 32) -> None:
        self.runs: list[tuple[str, list[str]]] = []
        self._began, self._goes_on = threading.Event(), threading.Event()
        self._answer = run
        self.batcher: Batcher[str, str, str] = Batcher(self._run, max_batch)

    def _run(self, key: str, requests: Sequence[str]) -> list[str]:
        self.runs.append((key, list(requests)))
        if len(self.runs) == 1:
            self._began.set()
            assert self._goes_on.wait(LIMIT)
        return self._answer(key, requests)

    def call(self, threads: ThreadPoolExecutor, requests: Sequence[str]) -> list[Future[str]]:
        """The first call runs; the others arrive one by one while it does; then it goes on."""
        first, *others = requests
        calls = [threads.submit(self.batcher, "say", first)]
        assert self._began.wait(LIMIT)
        arrived = threading.Semaphore(0)
        waits = self.batcher._changed.wait_for

        def wait_for(ready: Callable[[], bool]) -> bool:
            arrived.release()
            return waits(ready)

        self.batcher._changed.wait_for = wait_for  # type: ignore[method-assign, assignment]
        for one in others:
            calls.append(threads.submit(self.batcher, "say", one))
            assert arrived.acquire(timeout=LIMIT)
        self._goes_on.set()
        return calls

    def is_idle(self) -> bool:
        return not self.batcher._waiting and not self.batcher._running


@pytest.fixture(autouse=True)
def no_wait_is_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = threading.Condition.wait_for

    def wait_for(
        self: threading.Condition, ready: Callable[[], bool], timeout: float | None = None
    ) -> bool:
        if timeout is not None:
            return waits(self, ready, timeout)
        assert waits(self, ready, LIMIT)
        return True

    monkeypatch.setattr(threading.Condition, "wait_for", wait_for)


def loudly(key: str, requests: Sequence[str]) -> list[str]:
    return [f"{key}: {request.upper()}" for request in requests]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_a_lone_call_runs_in_its_own_thread() -> None:
    ran = []

    def run(key: str, requests: Sequence[str]) -> list[str]:
        ran.append((threading.current_thread(), requests))
        return loudly(key, requests)

    batcher = Batcher(run)
    assert batcher("say", "a") == "say: A"
    assert batcher("say", "b") == "say: B"
    assert ran == [(threading.current_thread(), ["a"]), (threading.current_thread(), ["b"])]


def test_those_that_wait_run_as_one(threads: ThreadPoolExecutor) -> None:
    held = Held(loudly)
    calls = held.call(threads, "abcd")
    assert [call.result(LIMIT) for call in calls] == ["say: A", "say: B", "say: C", "say: D"]
    assert [sorted(requests) for _, requests in held.runs] == [["a"], ["b", "c", "d"]]
    assert held.is_idle()


def test_a_batch_has_a_largest_size(threads: ThreadPoolExecutor) -> None:
    held = Held(loudly, max_batch=2)
    calls = held.call(threads, "abcd")
    assert [call.result(LIMIT)[-1] for call in calls] == list("ABCD")
    assert [len(requests) for _, requests in held.runs] == [1, 2, 1]


def test_another_key_does_not_wait(threads: ThreadPoolExecutor) -> None:
    meet = threading.Barrier(2)

    def run(key: str, requests: Sequence[str]) -> list[str]:
        meet.wait(LIMIT)  # fails unless both run at the same time
        return loudly(key, requests)

    batcher = Batcher(run)
    calls = [threads.submit(batcher, key, "a") for key in ("say", "sing")]
    assert [call.result(LIMIT) for call in calls] == ["say: A", "sing: A"]


def test_in_a_batch_that_fails_each_runs_alone(threads: ThreadPoolExecutor) -> None:
    def run(key: str, requests: Sequence[str]) -> list[str]:
        if "c" in requests:
            raise ValueError(f"{len(requests)} failed")
        return loudly(key, requests)

    held = Held(run)
    a, b, c, d = held.call(threads, "abcd")
    assert [call.result(LIMIT) for call in (a, b, d)] == ["say: A", "say: B", "say: D"]
    with pytest.raises(ValueError, match="1 failed"):
        c.result(LIMIT)
    assert held.is_idle()


def test_too_few_results_are_nobodys(threads: ThreadPoolExecutor) -> None:
    held = Held(lambda key, requests: loudly(key, requests)[:2])
    calls = held.call(threads, "abcd")
    assert [call.result(LIMIT)[-1] for call in calls] == list("ABCD")
    assert sorted(len(requests) for _, requests in held.runs) == [1, 1, 1, 1, 3]


def test_an_interrupt_of_the_one_that_runs_leaves_the_others(threads: ThreadPoolExecutor) -> None:
    interrupted: list[str] = []

    def run(key: str, requests: Sequence[str]) -> list[str]:
        if len(requests) > 1:
            interrupted.append(requests[0])
            raise KeyboardInterrupt
        return loudly(key, requests)

    held = Held(run)
    calls = dict(zip("abcd", held.call(threads, "abcd"), strict=True))
    for request, call in calls.items():
        error = call.exception(LIMIT)
        if request in interrupted:
            assert isinstance(error, KeyboardInterrupt)
        else:
            assert call.result() == f"say: {request.upper()}"
    assert len(interrupted) == 1
    assert held.is_idle()


def test_an_interrupt_of_one_that_waits_leaves_the_others(threads: ThreadPoolExecutor) -> None:
    held = Held(loudly)

    def stop(ready: Callable[[], bool]) -> bool:
        raise KeyboardInterrupt

    a = threads.submit(held.batcher, "say", "a")
    assert held._began.wait(LIMIT)
    real = held.batcher._changed.wait_for
    held.batcher._changed.wait_for = stop  # type: ignore[method-assign, assignment]
    b = threads.submit(held.batcher, "say", "b")
    assert isinstance(b.exception(LIMIT), KeyboardInterrupt)
    held.batcher._changed.wait_for = real  # type: ignore[method-assign]
    held._goes_on.set()
    assert a.result(LIMIT) == "say: A"
    assert threads.submit(held.batcher, "say", "c").result(LIMIT) == "say: C"
    assert [requests for _, requests in held.runs] == [["a"], ["c"]]
    assert held.is_idle()


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[tuple[Collection, np.ndarray]]:
    """A local collection of 200 rows, and their vectors."""
    matrix = vectors(200)
    with Collection.open(tmp_path / "a.db", name="filled", encoder=ENCODER) as collection:
        collection.upsert(rows(matrix))
        yield collection, matrix


def test_searches_of_many_threads_agree_with_brute_force(
    filled: tuple[Collection, np.ndarray],
    threads: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collection, matrix = filled
    sizes = []
    search_all = collection._client.search

    def counted(*given: object, data: list[object], **options: object) -> object:
        sizes.append(len(data))
        return search_all(*given, data=data, **options)

    monkeypatch.setattr(collection._client, "search", counted)
    filters = (None, 'category == "Toys"', "price < 30")
    keeps = (lambda n: True, lambda n: n % 3 > 0, lambda n: n < 60)
    kinds = [n // 4 % 3 for n in range(96)]  # eight threads hold two kinds at a time
    asked = list(zip(vectors(96, seed=1), kinds, strict=True))

    def search(one: tuple[np.ndarray, int]) -> tuple[Hit, ...]:
        query, kind = one
        return collection.search(query, limit=5 + kind, filter=filters[kind], with_vectors=True)

    found = list(threads.map(search, asked))
    for hits, (query, kind) in zip(found, asked, strict=True):
        ids, cosines = nearest(matrix, query, keeps[kind], 5 + kind)
        assert [hit.id for hit in hits] == ids == [id_of(hit.metadata["n"]) for hit in hits]
        np.testing.assert_allclose([hit.score for hit in hits], cosines, atol=1e-5)
        for hit in hits:
            np.testing.assert_allclose(hit.vector, matrix[hit.metadata["n"]], atol=1e-6)
    assert sum(sizes) == len(asked)
    assert max(sizes) > 1
