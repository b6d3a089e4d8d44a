"""What operators see: metrics of the collection, the process and the model; ids in log lines."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

import ocelot
from ocelot.cli.logs import JSONLines, TextLines
from ocelot.rerankers.llm.limits import Breaker
from ocelot.rerankers.llm.reranker import LLMReranker
from ocelot.service import Service
from tests.rerankers.chat_server import ChatServer, completion, error, ranking
from tests.uvicorn_server import serve
from tests.web.conftest import MakeService, app_of, client_of, index


def metrics(client: Any) -> dict[str, Any]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {sample.name: sample for family in families for sample in family.samples}


def test_the_size_of_the_collection_and_the_process_are_measured(
    service: Service, shop: Path
) -> None:
    client = client_of(app_of(service))
    assert metrics(client)["ocelot_collection_items"].value == 0
    index(service, shop)
    found = metrics(client)
    assert found["ocelot_collection_items"].value == 60
    labels = found["ocelot_build_info"].labels
    assert labels["version"] == ocelot.__version__ and labels["encoder"] == "ocelot-tiny"
    assert found["process_resident_memory_bytes"].value > 2**20
    assert found["process_open_fds"].value > 0


def test_metrics_do_without_the_database(make_service: MakeService) -> None:
    service = make_service()
    service._engine.collection._database.close()
    value = metrics(client_of(app_of(service)))["ocelot_collection_items"].value
    assert value != value  # NaN
    service._engine.collection.flush = lambda: None  # type: ignore[method-assign]


def test_tokens_and_money_are_counted(beside: MakeService) -> None:
    with ChatServer(lambda _: ranking([1, 0])) as chat:
        judge = LLMReranker(base_url=chat.url, retries=0, prices=(10.0, 100.0))
        client = client_of(app_of(beside(rerankers={"llm": judge}, default="llm")))
        for text in ("mug", "kettle"):
            answer = client.post("/v1/search", json={"text": text, "limit": 2}).json()
            assert answer["ranking"]["usage"]["cost"] == pytest.approx(0.003)
        found = metrics(client)
    # Each answer of the model has 100 tokens in and 20 out.
    assert found["ocelot_cost_usd_total"].value == pytest.approx(2 * (100 * 10 + 20 * 100) / 1e6)
    assert found["ocelot_tokens_total"].value in (200, 40)


def samples(client: Any, name: str) -> dict[str, float]:
    """The values of a metric with one label, by the label's value."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    found = (sample for family in families for sample in family.samples if sample.name == name)
    return {next(iter(sample.labels.values())): sample.value for sample in found}


