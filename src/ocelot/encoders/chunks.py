"""Items of several lengths into chunks that run together and waste little padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["chunks"]

_SPARE = 64  # tokens of padding that are never worth another run


def chunks(lengths: Sequence[int], *, items: int, tokens: int) -> Iterator[list[int]]:
    """Places of rows that are to run together, the longest first.

    >>> list(chunks([300, 9, 310, 8, 7], items=32, tokens=4096))
    [[2, 0], [1, 3, 4]]

    Args:
        lengths: Tokens of each row.
        items: Rows of one chunk at most.
        tokens: Tokens of one chunk at most, padding included; a longer row is alone.
    """
    chunk: list[int] = []
    used = 0
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        longest = lengths[chunk[0]] if chunk else lengths[place]
        taken, used = longest * (len(chunk) + 1), used + lengths[place]
        if chunk and (
            len(chunk) == items or taken > tokens or taken - used > max(_SPARE, taken // 4)
        ):
            yield chunk
            chunk, used = [], lengths[place]
        chunk.append(place)
    if chunk:
        yield chunk
