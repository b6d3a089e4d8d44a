"""Ask about more items than one panorama holds, and several times about the same ones.

Sliding windows go from the tail to the head. Each puts its best items first and overlaps the next
one by about half, so a good item can climb from anywhere to the top; see Sun et al., "Is ChatGPT
Good at Search? Investigating Large Language Models as Re-Ranking Agents" (arXiv 2304.09542). With
a consistent judge the first `window - step` items are right, wherever they were.

Models prefer some places of a grid, see Wang et al., "Large Language Models are not Fair
Evaluators" (arXiv 2305.17926). So several votes show the items at other places.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ocelot.types import Ranking

__all__ = ["arrangements", "merge", "sweep", "window_starts"]


def window_starts(count: int, window: int) -> list[int]:
    """Where each window starts, from the tail to the head; the last one is 0.

    As few windows as possible, spread evenly, with steps of at most half a window (rounded up).

    >>> window_starts(20, 9), window_starts(9, 9)
    ([11, 7, 4, 0], [0])
    """
    span = max(0, count - window)
    steps = math.ceil(span / ((window + 1) // 2))
    return [round(span * i / steps) for i in range(steps, 0, -1)] + [0]


def sweep(
    count: int, window: int, judge: Callable[[tuple[int, ...]], Ranking | None]
) -> tuple[tuple[int, ...], list[Ranking]]:
    """Rank positions 0 … count-1 window by window: their order, and the judge's replies.

    Args:
        judge: Takes the positions in a window in their current order, and returns their new
            order as a permutation of places in the window; None ends the sweep.
    """
    order = list(range(count))
    replies: list[Ranking] = []
    for start in window_starts(count, window):
        positions = tuple(order[start : start + window])
        reply = judge(positions)
        if reply is None:
            break
        order[start : start + window] = [positions[place] for place in reply.order]
        replies.append(reply)
    return tuple(order), replies


def arrangements(count: int, votes: int) -> list[tuple[int, ...]]:
    """Orders in which to show `count` items: each is turned by a further part of a circle.

    >>> arrangements(4, 2)
    [(0, 1, 2, 3), (2, 3, 0, 1)]
    """
    starts = dict.fromkeys(round(count * vote / votes) % count for vote in range(votes))
    return [(*range(start, count), *range(start)) for start in starts]


def merge(votes: Sequence[Ranking]) -> Ranking:
    """Merge rankings of the same items by the mean of their places; earlier items win ties.

    The reason is that of a vote that agrees about the first item, and the most frequent verdict
    counts; if there are as many for as against a match, that vote's.

    >>> first = Ranking((1, 0, 2), "Blue.", "m", match=True)
    >>> merged = merge([first, Ranking((2, 1, 0), "Red.", "m"), Ranking((1, 2, 0), "Round.", "m")])
    >>> merged.order, merged.reason, merged.match
    ((1, 2, 0), 'Blue.', True)
    """
    if len(votes) == 1:
        return votes[0]
    items = range(len(votes[0].order))
    places = [sum(vote.order.index(item) for vote in votes) for item in items]
    order = tuple(sorted(items, key=lambda item: places[item]))
    notes = dict.fromkeys(vote.detail for vote in votes if vote.status == "repaired")
    speaker = next((vote for vote in votes if vote.order[0] == order[0]), None)
    if speaker is None:
        notes["no vote put the first item first, so none gives a reason for it"] = None
    match = speaker.match if speaker else None
    verdicts = [vote.match for vote in votes if vote.match is not None]
    if 2 * sum(verdicts) != len(verdicts):
        match = 2 * sum(verdicts) > len(verdicts)
    return Ranking(
        order,
        speaker.reason if speaker else "",
        votes[0].reranker,
        status="repaired" if notes else "ok",
        detail="; ".join(notes),
        match=match,
    )
