"""Sliding windows: rank more candidates than fit into one panorama.

The windows go from the tail to the head. Each puts its best candidates first and overlaps the next
one, so a good candidate can climb from anywhere to the top; see Sun et al., "Is ChatGPT Good at
Search? Investigating Large Language Models as Re-Ranking Agents" (arXiv 2304.09542).

The step is about half a window. With a consistent judge the first `window - step` candidates are
right, wherever they were.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ocelot.types import Ranking

__all__ = ["sweep", "window_starts"]


def window_starts(count: int, window: int) -> list[int]:
    """Where each window starts, from the tail to the head; the last one is 0.

    There are as few windows as possible with steps of at most half a window (rounded up), and
    they are spread evenly.

    >>> window_starts(20, 9)
    [11, 7, 4, 0]
    >>> window_starts(9, 9)
    [0]
    """
    span = max(0, count - window)
    steps = math.ceil(span / ((window + 1) // 2))
    return [round(span * i / steps) for i in range(steps, 0, -1)] + [0]


def sweep(
    count: int, window: int, judge: Callable[[tuple[int, ...]], Ranking | None]
) -> tuple[tuple[int, ...], list[Ranking]]:
    """Rank positions 0 … count-1 window by window.

    Args:
        judge: Takes the positions in a window in their current order, and returns their new
            order as a permutation of places in the window; None ends the sweep.

    Returns:
        The order, always a complete permutation, and the judge's replies: as many as windows,
        unless the judge ended the sweep.
    """
    order = list(range(count))
    replies: list[Ranking] = []
    for start in window_starts(count, window):
        places = tuple(order[start : start + window])
        reply = judge(places)
        if reply is None:
            break
        order[start : start + window] = [places[i] for i in reply.order]
        replies.append(reply)
    return tuple(order), replies
