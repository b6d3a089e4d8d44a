"""Budget and breaker, with a real endpoint that counts questions, and clocks that stand still."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ocelot.errors import ConfigurationError
from ocelot.rerankers.function import FunctionReranker
from ocelot.rerankers.llm.failures import ChatError
from ocelot.rerankers.llm.limits import Breaker, Budget
from ocelot.rerankers.llm.reranker import LLMReranker
from ocelot.settings import Settings, load_settings
from ocelot.types import Query, Usage
from tests.rerankers.chat_server import ChatServer, Reply, completion, error, ranking
from tests.rerankers.conftest import MakeHits

COLOURS = ["red", "blue", "green"]
NOON = 1_764_158_400.0  # 2025-11-26 12:00 UTC
HOUR = 3600.0


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


SUBSTITUTE = FunctionReranker(
    lambda query, hits: (range(len(hits))[::-1], "Backwards."), name="backwards"
)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


def spent(path: Path) -> list[tuple[str, int, float]]:
    database = sqlite3.connect(path)
    rows = database.execute("SELECT * FROM days ORDER BY day").fetchall()
    database.close()
    return rows


# The budget


def test_a_spent_budget_leaves_the_ranking_to_the_substitute_until_midnight(
    server: ChatServer, make_hits: MakeHits, tmp_path: Path, clock: Clock
) -> None:
    file = tmp_path / "cache" / "budget.sqlite"
    server.script = lambda _: ranking([1, 0, 2])  # 100 tokens in, 20 out
    judge = LLMReranker(
        base_url=server.url,
        limits=[Budget(file, tokens=240, clock=clock)],
        substitute=SUBSTITUTE,
        cache=tmp_path / "rankings",
    )
    hits = make_hits(COLOURS)
    asked = [judge.rerank(Query(text=f"number {n}"), hits) for n in range(4)]
    assert len(server.requests) == 2
    assert [one.status for one in asked] == ["ok", "ok", "replaced", "replaced"]
    last = asked[-1]
    assert (last.order, last.reason, last.reranker) == ((2, 1, 0), "Backwards.", "backwards")
    assert last.ranked_by == "backwards" and last.usage == Usage()
    assert last.detail == (
        "gpt-4o was not asked, as the budget of today is spent (240 of 240 tokens; the day ends at "
        "midnight UTC)."
    )
    assert spent(file) == [("2025-11-26", 240, 0.0)]
    again = judge.rerank(Query(text="number 0"), hits)  # what is known costs nothing
    assert again.cached and again.status == "ok"
    clock.now += 11 * HOUR + 3599
    assert judge.rerank(Query(text="number 3"), hits).status == "replaced"
    clock.now += 1
    assert judge.rerank(Query(text="number 3"), hits).status == "ok"  # was not kept as an answer
    assert len(server.requests) == 3
    assert spent(file) == [("2025-11-26", 240, 0.0), ("2025-11-27", 120, 0.0)]


def test_dollars_are_counted_by_the_prices(
    server: ChatServer, make_hits: MakeHits, tmp_path: Path, clock: Clock
) -> None:
    server.script = lambda _: ranking([1, 0, 2])
    judge = LLMReranker(
        base_url=server.url,
        prices=(1000.0, 5000.0),  # 100 and 20 tokens: $0.1 and $0.1
        limits=[Budget(tmp_path / "b.sqlite", dollars=0.5, clock=clock)],
        substitute=SUBSTITUTE,
    )
    hits = make_hits(COLOURS)
    asked = [judge.rerank(Query(text=f"number {n}"), hits) for n in range(4)]
    assert len(server.requests) == 3 and asked[2].usage.cost == pytest.approx(0.2)
    assert "is spent ($0.60 of $0.50;" in asked[3].detail


def test_a_failed_question_that_was_answered_is_paid(
    server: ChatServer, make_hits: MakeHits, tmp_path: Path, clock: Clock
) -> None:
    file = tmp_path / "b.sqlite"
    server.script = lambda _: completion("", usage=(70, 7))
    judge = LLMReranker(base_url=server.url, limits=[Budget(file, tokens=1000, clock=clock)])
    assert judge.rerank(Query(text="a"), make_hits(COLOURS)).status == "fallback"
    assert spent(file) == [("2025-11-26", 77, 0.0)]
    server.script = lambda _: completion("", usage=(10**30, 1))  # no number of tokens
    assert judge.rerank(Query(text="b"), make_hits(COLOURS)).status == "fallback"
    assert spent(file) == [("2025-11-26", 78, 0.0)]


def test_a_budget_that_ends_within_an_answer_keeps_what_was_judged(
    server: ChatServer, make_hits: MakeHits, tmp_path: Path, clock: Clock
) -> None:
    server.script = lambda _: ranking([1, 0])
    judge = LLMReranker(
        base_url=server.url,
        window=2,
        limits=[Budget(tmp_path / "b.sqlite", tokens=1, clock=clock)],
        substitute=SUBSTITUTE,
    )
    judged = judge.rerank(Query(text="a"), make_hits(COLOURS))
    assert len(server.requests) == 1
    assert (judged.order, judged.status) == ((0, 2, 1), "repaired")
    assert "1 of 2 windows kept retrieval order, because: gpt-4o was not asked" in judged.detail


def test_without_a_substitute_the_order_of_the_search_stays(
    make_hits: MakeHits, tmp_path: Path, clock: Clock
) -> None:
    judge = LLMReranker(api_key="k", limits=[Budget(tmp_path / "b", tokens=0, clock=clock)])
    kept = judge.rerank(Query(text="a"), make_hits(COLOURS))
    assert (kept.order, kept.status, kept.ranked_by) == ((0, 1, 2), "fallback", "retrieval")
    assert "(0 of 0 tokens;" in kept.detail


def test_processes_share_a_budget(tmp_path: Path) -> None:
    file = tmp_path / "b.sqlite"
    code = (
        "import sys; from pathlib import Path\n"
        "from ocelot.rerankers.llm.limits import Budget\n"
        "from ocelot.types import Usage\n"
        f"budget = Budget(Path({str(file)!r}), tokens=10**9, clock=lambda: {NOON})\n"
        "for _ in range(50): budget.asked(Usage(1, 3, 4, 0.5))\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait(60) for process in running] == [0, 0]
    assert spent(file) == [("2025-11-26", 700, 50.0)]
    assert Budget(file, tokens=700, clock=Clock(NOON)).refusal()
    assert not Budget(file, tokens=701, clock=Clock(NOON)).refusal()


def test_a_file_that_cannot_be_used_is_said_and_the_process_counts(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "b.sqlite"
    file.write_bytes(b"no database" * 100)
    budget = Budget(file, tokens=10, clock=clock)
    with caplog.at_level(logging.WARNING):
        assert not budget.refusal()
        budget.asked(Usage(1, 4, 6))
        assert "10 of 10 tokens" in budget.refusal()
    assert "b.sqlite (file is not a database)" in caplog.text
    file.unlink()
    assert "10 of 10 tokens" in budget.refusal()  # and catches up
    assert spent(file) == [("2025-11-26", 10, 0.0)]
    clock.now += 24 * HOUR
    assert not budget.refusal()


# The breaker


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(failures=3, pause=60, clock=clock)


def failing(_: Any) -> Reply:
    return error(500, "boom")


@pytest.fixture
def judge(server: ChatServer, breaker: Breaker) -> LLMReranker:
    return LLMReranker(base_url=server.url, retries=0, limits=[breaker], substitute=SUBSTITUTE)


def test_an_endpoint_that_keeps_failing_is_left_alone_and_then_tried_once(
    server: ChatServer, judge: LLMReranker, make_hits: MakeHits, clock: Clock
) -> None:
    hits, query = make_hits(COLOURS), Query(text="a")

    def statuses(count: int) -> list[str]:
        return [judge.rerank(query, hits).status for _ in range(count)]

    server.script = failing
    assert statuses(5) == ["fallback"] * 3 + ["replaced"] * 2
    assert len(server.requests) == 3
    clock.now += 20
    detail = judge.rerank(query, hits).detail
    assert "its endpoint failed 3 times in a row (it is tried again in 40 s), because: " in detail
    assert "failed (HTTP 500) (boom); try again later." in detail
    clock.now += 40
    assert statuses(3) == ["fallback"] + ["replaced"] * 2  # one attempt, which fails
    assert len(server.requests) == 4
    clock.now += 60
    server.script = lambda _: ranking([1, 0, 2])
    assert statuses(3) == ["ok"] * 3
    server.script = failing
    assert statuses(2) == ["fallback"] * 2  # counted anew
    server.script = lambda _: ranking([1, 0, 2])
    assert statuses(1) == ["ok"]


def test_a_question_that_fails_alone_does_not_count(
    server: ChatServer, judge: LLMReranker, make_hits: MakeHits
) -> None:
    server.script = lambda _: error(400, "content filter", code="content_filter")
    hits = make_hits(COLOURS)
    assert {judge.rerank(Query(text="a"), hits).status for _ in range(6)} == {"fallback"}
    assert len(server.requests) == 6


def test_while_one_attempt_lasts_the_others_wait(breaker: Breaker, clock: Clock) -> None:
    for _ in range(3):
        breaker.asked(Usage(), ChatError("It failed.", "temporary"))
    clock.now += 60
    assert breaker.refusal() == ""
    assert breaker.refusal() and breaker.refusal()
    clock.now += 60  # the attempt was given up by its caller, so that nobody said how it ended
    assert breaker.refusal() == ""


def test_without_a_pause_there_is_no_breaker(clock: Clock) -> None:
    breaker = Breaker(failures=1, pause=0, clock=clock)
    breaker.asked(Usage(), ChatError("It failed.", "permanent"))
    assert breaker.refusal() == ""


# Settings


def test_the_price_table_is_read_by_the_models_name(
    bare_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from ocelot.build import build_images, build_reranker
    from ocelot.encoders.function import FunctionEncoder

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "cache"))

    def prices(**given: Any) -> Any:
        settings = load_settings(reranker="llm", llm_api_key="k", **given)
        encoder = FunctionEncoder(lambda image, text: [1.0], dimension=1)
        built = build_reranker(settings, encoder, build_images(settings))
        assert isinstance(built, LLMReranker)
        return built._prices, [type(limit).__name__ for limit in built._model.limits]

    (tmp_path / "ocelot.toml").write_text('[llm_prices]\n"gpt-4o" = [2.5, 10]\n')
    assert prices() == ((2.5, 10.0), ["Breaker"])
    assert prices(llm_price_in=1, llm_price_out=2)[0] == (1.0, 2.0)
    assert prices(llm_daily_dollars=3)[1] == ["Budget", "Breaker"]
    assert prices(llm_model="other")[0] is None
    with pytest.raises(ConfigurationError, match="llm_daily_dollars needs the prices of other"):
        prices(llm_model="other", llm_daily_dollars=3)
    monkeypatch.setenv("OCELOT_LLM_PRICES", "nonsense")
    with pytest.raises(ConfigurationError, match="must be JSON is not"):
        load_settings()
    assert Settings.model_fields["llm_pause"].default == 60.0
