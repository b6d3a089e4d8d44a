"""The rows of two collections side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ocelot.collection import Row

__all__ = ["paired"]


def paired(left: Iterable[Row], right: Iterable[Row]) -> Iterator[tuple[Row | None, Row | None]]:
    """Pairs of rows with the same id; None where one side has none.

    Args:
        left, right: In order of ids, as `Collection.iterate` gives them.

    >>> rows = [Row(id, {"/a.jpg": 1}, 9) for id in "abc"]
    >>> [(a and a.id, b and b.id) for a, b in paired(rows[:2], rows[1:])]
    [('a', None), ('b', 'b'), (None, 'c')]
    """
    others = iter(right)
    other = next(others, None)
    for row in left:
        while other is not None and other.id < row.id:
            yield None, other
            other = next(others, None)
        if other is not None and other.id == row.id:
            yield row, other
            other = next(others, None)
        else:
            yield row, None
    while other is not None:
        yield None, other
        other = next(others, None)
