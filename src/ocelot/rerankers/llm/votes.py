"""Ask several times with the items in other places, as models prefer some places of a grid.

The bias of judges for a position is described in Wang et al., "Large Language Models are not Fair
Evaluators" (arXiv 2305.17926).
"""

from __future__ import annotations

from collections.abc import Sequence

from ocelot.types import Ranking

__all__ = ["arrangements", "merge"]


def arrangements(count: int, votes: int) -> list[tuple[int, ...]]:
    """Return orders in which to show `count` items: each is turned by a further part of a circle.

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
    places = [sum(vote.order.index(item) for vote in votes) for item in range(len(votes[0].order))]
    order = tuple(sorted(range(len(places)), key=lambda item: (places[item], item)))
    speaker = next((vote for vote in votes if vote.order[0] == order[0]), None)
    verdicts = [vote.match for vote in votes if vote.match is not None]
    match = speaker.match if speaker else None
    if 2 * sum(verdicts) != len(verdicts):
        match = 2 * sum(verdicts) > len(verdicts)
    notes = dict.fromkeys(vote.detail for vote in votes if vote.status == "repaired")
    if speaker is None:
        notes["no vote put the first item first, so none gives a reason for it"] = None
    return Ranking(
        order,
        speaker.reason if speaker else "",
        votes[0].reranker,
        status="repaired" if notes else "ok",
        detail="; ".join(notes),
        match=match,
    )