def test_what_is_added_is_counted(make_service: MakeService, leopard: bytes) -> None:
    service = make_service()
    client = client_of(app_of(service))
    for data, status in ((leopard, 201), (leopard, 200), (leopard[:3000], 415)):
        assert client.post("/v1/items", files={"image": data}).status_code == status
    encoded = base64.b64encode(leopard).decode()
    bulk = [{"image": {"base64": encoded}}, {"image": {"base64": encoded}, "id": "own"}, {}, 3]
    answer = client.post(
        "/v1/bulk",
        content="\n".join(map(json.dumps, bulk)),
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert [json.loads(line)["status"] for line in answer.text.splitlines()] == [
        200, 201, 422, 422,
    ]  # fmt: skip
    assert samples(client, "ocelot_items_added_total") == {"new": 2, "known": 2, "failed": 1}
    assert samples(client, "ocelot_bulk_lines_total") == {"200": 1, "201": 1, "422": 2}
    assert samples(client, "ocelot_stage_seconds_count")["add"] == 5
    report = service.fill_with_demo()
    added = samples(client, "ocelot_items_added_total")
    assert added["new"] == 2 + report.encoded > 100
    assert samples(client, "ocelot_stage_seconds_count")["index"] == 1


def test_rankings_from_the_cache_are_told_apart(beside: MakeService, tmp_path: Path) -> None:
    with ChatServer(lambda _: ranking([1, 0])) as chat:
        judge = LLMReranker(base_url=chat.url, retries=0, cache=tmp_path)
        client = client_of(app_of(beside(rerankers={"llm": judge}, default="llm")))
        asked = [
            client.post("/v1/search", json={"text": "mug", "limit": 2}).json() for _ in range(3)
        ]
    assert [one["ranking"]["cached"] for one in asked] == [False, True, True]
    assert len(chat.requests) == 1
    families = text_string_to_metric_families(client.get("/metrics").text)
    counted = {
        sample.labels["cached"]: sample.value
        for family in families
        for sample in family.samples
        if sample.name == "ocelot_rankings_total"
    }
    assert counted == {"false": 1, "true": 2}


def test_while_the_model_must_not_be_asked_fusion_ranks(
    beside: MakeService, tmp_path: Path
) -> None:
    with ChatServer(lambda _: error(500, "boom")) as chat:
        made = beside()
        fusion = made._rerankers["fusion"]
        judge = LLMReranker(
            base_url=chat.url, retries=0, limits=[Breaker(60, 2)], substitute=fusion
        )
        client = client_of(app_of(beside(rerankers={"llm": judge}, default="llm")))
        asked = [
            client.post("/v1/search", json={"text": "mug", "limit": 2}).json()["ranking"]
            for _ in range(3)
        ]
    assert len(chat.requests) == 2
    assert [one["ranked_by"] for one in asked] == ["retrieval", "retrieval", "fusion"]
    assert asked[-1]["status"] == "replaced"
    assert asked[-1]["detail"].startswith(
        "gpt-4o was not asked, as its endpoint failed 2 times in a row (it is tried again in "
    )
    assert "127.0.0.1" not in asked[-1]["detail"]


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged, as JSON."""
    written: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

    logger, handler = logging.getLogger("ocelot"), Kept()
    level = logger.level
    handler.setFormatter(JSONLines())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield written
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_the_id_of_a_request_reaches_the_model_and_every_line(
    beside: MakeService, lines: list[str]
) -> None:
    with ChatServer() as chat:
        judge = LLMReranker(base_url=chat.url, retries=0)
        service = beside(rerankers={"llm": judge}, default="llm")
        chat.replies(completion("no ranking at all"))  # which is logged
        with serve(app_of(service)) as url:
            asked = httpx.post(
                f"{url}/v1/search",
                json={"text": "mug", "limit": 2},
                headers={"X-Request-Id": "order-66"},
                timeout=30,
            )
            httpx.get(f"{url}/healthz", headers={"X-Request-Id": "other"})
        assert asked.headers["x-request-id"] == "order-66"
        assert [one.headers["x-request-id"] for one in chat.requests] == ["order-66"]
    found = [json.loads(line) for line in lines]
    mine = [one for one in found if one["request_id"] == "order-66"]
    assert {one["logger"] for one in mine} == {"ocelot.service", "ocelot.web"}
    last = mine[-1]
    assert (last["method"], last["route"], last["status"]) == ("POST", "/v1/search", 200)
    assert last["milliseconds"] > 0 and last["time"].endswith("+00:00")
    assert all(one["request_id"] in ("order-66", "other") for one in found)


def test_an_exception_is_in_its_line_and_text_has_ids_too() -> None:
    from ocelot.request_id import answering

    try:
        raise ValueError("a cause")
    except ValueError as error:
        record = logging.LogRecord("ocelot.web", 40, "f", 1, "It failed: %s.", ("so",), None)
        record.exc_info = (type(error), error, error.__traceback__)
    with answering("a1"):
        line = json.loads(JSONLines().format(record))
        assert line["message"] == "It failed: so." and "ValueError: a cause" in line["exception"]
        assert TextLines().format(record).startswith("ERROR: It failed: so.")
        record.exc_info = None
        record.exc_text = None
        assert TextLines().format(record) == "ERROR: It failed: so. [a1]"
    assert TextLines().format(record) == "ERROR: It failed: so."
