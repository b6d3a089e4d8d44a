"""What one open page remembers, and what is to change on it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from ocelot.web.page import cards
from ocelot.web.page.filters import Offer
from ocelot.web.page.form import Form

__all__ = ["KEEP", "Session", "Sessions", "Step", "View"]

KEEP: Any = object()  # leave a part of the page as it is

_STEPS = 8  # kept to go back to


@dataclass
class View:
    """What changes on the page; `KEEP` is as it was."""

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
    reset: bool = False  # forget what was chosen in them


@dataclass(frozen=True)
class Step:
    """A search that was answered, as it was shown.

    Attributes:
        judging: Whether a reranker is still at work on it.
    """

    form: Form
    label: str
    status: str
    results: str
    judging: bool = False


@dataclass
class Session:
    """What one open page remembers.

    Attributes:
        steps: Searches that led here.
        at: Which of them is shown.
        turn: Grows with every request; a late answer of an earlier one is not shown.
        offer: What the filters on the page stand for; None before it is known.
    """

    steps: list[Step] = field(default_factory=list)
    at: int = 0
    turn: int = 0
    offer: Offer | None = None

    def begin(self) -> int:
        """A new request: what still runs for earlier ones is not shown any more."""
        self.turn += 1
        return self.turn

    def awaits(self, form: Form) -> bool:
        """Whether the step that is shown asks just this, and is still being judged."""
        return bool(self.steps) and self.steps[self.at].judging and self.steps[self.at].form == form

    def keep(self, step: Step) -> None:
        """Go a step further from the one that is shown; what came after it is forgotten."""
        self.steps = [*self.steps[: self.at + 1], step][-_STEPS:]
        self.at = len(self.steps) - 1

    def change(self, old: Step, new: Step) -> bool:
        """Put a better answer in a step's place; whether that is the step that is shown."""
        here = bool(self.steps) and self.steps[self.at] is old
        self.steps = [new if step is old else step for step in self.steps]
        return here

    def shown(self) -> str:
        """The steps as HTML."""
        return cards.steps([step.label for step in self.steps], self.at)


class Sessions:
    """What open pages remember; of many, those that were used last.

    In the place of Gradio's own state, for which it holds a connection for each open tab: browsers
    have six of them, and the next tab would wait forever.
    """

    def __init__(self, most: int = 500) -> None:
        self._most = most
        self._kept: OrderedDict[str, Session] = OrderedDict()

    def of(self, page: str) -> Session:
        """The session of a page, a new one where it is not known (any more)."""
        session = self._kept.pop(page, None) or Session()
        self._kept[page] = session
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return session
