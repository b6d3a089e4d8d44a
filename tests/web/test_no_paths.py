"""No path of the server's disk is in any answer, also where files are gone or damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ocelot.images.decode import hash_bytes
from ocelot.service import Service
from tests.web.conftest import app_of, client_of

MARK = "ocelot-secret-folder"


@pytest.fixture
def marked(service: Service, shop: Path, tmp_path: Path) -> list[str]:
    """Ids of items whose pictures are whole, gone, changed, and no pictures any more."""
    folder = tmp_path / MARK
    folder.mkdir()
    for number in range(4):
        picture = Image.effect_noise((40, 30), 40.0 + number).convert("RGB")
        picture.save(folder / f"{number}.png")
    service._engine.index(folder)
    files = [folder / f"{number}.png" for number in range(4)]
    ids = [hash_bytes(file.read_bytes()) for file in files]
    files[1].unlink()
    files[2].write_bytes(b"changed")
    rows = service._engine.collection.get([ids[3]])
    broken = files[3].read_bytes()[:60]
    files[3].write_bytes(broken)  # as one whose format the server cannot read any more
    row = rows[0]
    vars(row)["sha256"], vars(row)["id"] = hash_bytes(broken), "broken"
    service._engine.collection.upsert(rows)
    return [ids[0], ids[1], ids[2], "broken"]


def test_answers_name_no_path(service: Service, marked: list[str]) -> None:
    client = client_of(app_of(service))
    answers: list[Any] = [client.get(path) for path in ("/v1/collection", "/metrics", "/v1/items")]
    answers += [client.get("/openapi.json"), client.get("/docs"), client.get("/readyz")]
    for id in marked:
        base = f"/v1/items/{id}"
        answers += [client.get(base + end) for end in ("", "/similar", "/image", "/image?size=32")]
        answers.append(client.patch(base, json={"metadata": {"price": 1}}))
        query = {"images": [{"id": id}], "text": "mug"}
        answers.append(client.post("/v1/search", json=query))
        answers.append(client.post("/v1/search/batch", json={"queries": [query]}))
        answers.append(
            client.post("/v1/search", json=query, headers={"Accept": "text/event-stream"})
        )
        answers.append(client.post("/v1/embeddings", json={"items": [{"image": {"id": id}}]}))
        answers.append(client.post("/v1/rerank", json={"query": "a", "documents": [{"id": id}]}))
    for filter in ("((", "paths == 1", 'paths["a"] > 0', "nothing == 1", "size > 1", "vector > 1"):
        answers.append(client.get("/v1/items", params={"filter": filter}))
        answers.append(client.post("/v1/search", json={"text": "mug", "filter": filter}))
    found = client.post("/v1/search", json={"text": "mug"}).json()
    answers.append(client.get(found["panorama"]))
    service._engine.collection._database.close()
    answers += [client.get("/readyz"), client.get("/v1/collection"), client.get("/v1/items")]
    service._engine.collection.flush = lambda: None  # type: ignore[method-assign]
    statuses = {answer.status_code for answer in answers}
    assert {200, 400, 404, 503} <= statuses and 500 not in statuses
    for answer in answers:
        said = answer.content + json.dumps(dict(answer.headers)).encode()
        assert MARK.encode() not in said and b"shop.db" not in said, answer.url
