from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from ocelot.rerankers.function import FunctionReranker
from ocelot.rerankers.llm.reranker import LLMReranker
from ocelot.service import Answer, Service
from ocelot.types import Query
from ocelot.web.api.responses import SearchAnswer
from ocelot.web.api.search import events as told_events
from tests.rerankers.chat_server import ChatServer, Reply, ranking
from tests.uvicorn_server import serve
from tests.web.conftest import MakeService, app_of, client_of
from tests.web.test_items import add, drawn

STREAM = {"Accept": "text/event-stream"}


def events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    """Server-sent events by the rules of the HTML standard, as far as they are used here."""
    name, data = "message", []
    for line in lines:
        if line == "":
            if data:
                yield name, json.loads("\n".join(data))
            name, data = "message", []
        elif not line.startswith(":"):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)


def told(client: TestClient, **body: Any) -> list[tuple[str, Any]]:
    response = client.post("/v1/search", json=body, headers=STREAM)
    assert response.status_code == 200
    return list(events(iter(response.text.split("\n"))))


def test_hits_are_sent_before_the_model_has_answered(beside: MakeService) -> None:
    may_answer = threading.Event()

    def answer_late(_: object) -> Reply:
        reply = ranking([2, 0, 1], "The third has the pattern.")
        reply.wait = may_answer
        return reply

    with ChatServer(answer_late) as chat:
        judge = LLMReranker(base_url=chat.url, retries=0)
        app = app_of(beside(rerankers={"llm": judge}, default="llm"))
        with (
            serve(app) as url,
            httpx.stream(
                "POST", f"{url}/v1/search", json={"text": "kettle", "limit": 3}, headers=STREAM
            ) as response,
        ):
            assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert response.headers["cache-control"] == "no-store"
            assert response.headers["x-accel-buffering"] == "no"
            coming = events(response.iter_lines())
            name, early = next(coming)
            assert (name, early["ranking"]) == ("hits", None)
            may_answer.set()  # only now: the hits were here before
            name, late = next(coming)
            assert name == "ranking"
            assert list(coming) == [("done", {})]
        assert not chat.complaints
    found = [hit["id"] for hit in early["hits"]]
    assert [hit["id"] for hit in late["hits"]] == [found[2], found[0], found[1]]
    assert [hit["retrieval_rank"] for hit in late["hits"]] == [3, 1, 2]
    assert late["ranking"]["reason"] == "The third has the pattern."
    assert late["ranking"]["usage"] == {
        "calls": 1, "prompt_tokens": 100, "completion_tokens": 20, "cost": None,
    }  # fmt: skip
    assert late["panorama"] == early["panorama"]


def test_the_model_is_asked_while_the_hits_are_on_their_way(beside: MakeService) -> None:
    asked, may_answer = threading.Event(), threading.Event()

    def answer_late(_: object) -> Reply:
        asked.set()
        reply = ranking([2, 0, 1])
        reply.wait = may_answer
        return reply

    async def go(service: Service) -> list[bytes]:
        found = await service.search(Query(text="kettle"), limit=3, reranked=True)
        coming = told_events(found, partial(service.rerank, found), told=SearchAnswer.of, name="q")
        first = await anext(coming)
        # The client has not taken the hits yet, so nobody asks for what comes next.
        assert await asyncio.to_thread(asked.wait, 30)
        may_answer.set()
        return [first] + [event async for event in coming]

    with ChatServer(answer_late) as chat:
        judge = LLMReranker(base_url=chat.url, retries=0)
        hits, ranked, done = asyncio.run(go(beside(rerankers={"llm": judge}, default="llm")))
        assert len(chat.requests) == 1 and not chat.complaints
    assert hits.startswith(b"id: q-1\nevent: hits\n") and b"event: done\n" in done
    assert b'"retrieval_rank":3' in ranked


def test_a_client_who_leaves_ends_the_verdict(service: Service) -> None:
    async def go() -> None:
        found = await service.search(Query(text="kettle"), limit=3, reranked=True)
        begun, ended = asyncio.Event(), asyncio.Event()

        async def judge() -> Answer:
            begun.set()
            try:
                return await asyncio.Future()
            finally:
                ended.set()

        coming = told_events(found, judge, told=SearchAnswer.of, name="q")
        assert b"event: hits\n" in await anext(coming)
        await asyncio.wait_for(begun.wait(), 30)
        await coming.aclose()
        await asyncio.wait_for(ended.wait(), 30)

    asyncio.run(go())


def test_the_events_say_what_the_plain_answer_says(client: TestClient) -> None:
    body = {"text": "red kettle", "limit": 4}
    plain = client.post("/v1/search", json=body).json()
    (_, early), (_, late), _ = told(client, **body)
    for answer in (plain, early, late):
        del answer["timings"], answer["panorama"]
    assert late == plain
    assert early["ranking"] is None
    assert sorted(hit["id"] for hit in early["hits"]) == sorted(hit["id"] for hit in late["hits"])
    assert early["best"] == early["hits"][0]


def test_a_broken_stream_goes_on_after_the_last_event(client: TestClient) -> None:
    def lines(last: str = "", **body: Any) -> tuple[list[str], list[str]]:
        headers = STREAM | ({"Last-Event-ID": last} if last else {})
        text = client.post("/v1/search", json=body, headers=headers).text
        return re.findall("^event: (.+)$", text, re.M), re.findall("^id: (.+)$", text, re.M)

    query = {"text": "red kettle", "limit": 4}
    names, ids = lines(**query)
    assert names == ["hits", "ranking", "done"] and len(set(ids)) == 3
    assert lines(ids[0], **query) == (names[1:], ids[1:])
    assert lines(ids[1], **query) == (names[2:], ids[2:])
    assert lines(ids[2], **query) == (names[2:], ids[2:])
    for other in ({**query, "limit": 5}, {**query, "text": "mug"}, {**query, "min_score": 0.01}):
        assert lines(ids[1], **other)[0] == names
    assert lines("nonsense", **query) == (names, ids)
    assert lines(ids[0], **query, rerank=False)[0] == ["hits", "done"]


@pytest.mark.parametrize("more", [{"rerank": False}, {"filter": "price < 0"}])
def test_where_nothing_reranks_the_hits_are_all(client: TestClient, more: Any) -> None:
    assert [name for name, _ in told(client, text="mug", **more)] == ["hits", "done"]


def test_what_is_wrong_before_the_stream_begins_is_a_plain_problem(client: TestClient) -> None:
    for body, status in (({"text": "a", "filter": "((("}, 400), ({}, 422)):
        response = client.post("/v1/search", json=body, headers=STREAM)
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"


def test_what_fails_while_reranking_is_an_event(beside: MakeService) -> None:
    def broken(query: object, hits: object) -> Any:
        raise ZeroDivisionError("/home/ada")

    service = beside(rerankers={"broken": FunctionReranker(broken)}, default="broken")
    (first, _), (second, problem), last = told(client_of(app_of(service)), text="mug")
    assert (first, second, last) == ("hits", "error", ("done", {}))
    assert problem["status"] == 500 and "ada" not in str(problem)


def test_texts_of_several_lines_stay_one_event(service: Service) -> None:
    client = client_of(app_of(service))
    title = "two\nlines\r\nand data: x\u2028more"
    add(client, drawn("red"), {"title": title})
    (_, answer), *_ = told(client, text="red")
    assert answer["hits"][0]["title"] == title
