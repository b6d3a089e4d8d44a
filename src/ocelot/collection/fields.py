"""Fields that filters name, compared with those that the rows have.

Metadata has no schema, so Milvus takes any name and finds nothing. Which fields there are, only
the rows can tell; they are asked when a filter selects nothing, and only then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches

from ocelot.collection.filters import field_name, fields_of, shown
from ocelot.collection.rows import OWN_FIELDS, Row
from ocelot.errors import FilterError

__all__ = ["SAMPLE", "FieldNames"]

SAMPLE = 1000  # rows that show which fields there are
_LISTED = 12  # fields in a message
_LENGTH = 60  # characters of each


class FieldNames:
    """Says which names in a filter are wrong.

    Args:
        exists: Whether some row has a field; True where Milvus cannot tell.
        sample: Some rows, `SAMPLE` of them if there are as many.
    """

    def __init__(self, exists: Callable[[str], bool], sample: Callable[[], Sequence[Row]]) -> None:
        self._exists = exists
        self._sample = sample
        self._seen: set[str] = set()

    def check(self, filter: str) -> None:
        """Raise a `FilterError` if a filter, which selects nothing, names a field of no row."""
        missing = [
            path
            for name, path in fields_of(filter)
            if name not in OWN_FIELDS and not self._is_there(path)
        ]
        rows = self._sample() if missing else ()
        if not rows:
            return
        known = sorted({key for row in rows for key in row.metadata})
        near = get_close_matches(missing[0], known, n=_LISTED)
        names = [field_name(key)[:_LENGTH] for key in dict.fromkeys([*near, *known])]
        listed = ", ".join([*names[:_LISTED], *(["…"] if len(names) > _LISTED else [])])
        where = f"a sample of {SAMPLE:,} has" if len(rows) >= SAMPLE else "there are"
        raise FilterError(
            f"The filter {shown(filter)} finds nothing: no picture has a field "
            f"{' or '.join(path[:_LENGTH] for path in missing[:_LISTED])}; "
            + (f"{where}: {listed}." if names else "no metadata was found.")
        )

    def renamed(self, filter: str) -> str:
        """What to add to the cause of a refused filter: see `clean_metadata` for the names."""
        return "".join(
            f"; {name} is the collection's own field, and that of the metadata is {name}_"
            for name, _ in fields_of(filter)
            if name in OWN_FIELDS and self._is_there(f"{name}_")
        )

    def _is_there(self, path: str) -> bool:
        if path not in self._seen and self._exists(path):
            self._seen.add(path)
        return path in self._seen
