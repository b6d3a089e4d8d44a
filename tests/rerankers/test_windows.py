from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocelot.rerankers.llm.windows import sweep, window_starts
from ocelot.types import Ranking

COUNTS, WINDOWS = st.integers(1, 90), st.integers(2, 25)


@given(count=COUNTS, window=WINDOWS)
def test_windows_leave_no_gap_and_overlap(count: int, window: int) -> None:
    step = (window + 1) // 2
    starts = window_starts(count, window)
    assert starts[-1] == 0 and starts[0] == max(0, count - window)
    moves = [later - earlier for later, earlier in pairwise(starts)]
    assert all(0 < move <= step < window for move in moves)
    # No more windows than moving by `step` would take.
    assert len(starts) == 1 + max(0, -((window - count) // step))


def test_windows_by_hand() -> None:
    assert window_starts(30, 9) == [21, 17, 13, 8, 4, 0]
    assert window_starts(10, 9) == [1, 0]
    assert window_starts(3, 9) == [0]


@given(count=COUNTS, window=WINDOWS, seed=st.randoms(use_true_random=False))
def test_the_best_within_reach_come_first(count: int, window: int, seed: object) -> None:
    worth = list(range(count))
    seed.shuffle(worth)  # type: ignore[attr-defined]
    seen: list[int] = []

    def judge(places: tuple[int, ...]) -> Ranking:
        seen.extend(places)
        order = sorted(range(len(places)), key=lambda i: -worth[places[i]])
        return Ranking(tuple(order), "", "test")

    order, _ = sweep(count, window, judge)
    assert sorted(order) == list(range(count)) and set(seen) == set(range(count))
    best = sorted(range(count), key=lambda position: -worth[position])
    reach = count if count <= window else window // 2
    assert list(order[:reach]) == best[:reach]


@pytest.mark.parametrize("stop", range(5))
def test_a_judge_may_end_it(stop: int) -> None:
    calls: list[tuple[int, ...]] = []

    def judge(places: tuple[int, ...]) -> Ranking | None:
        calls.append(places)
        order = tuple(range(len(places)))[::-1]
        return None if len(calls) > stop else Ranking(order, "", "test")

    order, replies = sweep(20, 7, judge)
    assert sorted(order) == list(range(20))
    assert len(replies) == stop and len(calls) == stop + (stop < 5)
    assert order[0] == 0  # the head was not reached, so retrieval order stands there
