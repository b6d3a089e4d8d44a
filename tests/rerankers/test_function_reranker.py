from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import ocelot.rerankers
from ocelot.rerankers import FunctionReranker
from ocelot.rerankers.base import Reranker
from ocelot.types import Hit, Query

QUERY = Query(text="red")
HITS = [Hit(name, (name,), rank=place) for place, name in enumerate("abc", 1)]


@pytest.mark.parametrize(
    ("given", "order", "reason", "status"),
    [
        ([2, 0, 1], (2, 0, 1), "", "ok"),
        ((2, 0, 1), (2, 0, 1), "", "ok"),
        (([2, 0, 1], "Red."), (2, 0, 1), "Red.", "ok"),
        ([2, 2, 9], (2, 0, 1), "", "repaired"),
        ([], (0, 1, 2), "", "fallback"),
    ],
)
def test_it_says_what_the_function_says(
    given: Any, order: tuple[int, ...], reason: str, status: str
) -> None:
    ranking = FunctionReranker(lambda query, hits: given, name="mine").rerank(QUERY, HITS)
    assert (ranking.order, ranking.reason, ranking.status) == (order, reason, status)
    assert ranking.reranker == "mine"
    assert bool(ranking.detail) == (status != "ok")


def test_the_function_gets_the_query_and_the_hits() -> None:
    seen: list[Any] = []

    def remember(query: Query, hits: Any) -> range:
        seen.append((query, hits))
        return range(len(hits))

    FunctionReranker(remember).rerank(QUERY, HITS)
    assert seen == [(QUERY, HITS)]


def test_no_hits() -> None:
    assert FunctionReranker(lambda query, hits: []).rerank(QUERY, []).status == "ok"


def test_it_is_a_reranker() -> None:
    assert isinstance(FunctionReranker(lambda query, hits: []), Reranker)


def test_the_package_exports_a_sorted_list() -> None:
    assert ocelot.rerankers.__all__ == sorted(ocelot.rerankers.__all__)
    for name in ocelot.rerankers.__all__:
        assert getattr(ocelot.rerankers, name).__name__ == name
    with pytest.raises(AttributeError):
        ocelot.rerankers.Nothing  # noqa: B018


def test_offline_rerankers_do_not_load_the_client() -> None:
    code = (
        "import sys, ocelot.rerankers.panorama.compose, ocelot.rerankers.llm.reply\n"
        "from ocelot.rerankers import FunctionReranker, FusionReranker\n"
        "assert not {'openai', 'httpx', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("answer", "order", "status"),
    [
        (None, (0, 1, 2), "fallback"),
        (7, (0, 1, 2), "fallback"),
        ("abc", (0, 1, 2), "fallback"),
        ([2, "a", None, 1.5], (2, 0, 1), "repaired"),
        (([1, 0, 2], None), (1, 0, 2), "ok"),
    ],
)
def test_any_answer_gives_a_complete_ranking(answer, order, status):
    hits = [Hit(f"{n:064x}", (f"{n}.png",), rank=n + 1) for n in range(3)]
    ranking = FunctionReranker(lambda query, hits: answer).rerank(Query(text="a"), hits)
    assert (ranking.order, ranking.status) == (order, status)
