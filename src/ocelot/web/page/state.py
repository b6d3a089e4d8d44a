"""What one open page remembers, and what changes on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cachetools import LRUCache

from ocelot.web.page.cards import card
from ocelot.web.page.form import Form, Offer

__all__ = ["KEEP", "Session", "Sessions", "Step", "View"]

KEEP: Any = object()  # leave a part of the page as it is

_STEPS = 8  # to go back to


@dataclass
class View:
    """What changes on the page, as HTML or values of fields; `KEEP` changes nothing."""

    header: Any = KEEP
    suggestions: Any = KEEP
    picture: Any = KEEP  # a path, or None
    text: Any = KEEP
    status: Any = KEEP
    notice: Any = ""
    steps: Any = KEEP
    more: Any = KEEP  # the sentence to refine with
    results: Any = KEEP
    offer: Any = KEEP  # for the filters
    reset: bool = False  # clear the filters


@dataclass(frozen=True)
class Step:
    """A search and its answer as HTML; `judging` while a reranker is running."""

    form: Form
    label: str
    status: str
    results: str
    judging: bool = False


@dataclass
class Session:
    """What one open page remembers.

    Attributes:
        steps: The searches so far.
        at: Which of them is shown.
        turn: Grows with every request; a late answer of an earlier one is not shown.
        offer: The metadata fields of the filters on the page; None before they are known.
    """

    steps: list[Step] = field(default_factory=list)
    at: int = 0
    turn: int = 0
    offer: Offer | None = None

    def begin(self) -> int:
        """Start a request: answers of earlier ones are not shown any more."""
        self.turn += 1
        return self.turn

    def awaits(self, form: Form) -> bool:
        """Return True if the shown step is this very search, and is still being reranked."""
        return bool(self.steps) and self.steps[self.at].judging and self.steps[self.at].form == form

    def keep(self, step: Step) -> None:
        """Add a step after the one that is shown; drop those that came after it."""
        self.steps = [*self.steps[: self.at + 1], step][-_STEPS:]
        self.at = len(self.steps) - 1

    def change(self, old: Step, new: Step) -> bool:
        """Replace a step by its reranked answer; returns True if it is the one that is shown."""
        here = bool(self.steps) and self.steps[self.at] is old
        self.steps = [new if step is old else step for step in self.steps]
        return here

    def shown(self) -> str:
        """The steps as HTML."""
        return card("steps", [step.label for step in self.steps], self.at)


class Sessions(LRUCache[str, Session]):
    """The sessions of the pages that were used last, by page; a missing one is made.

    Gradio's own state would keep a connection open for each tab: browsers have six, and the
    seventh tab would wait forever.
    """

    def __missing__(self, page: str) -> Session:
        self[page] = Session()
        return self[page]
