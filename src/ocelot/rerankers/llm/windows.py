"""Sliding windows: rank more candidates than fit into one panorama.

The windows go from the tail to the head. Each puts its best first, and the next one overlaps it,
so a good candidate climbs from anywhere to the top; see Sun et al., "Is ChatGPT Good at Search?
Investigating Large Language Models as Re-Ranking Agents" (arXiv 2304.09542).

A judge that is consistent gets its first `window - step` candidates right, wherever they were.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from ocelot.rerankers.llm.reply import ParsedReply

__all__ = ["sweep", "window_starts"]

Reply = TypeVar("Reply", bound=ParsedReply)


def window_starts(count: int, window: int, step: int) -> list[int]:
    """Where each window starts, from the tail to the head: the last is 0.

    As few windows as steps of at most `step` allow, spread evenly, so none is wasted on a
    short rest.

    >>> window_starts(20, 9, 5)
    [11, 7, 4, 0]
    >>> window_starts(9, 9, 5)
    [0]
    """
    span = max(0, count - window)
    steps = math.ceil(span / step)
    return [round(span * i / steps) for i in range(steps, 0, -1)] + [0]


def sweep(
    count: int,
    window: int,
    step: int,
    judge: Callable[[tuple[int, ...]], Reply | None],
) -> tuple[tuple[int, ...], list[Reply]]:
    """Rank positions 0 … count-1 window by window.

    Args:
        judge: Given the positions in a window, in their present order, returns their new order
            as a permutation of places in the window; None ends the sweep.

    Returns:
        The order, always a complete permutation, and the replies in the order they came: as
        many as windows unless the judge ended it.
    """
    order = list(range(count))
    replies: list[Reply] = []
    for start in window_starts(count, window, step):
        places = tuple(order[start : start + window])
        reply = judge(places)
        if reply is None:
            break
        order[start : start + window] = [places[i] for i in reply.order]
        replies.append(reply)
    return tuple(order), replies
