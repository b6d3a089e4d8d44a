"""Spans as the SDK of OpenTelemetry records them: names, parents, attributes, what is kept out."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from PIL import Image
from starlette.testclient import TestClient

import ocelot
from ocelot.cli.logs import JSONLines
from ocelot.encoders.function import FunctionEncoder
from ocelot.rerankers.llm.reranker import LLMReranker
from ocelot.service import Service
from ocelot.settings import load_settings
from ocelot.telemetry import span, trace_id
from ocelot.web import create_app
from tests.rerankers.chat_server import ChatServer, error, ranking

KEY, WORDS = "sk-very-secret-1234", "a confidential wish"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
COLOURS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    yield exporter
    provider.shutdown()


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> InMemorySpanExporter:
    exporter.clear()
    return exporter


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    with ChatServer(lambda _: ranking([1, 0, 2])) as server:
        yield server


@pytest.fixture
def engine(
    tmp_path: Path, chat: ChatServer, spans: InMemorySpanExporter, bare_environment: None
) -> Iterator[ocelot.Engine]:
    """Three pictures of one colour each, whose vectors are their colours."""
    folder = tmp_path / "private"
    folder.mkdir()
    for colour in COLOURS:
        Image.new("RGB", (40, 30), colour).save(folder / f"{colour}.png")

    def vector(image: Image.Image | None, text: str | None) -> Any:
        return np.ones(3) if image is None else np.asarray(image)[0, 0] + 1.0

    made = ocelot.open(
        tmp_path / "shop.db",
        encoder=FunctionEncoder(vector, dimension=3, name="colours"),
        reranker=LLMReranker("seer", api_key=KEY, base_url=chat.url, retries=0),
    )
    with made as engine:
        engine.index(folder)
        yield engine


def told(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    found = {one.name: one for one in spans.get_finished_spans()}
    text = "".join(one.to_json() for one in found.values())
    for private in (KEY, WORDS, "confidential", "private", "red.png", "boom"):
        assert private not in text
    return found


def tree(found: dict[str, ReadableSpan]) -> dict[str, str | None]:
    """Name -> name of the parent; None for a root, and for a parent of another program."""
    names = {one.context.span_id: name for name, one in found.items()}
    return {
        name: names.get(one.parent.span_id) if one.parent else None for name, one in found.items()
    }


def attributes(one: ReadableSpan) -> dict[str, Any]:
    return dict(one.attributes or {})


def test_indexing_is_a_span_with_its_counts(
    engine: ocelot.Engine, spans: InMemorySpanExporter, tmp_path: Path
) -> None:
    counts = {"found": 3, "unchanged": 0, "encoded": 3, "relocated": 0, "updated": 0, "removed": 0}
    expected = {f"ocelot.{name}": number for name, number in counts.items()}
    expected |= {"ocelot.failed": 0, "ocelot.encoder": "colours"}
    assert attributes(told(spans)["ocelot.index"]) == expected
    spans.clear()
    engine.add(Image.new("RGB", (40, 30), "white"))
    engine.add_many([{"image": tmp_path / "private" / "missing.png"}])
    one, many = (attributes(span) for span in spans.get_finished_spans())
    assert (one["ocelot.encoded"], many["ocelot.failed"]) == (1, 1)


def test_a_search_is_a_tree_down_to_the_models_tokens(
    engine: ocelot.Engine, spans: InMemorySpanExporter
) -> None:
    spans.clear()
    engine.search(text=WORDS, limit=3)
    found = told(spans)
    assert tree(found) == {
        "ocelot.search": None,
        "ocelot.encode": "ocelot.search",
        "search ocelot": "ocelot.search",
        "ocelot.rerank": "ocelot.search",
        "chat seer": "ocelot.rerank",
    }
    assert attributes(found["ocelot.search"]) == {"ocelot.pictures": 0, "ocelot.hits": 3}
    assert attributes(found["ocelot.encode"]) == {"ocelot.encoder": "colours"}
    assert attributes(found["search ocelot"]) == {
        "db.system.name": "milvus",
        "db.operation.name": "search",
        "db.collection.name": "ocelot",
    }
    assert attributes(found["ocelot.rerank"]) == {
        "ocelot.reranker": "seer",
        "ocelot.status": "ok",
        "ocelot.cached": False,
        "ocelot.hits": 3,
    }
    assert attributes(found["chat seer"]) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "seer",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "server.address": "127.0.0.1",
    }
    kinds = {name: one.kind.name for name, one in found.items()}
    assert (kinds["chat seer"], kinds["search ocelot"]) == ("CLIENT", "CLIENT")
    assert kinds["ocelot.search"] == "INTERNAL"


def test_a_failure_is_its_type_and_not_its_text(
    engine: ocelot.Engine, spans: InMemorySpanExporter, chat: ChatServer
) -> None:
    spans.clear()
    chat.script = lambda _: error(500, "boom")
    engine.search(text=WORDS, limit=3)
    with pytest.raises(ocelot.FilterError):
        engine.search(text="x", filter="confidential ===", rerank=False)
    found = {(one.name, attributes(one).get("error.type")) for one in spans.get_finished_spans()}
    assert {("chat seer", "ChatError"), ("search ocelot", "FilterError")} <= found
    assert ("ocelot.rerank", None) in found
    last = told(spans)["ocelot.search"]
    assert last.status.status_code.name == "ERROR" and not last.status.description
    assert not last.events


@pytest.fixture
def client(engine: ocelot.Engine) -> Iterator[TestClient]:
    judge = engine.reranker
    assert judge is not None
    service = Service(engine, {"llm": judge}, default="llm")
    yield TestClient(create_app(service, load_settings(), page=False))
    service.close()


def test_over_http_the_callers_trace_goes_on(
    client: TestClient, spans: InMemorySpanExporter, chat: ChatServer
) -> None:
    spans.clear()
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    logger, handler = logging.getLogger("ocelot"), Kept()
    handler.setFormatter(JSONLines())
    logger.addHandler(handler)
    try:
        chat.script = lambda _: error(500, "boom")  # which is logged
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-Id": "order-66"}
        asked = client.post("/v1/search", json={"text": WORDS, "limit": 3}, headers=headers)
    finally:
        logger.removeHandler(handler)
    assert asked.status_code == 200
    found = told(spans)
    assert tree(found) == {
        "POST /v1/search": None,
        "ocelot.search": "POST /v1/search",
        "ocelot.encode": "ocelot.search",
        "search ocelot": "ocelot.search",
        "ocelot.rerank": "POST /v1/search",
        "chat seer": "ocelot.rerank",
    }
    assert {f"{one.context.trace_id:032x}" for one in found.values()} == {TRACE}
    top = found["POST /v1/search"]
    assert top.parent is not None and f"{top.parent.span_id:016x}" == PARENT
    assert top.kind.name == "SERVER"
    assert attributes(top) == {
        "http.request.method": "POST",
        "http.route": "/v1/search",
        "http.response.status_code": 200,
    }
    assert [one.headers["x-request-id"] for one in chat.requests] == ["order-66"]
    (line,) = map(json.loads, lines)
    assert (line["trace_id"], line["request_id"]) == (TRACE, "order-66")


def test_a_span_of_another_instrumentation_is_used(
    client: TestClient, spans: InMemorySpanExporter
) -> None:
    spans.clear()
    with trace.get_tracer("another").start_as_current_span("its own"):
        client.get("/healthz", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    assert [one.name for one in spans.get_finished_spans()] == ["GET /healthz"]
    assert trace_id() == ""


def test_without_an_sdk_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(__import__("sys").modules, "opentelemetry.trace")
    with span("a", {"b": 1}):
        assert trace_id() == ""
