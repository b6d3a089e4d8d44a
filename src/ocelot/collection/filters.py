"""Filter expressions of Milvus: how they are written and checked, and the fields they name.

Metadata has no schema, so Milvus takes any name and finds nothing. Which fields there are, only
the rows can tell; they are asked when a filter selects nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, Literal

from ocelot.collection.rows import OWN_FIELDS, Row
from ocelot.errors import FilterError

__all__ = [
    "MAX_FILTER", "SAMPLE", "check_fields", "checked_filter", "condition", "field_name",
    "fields_of", "literal", "renamed_fields", "shown",
]  # fmt: skip

MAX_FILTER = 10_000  # characters; Milvus needs a second for 600 terms, and minutes for 80,000
SAMPLE = 1000  # rows that show which fields there are
_SHOWN = 200  # characters of a filter in a message
_LISTED = 12  # fields in a message
_LENGTH = 60  # characters of each
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"})
_KEYWORDS = frozenset(
    {"and", "or", "not", "in", "like", "true", "false", "exists", "is", "null", "escape", "iso",
     "interval"}
)  # fmt: skip
_STRING = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_TOKEN = re.compile(
    rf"""
      {_STRING}
    | \d[\w.]*                             # a number: the e of 1e5 is no name
    | (?P<name>\$meta|[^\W\d]\w*)
    """,
    re.VERBOSE | re.DOTALL,
)
_SUBSCRIPT = re.compile(rf"\s*\[\s*({_STRING})\s*\]", re.DOTALL)
_CALL = re.compile(r"\s*\(")


def checked_filter(filter: str | None) -> str:
    """A filter as Milvus takes it, "" for none; blank text counts as none.

    Raises:
        FilterError: It is not a text, or longer than `MAX_FILTER`.
    """
    if filter is not None and not isinstance(filter, str):
        raise FilterError(f"The filter must be a text, was: {type(filter).__name__}.")
    filter = (filter or "").strip()
    if len(filter) > MAX_FILTER:
        raise FilterError(
            f"The filter {shown(filter)} has {len(filter):,} characters, and {MAX_FILTER:,} are "
            "the most: shorten it, for example with `in [...]`, or search several times."
        )
    return filter


def shown(filter: str) -> str:
    """A filter in quotes for a message, its first 200 characters.

    >>> shown("price < 30")
    "'price < 30'"
    """
    return repr(filter if len(filter) <= _SHOWN else filter[:_SHOWN] + "…")


def fields_of(expression: str) -> Iterator[tuple[str, str]]:
    """The fields that an expression names: (name, path within a field of objects).

    Left out are names that follow `exists`: whoever asks whether a field is there knows that it
    may be missing.

    >>> list(fields_of('price < 30 and box["w"] > 1e3 and json_contains(tags, "a")'))
    [('price', 'price'), ('box', 'box["w"]'), ('tags', 'tags')]
    >>> list(fields_of('sale == "price" and exists sale or $meta["in"] in ["b"]'))
    [('$meta', '$meta["in"]')]
    """
    found: dict[str, str] = {}
    expected: set[str] = set()
    after_exists = False
    position = 0
    while token := _TOKEN.search(expression, position):
        position = token.end()
        name = token["name"]
        if name is None:
            continue
        if name.lower() in _KEYWORDS:
            after_exists = name.lower() == "exists"
            continue
        path = name
        while subscript := _SUBSCRIPT.match(expression, position):
            position = subscript.end()
            path += f"[{subscript[1]}]"
        if path == name and _CALL.match(expression, position):
            continue  # a function
        found[path] = name
        if after_exists:
            expected.add(path)
        after_exists = False
    return ((name, path) for path, name in found.items() if path not in expected)


def field_name(key: str) -> str:
    """A metadata field as a filter names it.

    >>> field_name("price"), field_name("unit price")
    ('price', '$meta["unit price"]')
    """
    plain = _IDENTIFIER.fullmatch(key) and key.lower() not in _KEYWORDS
    return key if plain else f"$meta[{literal(key)}]"


def condition(key: str, operator: Literal["==", "<=", ">="], value: Any) -> str:
    """A filter over one metadata field, quoted as Milvus reads it.

    >>> condition("colour", "==", 'a "b"')
    'colour == "a \\\\"b\\\\""'
    >>> condition("unit price", "<=", 3.5)
    '$meta["unit price"] <= 3.5'
    """
    return f"{field_name(key)} {operator} {literal(value)}"


def literal(value: Any) -> str:
    """A text, number, truth value or list of them in an expression."""
    if isinstance(value, str):
        # Milvus knows these escapes and no \\u; it takes other control characters as they are.
        return f'"{value.translate(_ESCAPES)}"'
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(literal, value))}]"
    return json.dumps(value)


def check_fields(
    filter: str, exists: Callable[[str], bool], sample: Callable[[], Sequence[Row]]
) -> None:
    """Raise a `FilterError` if a filter, which selects nothing, names a field of no row.

    Args:
        exists: Whether some row has a field; True where Milvus cannot tell.
        sample: Some rows, `SAMPLE` of them if there are as many.
    """
    missing = [
        path for name, path in fields_of(filter) if name not in OWN_FIELDS and not exists(path)
    ]
    rows = sample() if missing else ()
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


def renamed_fields(filter: str, exists: Callable[[str], bool]) -> str:
    """What to add to the cause of a refused filter: see `clean_metadata` for the names."""
    return "".join(
        f"; {name} is the collection's own field, and that of the metadata is {name}_"
        for name, _ in fields_of(filter)
        if name in OWN_FIELDS and exists(f"{name}_")
    )
