"""When the model is not asked: the budget of the day is spent, or its endpoint keeps failing."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from pydantic import SecretStr

from ocelot.rerankers.llm.client import Chat, ChatReply, Messages
from ocelot.rerankers.llm.failures import ChatError
from ocelot.rerankers.llm.prompt import SCHEMA
from ocelot.types import Usage

__all__ = ["Breaker", "Budget", "Limit", "LimitedChat"]

_log = logging.getLogger(__name__)
_BUSY_SECONDS = 2.0  # how long a write waits for another process's
_TABLE = """CREATE TABLE IF NOT EXISTS days
(day TEXT PRIMARY KEY, tokens INTEGER NOT NULL, dollars REAL NOT NULL)"""
_ADD = """INSERT INTO days VALUES (?, ?, ?) ON CONFLICT (day) DO UPDATE
SET tokens = tokens + excluded.tokens, dollars = dollars + excluded.dollars"""


class Limit(Protocol):
    """Says before each question whether it may be asked, and is told what became of it."""

    def refusal(self) -> str:
        """Why the model must not be asked now, as a part of a sentence; "" if it may be."""
        ...

    def asked(self, usage: Usage, error: ChatError | None = None) -> None:
        """Note what a question has cost, and how it failed."""
        ...


class Budget:
    """Tokens and US dollars that may be spent in a day (UTC); None for no limit.

    All threads and processes with the same SQLite file share the budget. A question that was sent
    is paid, so questions that are asked at the same time may spend a little more. Where the file
    cannot be used, each process counts for itself, and the log says so.
    """

    def __init__(
        self,
        path: Path,
        *,
        tokens: int | None = None,
        dollars: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path, self._tokens, self._dollars, self._clock = path, tokens, dollars, clock
        self._lock = threading.Lock()
        self._day, self._unwritten = "", Usage(cost=0.0)

    def refusal(self) -> str:
        tokens, dollars = self._sums(Usage())
        if self._tokens is not None and tokens >= self._tokens:
            spent = f"{tokens:,} of {self._tokens:,} tokens"
        elif self._dollars is not None and dollars >= self._dollars:
            spent = f"${dollars:,.2f} of ${self._dollars:,.2f}"
        else:
            return ""
        return f"the budget of today is spent ({spent}; the day ends at midnight UTC)"

    def asked(self, usage: Usage, error: ChatError | None = None) -> None:
        self._sums(usage)

    def _sums(self, more: Usage) -> tuple[int, float]:
        """Tokens and dollars of today, after more was added to them."""
        day = time.strftime("%Y-%m-%d", time.gmtime(self._clock()))
        with self._lock:
            if day != self._day:
                self._day, self._unwritten = day, Usage(cost=0.0)
            new = self._unwritten = self._unwritten + more
            sums = new.prompt_tokens + new.completion_tokens, new.cost or 0.0
            try:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with closing(sqlite3.connect(self._path, _BUSY_SECONDS)) as database, database:
                    database.execute(_TABLE)
                    if any(sums):
                        database.execute(_ADD, (day, *sums))
                    query = "SELECT tokens, dollars FROM days WHERE day = ?"
                    tokens, dollars = database.execute(query, (day,)).fetchone() or (0, 0.0)
            except (OSError, sqlite3.Error) as problem:
                said = "Cannot count tokens in %s (%s): this process counts its own only."
                _log.warning(said, self._path, problem)
                return sums
            self._unwritten = Usage(cost=0.0)
            return tokens, dollars


class Breaker:
    """Leaves an endpoint alone after failures in a row, then tries it with one question at a time.

    Only failures of the endpoint count, not those of one question, such as a content filter's.

    Args:
        pause: Seconds without a question, after so many failures and each attempt that failed.
    """

    def __init__(
        self, pause: float, failures: int = 5, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pause, self._most, self._clock = pause, failures, clock
        self._lock = threading.Lock()
        self._failed, self._until, self._cause = 0, 0.0, ""

    def refusal(self) -> str:
        with self._lock:
            now = self._clock()
            if self._failed < self._most or now >= self._until:
                self._until = now + self._pause  # the others wait for this attempt
                return ""
            return (
                f"its endpoint failed {self._failed} times in a row (it is tried again in "
                f"{self._until - now:.0f} s), because: {self._cause.rstrip('.')}"
            )

    def asked(self, usage: Usage, error: ChatError | None = None) -> None:
        with self._lock:
            if error is None or error.kind == "question":
                self._failed = 0
            else:
                self._failed, self._cause = self._failed + 1, str(error)
                self._until = self._clock() + self._pause


class LimitedChat:
    """A chat model, the limits of its use, and what its answers cost.

    Arguments and errors: see `LLMReranker`.
    """

    def __init__(
        self,
        model: str,
        *,
        api_key: str | SecretStr | None,
        base_url: str | None,
        azure_endpoint: str | None,
        azure_api_version: str,
        timeout: float,
        retries: int,
        max_tokens: int,
        prices: tuple[float, float] | None,
        limits: Sequence[Limit],
    ) -> None:
        azure = (azure_endpoint, azure_api_version) if azure_endpoint else None
        self.chat = Chat(model, api_key, base_url, azure, timeout, retries, max_tokens)
        self.prices, self.limits = prices, limits

    def refusal(self) -> str:
        """Why the model must not be asked now, as a sentence; "" if it may be."""
        refusal = next(filter(None, (limit.refusal() for limit in self.limits)), "")
        return f"{self.chat.model} was not asked, as {refusal}." if refusal else ""

    def ask(
        self,
        build: Callable[[bool], Messages],
        deadline: float,
        schema: Mapping[str, Any] = SCHEMA,
    ) -> ChatReply:
        """Ask, whatever the limits say, and tell them the cost; see `Chat.ask`."""
        try:
            reply = self.chat.ask(build, deadline, schema)
        except ChatError as error:
            self._pay(error.usage, error)
            raise
        self._pay(reply.usage)
        return reply

    def _pay(self, usage: Usage, error: ChatError | None = None) -> None:
        for limit in self.limits:
            limit.asked(usage.priced(self.prices), error)
