"""Parts of the page as HTML: each is a macro of `cards.html`."""

from __future__ import annotations

from functools import cache
from typing import Any

from ocelot.render.html import environment, sendable

__all__ = ["card", "notice", "status"]


def card(name: str, *values: Any) -> str:
    """The HTML of a part: `card("header", "3 pictures")`; `cards.html` names the values of each."""
    return sendable(getattr(_macros(), name)(*values).strip())


def status(text: str, *, busy: bool = False) -> str:
    """The line that says what the page is doing."""
    return card("status", text, busy)


def notice(text: str) -> str:
    """A message to the user, such as an error; nothing without a text."""
    return card("notice", text)


@cache
def _macros() -> Any:
    return environment("ocelot.web.page").get_template("cards.html").module
