"""Cursors: where the next page of an answer begins, as text that clients hand back."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json

from ocelot.web.api.problems import Problem

__all__ = ["cursor_to", "digest_of", "place_of", "wrong_cursor"]


def digest_of(asked: object) -> str:
    """What identifies a question, 16 hex digits."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def cursor_to(place: str, asked: object) -> str:
    """The cursor to a place in the answer to a question, both as JSON can hold them."""
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
        raise wrong_cursor()
    return place


def wrong_cursor() -> Problem:
    """The answer to a cursor that leads nowhere."""
    return Problem(
        400,
        "The cursor is not one of an answer to this question: repeat the question as it was, "
        "with the cursor `next` of its last answer.",
        type="urn:ocelot:problem:cursor",
        title="The cursor cannot be used",
        field="cursor",
    )
