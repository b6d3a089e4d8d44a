from __future__ import annotations

import csv
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from ocelot.service import Service
from ocelot.types import MAX_REFERENCES
from tests.web.test_items import add, drawn


def test_it_says_what_is_stored_and_how(client: TestClient, warm: Service) -> None:
    answer = client.get("/v1/collection").json()
    info = warm._engine.collection.describe()
    assert answer["name"] == "ocelot" and answer["count"] == 60
    assert answer["encoder"] == {"name": "ocelot-tiny", "dimension": info.encoder.dimension}
    assert answer["sampled"] == 60
    assert (answer["index"], answer["metric"]) == ("FLAT", "COSINE")
    assert (answer["deployment"], answer["version"]) == ("lite", info.version)
    assert answer["rerankers"] == {"names": ["fusion"], "default": "fusion"}
    assert answer["limits"] == {
        "upload_bytes": warm.limits.upload_bytes, "pixels": warm.limits.pixels,
        "references": MAX_REFERENCES, "results": 500, "queries": 64, "embeddings": 256,
        "filter_length": 10_000, "text_length": 2000,
    }  # fmt: skip


def test_metadata_is_described_as_the_table_has_it(client: TestClient, shop: Path) -> None:
    with open(shop / "metadata.csv", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    keys = {one["key"]: one for one in client.get("/v1/collection").json()["metadata"]}
    assert set(keys) == set(lines[0]) - {"file_name"}
    prices = [float(line["price"]) for line in lines]
    assert (keys["price"]["low"], keys["price"]["high"]) == (min(prices), max(prices))
    assert keys["price"]["count"] == len(lines)
    assert keys["price"]["kind"] == "number" and keys["colour"]["kind"] == "text"
    colours = {line["colour"] for line in lines}
    assert set(keys["colour"]["values"]) == colours and keys["colour"]["distinct"] == len(colours)


def test_long_values_are_left_out(own: TestClient) -> None:
    add(own, drawn("red"), {"story": "a" * 300, "colour": "red"})
    keys = {one["key"]: one["values"] for one in own.get("/v1/collection").json()["metadata"]}
    assert keys == {"story": [], "colour": ["red"]}


@pytest.mark.parametrize("key", ["none", "a" * 64])
def test_an_unknown_panorama_is_not_found(client: TestClient, key: str) -> None:
    response = client.get(f"/v1/panoramas/{key}")
    assert response.status_code == 404 and "search again" in response.json()["detail"]


def test_a_key_that_is_none_is_refused(client: TestClient) -> None:
    assert client.get(f"/v1/panoramas/{'a' * 65}").status_code == 422
