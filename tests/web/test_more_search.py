"""Pages of hits, many queries at once, and vectors."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from ocelot.service import Service
from ocelot.types import Hit, Query, Ranking
from tests.web.conftest import MakeService, app_of, client_of


def ask(client: TestClient, path: str = "/v1/search", **body: Any) -> dict[str, Any]:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def ids(answer: dict[str, Any]) -> list[str]:
    return [hit["id"] for hit in answer["hits"]]


def test_pages_are_parts_of_one_list(client: TestClient) -> None:
    whole = ask(client, text="kettle", limit=500, rerank=False)
    assert len(whole["hits"]) == 60 and whole["next"] is None
    found, cursor = [], None
    for size in (7, 25, 25, 25):
        page = ask(client, text="kettle", limit=size, rerank=False, cursor=cursor)
        found += page["hits"]
        cursor = page["next"]
    assert found == whole["hits"] and cursor is None
    assert [hit["rank"] for hit in found] == list(range(1, 61))


def test_only_the_first_page_is_reranked(client: TestClient, leopard: bytes) -> None:
    query = {"images": [{"base64": base64.b64encode(leopard).decode()}], "text": "phone case"}
    first = ask(client, **query, limit=9)
    second = ask(client, **query, limit=9, rerank=True, cursor=first["next"])
    assert first["ranking"] is not None and second["ranking"] is None
    assert not set(ids(first)) & set(ids(second))
    assert [hit["rank"] for hit in second["hits"]] == list(range(10, 19))


def test_a_cursor_belongs_to_its_question(client: TestClient) -> None:
    cursor = ask(client, text="kettle", limit=3)["next"]
    for body in (
        {"text": "mug", "cursor": cursor},
        {"text": "kettle", "filter": "price > 0", "cursor": cursor},
        {"text": "kettle", "cursor": "nonsense"},
        {"text": "kettle", "cursor": "é"},
        {"text": "kettle", "cursor": cursor, "diversity": 0.3},
    ):
        refused = client.post("/v1/search", json=body)
        assert refused.status_code == 400 and refused.json()["field"] == "cursor"
    assert ask(client, text="kettle", limit=3, diversity=0.3)["next"] is None


@pytest.mark.parametrize("place", ["abc", "-3", "+5", "1_0", "٣", "9" * 400, "10000"])
def test_a_made_up_cursor_is_refused(client: TestClient, place: str) -> None:
    cursor = ask(client, text="kettle", limit=3)["next"]
    digest = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))[:16]
    made = base64.urlsafe_b64encode(digest + place.encode()).decode().rstrip("=")
    refused = client.post("/v1/search", json={"text": "kettle", "limit": 3, "cursor": made})
    assert refused.status_code in (400, 422)
    assert refused.json()["field"] == "cursor"


def test_a_batch_says_what_single_searches_say(client: TestClient, leopard: bytes) -> None:
    picture = {"base64": base64.b64encode(leopard).decode()}
    queries: list[dict[str, Any]] = [
        {"text": "red kettle"},
        {"images": [picture], "text": "phone case", "limit": 4, "filter": "price < 40"},
        {"text": "mug", "negative_text": "blue", "limit": 500},
        {"images": [picture, picture], "text_weight": 2},
    ]
    together = ask(client, "/v1/search/batch", queries=queries)["answers"]
    for query, entry in zip(queries, together, strict=True):
        alone = ask(client, **query, rerank=False)
        found = entry["answer"]
        assert entry["problem"] is None and ids(found) == ids(alone)
        scores = [[hit["score"] for hit in one["hits"]] for one in (found, alone)]
        assert np.allclose(*scores, atol=1e-5)
        assert found["next"] == alone["next"] and found["ranking"] is None


def test_a_batch_is_encoded_in_one_call(warm: Service, beside: MakeService) -> None:
    calls: list[int] = []

    class Counted(type(warm._engine.encoder)):  # type: ignore[misc]
        def encode(self, inputs: Any, **options: Any) -> Any:
            inputs = list(inputs)
            calls.append(len(inputs))
            return super().encode(inputs, **options)

    encoder = Counted(warm._engine.encoder)
    client = client_of(app_of(beside(encoder=encoder)))
    queries = [{"text": f"a mug of kind {number}", "limit": 2} for number in range(64)]
    assert len(ask(client, "/v1/search/batch", queries=queries)["answers"]) == 64
    assert calls == [64]


def test_one_bad_query_leaves_the_others_of_a_batch_alone(client: TestClient) -> None:
    broken = base64.b64encode(b"\xff\xd8\xff no picture").decode()
    queries: list[dict[str, Any]] = [
        {"text": "mug"},
        {"text": "mug", "filter": "((("},
        {"text": "mug", "filter": 'paths["a"] > 1'},
        {"images": [{"id": "no-such-item"}]},
        {"images": [{"base64": broken}]},
        {"text": "mug", "like": ["no-such-item"]},
        {"text": "mug", "cursor": "nonsense"},
        {"text": "kettle"},
    ]
    entries = ask(client, "/v1/search/batch", queries=queries)["answers"]
    statuses = [entry["problem"] and entry["problem"]["status"] for entry in entries]
    assert statuses == [None, 400, 400, 404, 415, 404, 400, None]
    assert ids(entries[-1]["answer"]) == ids(ask(client, text="kettle", rerank=False))


@pytest.mark.parametrize(
    ("queries", "field"),
    [
        ([], "queries"),
        ([{"text": "a"}] * 65, "queries"),
        ([{"text": "a"}, {"text": "b", "rerank": True}], "queries.1.rerank"),
        ([{"text": "a"}, {"text": "b", "limit": 501}], "queries.1.limit"),
        ([{"text": "a"}, {}], "queries.1"),
    ],
)
def test_an_unusable_batch_is_refused_whole(
    client: TestClient, queries: list[Any], field: str
) -> None:
    refused = client.post("/v1/search/batch", json={"queries": queries})
    assert refused.status_code == 422 and refused.json()["field"] == field


def test_a_vector_finds_what_its_text_finds(client: TestClient) -> None:
    (vector,) = ask(client, "/v1/embeddings", items=[{"text": "red kettle"}])["embeddings"]
    by_text = ask(client, text="red kettle", limit=20, rerank=False)
    longer = [3 * value for value in vector]
    first = ask(client, "/v1/search/vector", vector=longer, limit=9)
    second = ask(client, "/v1/search/vector", vector=longer, limit=11, cursor=first["next"])
    assert ids(first) + ids(second) == ids(by_text)
    assert [hit["rank"] for hit in second["hits"]] == list(range(10, 21))


@pytest.mark.parametrize("vector", [[], [0.5, 0.5], ["a"], [1e400], None])
def test_a_vector_that_cannot_be_used_is_refused(client: TestClient, vector: Any) -> None:
    text = f'{{"vector": {vector}}}'.replace("None", "null").replace("'", '"')
    refused = client.post(
        "/v1/search/vector", content=text, headers={"Content-Type": "application/json"}
    )
    assert refused.status_code in (400, 422), refused.text


def test_hits_after_the_first_hundred_stay_behind_them(
    beside: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Reverse:
        name = "reverse"

        def rerank(self, query: Query, hits: list[Hit]) -> Ranking:
            return Ranking(tuple(range(len(hits)))[::-1], "reversed", self.name)

    monkeypatch.setattr("ocelot.service.service.MAX_RERANKED", 3)
    client = client_of(app_of(beside(rerankers={"reverse": Reverse()}, default="reverse")))
    found = ids(ask(client, text="kettle", limit=7, rerank=False))
    answer = ask(client, text="kettle", limit=7)
    assert ids(answer) == [*found[2::-1], *found[3:]]
    assert [hit["rank"] for hit in answer["hits"]] == list(range(1, 8))
    assert [hit["retrieval_rank"] for hit in answer["hits"]] == [3, 2, 1, 4, 5, 6, 7]
