"""Cursors: where the next page of an answer begins, as text that clients hand back."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json

from ocelot.service import MAX_DEPTH
from ocelot.web.api.problems import Problem

__all__ = ["cursor_problem", "cursor_to", "digest_of", "next_after", "offset_of", "place_of"]


def digest_of(asked: object) -> str:
    """What identifies a question, which JSON can hold: 16 hex digits."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def cursor_to(place: str, asked: object) -> str:
    """The cursor to a place in the answer to a question."""
    return base64.urlsafe_b64encode(f"{digest_of(asked)}{place}".encode()).decode().rstrip("=")


def place_of(cursor: str | None, asked: object) -> str:
    """The place that a cursor points to; "" without a cursor.

    >>> place_of(cursor_to("18", {"text": "mug"}), {"text": "mug"})
    '18'

    Raises:
        Problem: It is no cursor, or that of another question (400).
    """
    if cursor is None:
        return ""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        text = ""
    digest, place = text[:16], text[16:]
    if digest != digest_of(asked) or not place:
        raise cursor_problem()
    return place


def offset_of(cursor: str | None, limit: int, asked: object) -> tuple[int, int]:
    """The hits to leave out, and the limit within the depth that cursors reach."""
    place = place_of(cursor, asked) or "0"
    if not (place.isascii() and place.isdecimal() and int(place[:9]) < MAX_DEPTH):
        raise cursor_problem()  # anybody can make one
    return int(place), min(limit, MAX_DEPTH - int(place))


def next_after(offset: int, limit: int, found: int, asked: object) -> str | None:
    """The cursor after `found` hits of at most `limit`; None if there are no more."""
    end = offset + found
    return cursor_to(str(end), asked) if found == limit and end < MAX_DEPTH else None


def cursor_problem(
    detail: str = "The cursor is not one of an answer to this question: repeat the question as it "
    "was, with the cursor `next` of its last answer.",
) -> Problem:
    """The answer to a cursor that leads nowhere."""
    type, title = "urn:ocelot:problem:cursor", "The cursor cannot be used"
    return Problem(400, detail, type=type, title=title, field="cursor")
