"""Items in pages, and changes of their metadata."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.service import Service
from tests.web.conftest import app_of, client_of, index


def listed(client: TestClient, **query: Any) -> list[dict[str, Any]]:
    found, cursor = [], {}
    while True:
        response = client.get("/v1/items", params=query | cursor)
        assert response.status_code == 200, response.text
        page = response.json()
        found += page["items"]
        if page["next"] is None:
            return found
        assert len(page["items"]) == query["limit"]
        cursor = {"cursor": page["next"]}


def test_pages_hold_every_item_once_and_in_order(client: TestClient, warm: Service) -> None:
    ids = [item.id for item in warm._engine.items()]
    for limit in (7, 60, 500):
        assert [item["id"] for item in listed(client, limit=limit)] == ids
    cheap = [item.id for item in warm._engine.items(filter="price < 20")]
    assert 0 < len(cheap) < 60
    found = listed(client, limit=4, filter="price < 20")
    assert [item["id"] for item in found] == cheap and "paths" not in str(found)


def test_a_page_begins_where_the_cursor_says(client: TestClient) -> None:
    next = client.get("/v1/items", params={"limit": 3}).json()["next"]
    assert client.get("/v1/items", params={"limit": 501}).status_code == 422
    for query in ({"cursor": "x"}, {"cursor": next, "filter": "price > 1"}):
        assert client.get("/v1/items", params=query).status_code == 400
    for filter in ("(((", "paths == 1", "prize > 1"):
        assert client.get("/v1/items", params={"filter": filter}).status_code == 400


def test_pages_are_right_where_more_rows_match_than_one_query_reads(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocelot.collection.collection._PAGE", 8)
    rng = np.random.default_rng(5)
    names = sorted(
        f"{prefix}{rng.integers(1e9)}" for prefix in ("a", "SKU-", "0f") for _ in "x" * 40
    )
    rows = [
        Row(
            name,
            {f"/{name}": 1},
            1,
            metadata={"n": n},
            vector=rng.normal(size=4),
            sha256=f"{n:064}",
        )
        for n, name in enumerate(names)
    ]
    with Collection.open(tmp_path / "a.db", encoder=EncoderIdentity("e", "f", 4)) as collection:
        collection.upsert([rows[n] for n in rng.permutation(len(rows))])
        for filter in (None, "n >= 60"):
            found: list[str] = []
            more = True
            while more:
                page, more = collection.page(
                    after=found[-1] if found else "", limit=2, filter=filter
                )
                found += [row.id for row in page]
            assert found == (names[60:] if filter else names)


def test_only_the_fields_that_are_sent_change(own: TestClient, service: Service, shop: Any) -> None:
    index(service, shop)
    item = next(service._engine.items())
    before = service._engine.collection.get(item.id)[0]
    vectors = service.metrics.text().count(b"ocelot_batch_size_count")
    changes = {"title": "New", "tags": ["a"], "size": "XL", "category": None}
    response = own.patch(f"/v1/items/{item.id}", json={"metadata": changes})
    assert response.status_code == 200 and response.json()["title"] == "New"
    after = service._engine.collection.get(item.id)[0]
    kept = {key: value for key, value in before.metadata.items() if key not in changes}
    assert after.metadata == {**kept, "title": "New", "tags": ["a"], "size_": "XL"}
    assert np.array_equal(before.vector, after.vector) and after.paths == before.paths
    assert service.metrics.text().count(b"ocelot_batch_size_count") == vectors
    assert own.patch(f"/v1/items/{item.id}", json={"metadata": {"size": None}}).json()[
        "metadata"
    ] == {**kept, "title": "New", "tags": ["a"]}
    found = own.post("/v1/search", json={"text": "kettle", "filter": 'title == "New"'}).json()
    assert [hit["id"] for hit in found["hits"]] == [item.id]


def test_changes_that_cannot_be_made_are_refused(warm: Service) -> None:
    client = client_of(app_of(warm))
    id = next(warm._engine.items()).id
    for path, body, status in (
        ("/v1/items/no-such", {"metadata": {}}, 404),
        (f"/v1/items/{id}", {"metadata": {"a": "x" * 70_000}}, 422),
        (f"/v1/items/{id}", {"metadata": 3}, 422),
        (f"/v1/items/{id}", {"title": "a"}, 422),
        (f"/v1/items/{id}", {}, 422),
    ):
        assert client.patch(path, json=body).status_code == status
