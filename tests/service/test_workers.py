"""Workers: what runs, waits, is refused, is given up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from ocelot.cancel import Abandoned, stop_if_cancelled
from ocelot.errors import Overloaded, RequestTimeout
from ocelot.service.metrics import Metrics
from ocelot.service.workers import Workers


class Held:
    """A function that runs until it is let go, and counts its calls."""

    def __init__(self) -> None:
        self.started = threading.Semaphore(0)
        self.go = threading.Event()
        self.calls = 0

    def __call__(self, value: int = 0) -> int:
        self.calls += 1
        self.started.release()
        assert self.go.wait(60)
        return value


@pytest.fixture
def held() -> Iterator[Held]:
    function = Held()
    yield function
    function.go.set()


def workers(threads: int = 1, queue: int = 1, timeout: float = 60.0) -> Workers:
    return Workers("test", threads=threads, queue=queue, timeout=timeout, metrics=Metrics())


async def started(held: Held) -> None:
    assert await asyncio.to_thread(held.started.acquire, timeout=60)


def test_answers_and_errors_come_through() -> None:
    pool = workers()

    async def go() -> None:
        assert await pool.run(lambda a, *, b: a + b, 1, b=2) == 3
        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: 1 / 0)
        assert pool.held == 0

    asyncio.run(go())
    pool.close()


def test_a_full_queue_refuses_at_once_and_recovers(held: Held) -> None:
    metrics = Metrics()
    pool = Workers("test", threads=1, queue=1, timeout=60.0, metrics=metrics)

    async def go() -> None:
        first = asyncio.create_task(pool.run(held, 1))
        await started(held)
        second = asyncio.create_task(pool.run(held, 2))
        await asyncio.sleep(0)
        assert pool.held == 2
        assert 'ocelot_waiting{queue="test"} 1.0' in metrics.text().decode()
        with pytest.raises(Overloaded) as caught:
            await pool.run(held, 3)
        assert caught.value.retry_after >= 1
        held.go.set()
        assert await asyncio.gather(first, second) == [1, 2]
        assert await pool.run(held, 4) == 4

    asyncio.run(go())
    assert held.calls == 3
    assert 'ocelot_refused_total{queue="test"} 1.0' in metrics.text().decode()
    pool.close()


def test_work_of_a_cancelled_caller_never_starts(held: Held) -> None:
    pool = workers(queue=5)

    async def go() -> None:
        first = asyncio.create_task(pool.run(held, 1))
        await started(held)
        gone = asyncio.create_task(pool.run(held, 2))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        held.go.set()
        assert await first == 1
        assert await pool.run(held, 3) == 3

    asyncio.run(go())
    pool.close()
    assert held.calls == 2
    assert pool.held == 0


def test_a_late_answer_is_given_up(held: Held) -> None:
    pool = workers(timeout=0.02)

    async def go() -> None:
        with pytest.raises(RequestTimeout, match=r"longer than 0\.02 s"):
            await pool.run(held)
        assert pool.held == 1  # it still runs, and still counts
        held.go.set()

    asyncio.run(go())
    pool.close()
    assert pool.held == 0


def test_close_waits_for_what_runs(held: Held) -> None:
    pool = workers()
    done = []

    async def go() -> None:
        running = asyncio.create_task(pool.run(held, 7))
        await started(held)
        closing = asyncio.create_task(asyncio.to_thread(pool.close))
        held.go.set()
        done.append(await running)
        await closing

    asyncio.run(go())
    assert done == [7]


def test_what_waits_too_long_for_a_thread_goes_and_what_runs_may_take_its_time(held: Held) -> None:
    pool = Workers("test", threads=1, queue=5, timeout=60.0, patience=0.02, metrics=Metrics())

    async def go() -> None:
        first = asyncio.create_task(pool.run(held, 1))
        await started(held)
        with pytest.raises(RequestTimeout, match=r"longer than 0\.02 s"):
            await pool.run(held, 2)
        assert not first.done()
        held.go.set()
        assert await first == 1

    asyncio.run(go())
    pool.close()
    assert held.calls == 1


def test_a_functions_own_timeout_is_its_own() -> None:
    pool = workers()

    def slow() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        asyncio.run(pool.run(slow))
    pool.close()


@pytest.mark.parametrize("how", ["cancelled", "closing"])
def test_work_hears_that_nobody_waits(held: Held, how: str) -> None:
    pool = workers()
    ended = threading.Event()

    def work() -> None:
        try:
            held()
            stop_if_cancelled()
        except Abandoned:
            ended.set()
            raise

    async def go() -> None:
        running = asyncio.create_task(pool.run(work))
        await started(held)
        if how == "closing":
            pool.close(wait=False)
        else:
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        held.go.set()
        assert await asyncio.to_thread(ended.wait, 60)
        if how == "closing":
            with pytest.raises(Abandoned):
                await running

    asyncio.run(go())
    pool.close()
