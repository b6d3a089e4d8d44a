"""Workers: what runs, waits, is refused, is given up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from ocelot.errors import OutOfTime, Overloaded
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
    return Workers("test", threads=threads, queue=queue, timeout=timeout)


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
    refusals = []
    pool = Workers("test", threads=1, queue=1, timeout=60.0, refused=lambda: refusals.append(1))

    async def go() -> None:
        first = asyncio.create_task(pool.run(held, 1))
        await started(held)
        second = asyncio.create_task(pool.run(held, 2))
        await asyncio.sleep(0)
        assert (pool.held, pool.waiting) == (2, 1)
        with pytest.raises(Overloaded) as caught:
            await pool.run(held, 3)
        assert caught.value.retry_after >= 1
        held.go.set()
        assert await asyncio.gather(first, second) == [1, 2]
        assert await pool.run(held, 4) == 4

    asyncio.run(go())
    assert held.calls == 3
    assert refusals == [1]
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
        with pytest.raises(OutOfTime, match=r"longer than 0\.02 s"):
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
