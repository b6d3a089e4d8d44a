from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocelot.rerankers.llm.reply import ParsedReply
from ocelot.rerankers.llm.windows import sweep, window_starts

SIZES = st.integers(2, 25).flatmap(
    lambda window: st.tuples(st.integers(1, 90), st.just(window), st.integers(1, window - 1))
)


@given(SIZES)
def test_windows_leave_no_gap_and_overlap(sizes: tuple[int, int, int]) -> None:
    count, window, step = sizes
    starts = window_starts(count, window, step)
    assert starts[-1] == 0 and starts[0] == max(0, count - window)
    moves = [later - earlier for later, earlier in pairwise(starts)]
    assert all(0 < move <= step for move in moves)
    # No more windows than moving by `step` would take.
    assert len(starts) == 1 + max(0, -((window - count) // step))


def test_windows_by_hand() -> None:
    assert window_starts(30, 9, 5) == [21, 17, 13, 8, 4, 0]
    assert window_starts(10, 9, 5) == [1, 0]
    assert window_starts(3, 9, 5) == [0]


@given(sizes=SIZES, seed=st.randoms(use_true_random=False))
def test_the_best_within_reach_come_first(sizes: tuple[int, int, int], seed: object) -> None:
    count, window, step = sizes
    worth = list(range(count))
    seed.shuffle(worth)  # type: ignore[attr-defined]
    seen: list[int] = []

    def judge(places: tuple[int, ...]) -> ParsedReply:
        seen.extend(places)
        order = sorted(range(len(places)), key=lambda i: -worth[places[i]])
        return ParsedReply(tuple(order))

    order, _ = sweep(count, window, step, judge)
    assert sorted(order) == list(range(count)) and set(seen) == set(range(count))
    best = sorted(range(count), key=lambda position: -worth[position])
    reach = count if count <= window else window - step
    assert list(order[:reach]) == best[:reach]


@pytest.mark.parametrize("stop", range(5))
def test_a_judge_may_end_it(stop: int) -> None:
    calls: list[tuple[int, ...]] = []

    def judge(places: tuple[int, ...]) -> ParsedReply | None:
        calls.append(places)
        return None if len(calls) > stop else ParsedReply(tuple(range(len(places)))[::-1])

    order, replies = sweep(20, 6, 4, judge)
    assert sorted(order) == list(range(20))
    assert len(replies) == stop and len(calls) == stop + (stop < 5)
    assert order[0] == 0  # the head was not reached, so retrieval order stands there
