"""The tools, with the official client in the same process as the server."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from PIL import Image

from ocelot.build import build_service
from ocelot.images.file import ImageFile
from ocelot.mcp import create_server
from ocelot.query import Query
from ocelot.service import Service
from ocelot.settings import load_settings
from tests.mcp.conftest import Call, caller_of


@pytest.fixture
def own(bare_environment: None, tmp_path: Path) -> Iterator[Service]:
    """An empty service of one's own, with small limits."""
    db = str(tmp_path / "own.db")
    service = build_service(load_settings(db=db, max_pixels=10_000, max_upload_mb=1 / 128))
    yield service
    service.close()


def picture(width: int, height: int, colour: str = "red", format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, format)
    return buffer.getvalue()


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_there_are_four_tools_and_all_only_read(warm: Service) -> None:
    async def listed() -> list[Any]:
        async with Client(create_server(warm)) as client:
            assert client.instructions and "stats" in client.instructions
            return (await client.list_tools()).tools

    tools = asyncio.run(listed())
    assert [tool.name for tool in tools] == ["search", "similar", "show", "stats"]
    for tool in tools:
        assert tool.annotations.read_only_hint and tool.description and tool.title
        fields = tool.input_schema["properties"] if tool.name != "stats" else {}
        assert tool.input_schema["additionalProperties"] is False
        for name, field in fields.items():
            described = [field, *field.get("anyOf", [])]
            assert any("description" in one for one in described), (tool.name, name)


def test_a_text_finds_what_the_service_finds(call: Call, warm: Service) -> None:
    answer = call("search", text="blue mug", limit=5)
    found = asyncio.run(warm.search(Query(text="blue mug"), limit=5)).result.hits
    assert answer.ids == [hit.id for hit in found]
    first = answer.facts["hits"][0]
    assert first == {
        "rank": 1,
        "id": found[0].id,
        "title": found[0].title,
        "score": round(found[0].score, 4),
        "fields": dict(found[0].metadata),
    }


def test_the_verdict_is_the_rerankers(call: Call, warm: Service, leopard: str) -> None:
    async def reranked(text: str) -> Any:
        image = ImageFile(base64.b64decode(leopard))
        answer = await warm.search(Query(image, text), limit=9, reranked=True)
        return (await warm.rerank(answer)).result

    for text in ("phone case with this image theme", "the tax law of 1913"):
        result = asyncio.run(reranked(text))
        for limit in (9, 3):  # however few are shown
            answer = call("search", image=leopard, text=text, limit=limit)
            assert answer.ids == [hit.id for hit in result.hits[:limit]]
            assert answer.facts["reason"] == result.ranking.reason != ""
            assert answer.facts["match"] is result.ranking.match is not None
            assert answer.facts["ranked_by"] == "fusion"


def test_a_data_url_is_the_same_picture(call: Call, leopard: str) -> None:
    plain = call("search", image=leopard)
    assert plain.ids == call("search", image=f"data:image/jpeg;base64,{leopard}").ids


def test_an_item_is_the_same_query_as_its_file(call: Call, warm: Service) -> None:
    id = call("search", text="mug", limit=1).ids[0]
    file = asyncio.run(warm.picture(id)).data
    by_id = call("search", image_id=id, text="in red").ids
    assert id not in by_id and by_id == call("search", image=in_base64(file), text="in red").ids


def test_words_that_the_encoder_never_saw_are_named(call: Call) -> None:
    notes = call("search", text="mug blorfix").facts["notes"]
    assert len(notes) == 1 and "blorfix" in notes[0]
    assert "notes" not in call("search", text="mug").facts


@pytest.mark.parametrize("tool", ["search", "similar"])
def test_a_filter_holds_for_all_hits(call: Call, tool: str) -> None:
    id = call("search", text="mug", limit=1).ids[0]
    query = {"text": "mug"} if tool == "search" else {"id": id}
    answer = call(tool, **query, filter="price < 20", limit=50)
    prices = [hit["fields"]["price"] for hit in answer.facts["hits"]]
    assert 0 < len(prices) < 50 and max(prices) < 20


@pytest.mark.parametrize("tool", ["search", "similar"])
def test_at_most_eight_pictures_come_with_many_hits(call: Call, warm: Service, tool: str) -> None:
    id = call("search", text="mug", limit=1).ids[0]
    answer = call(tool, **({"text": "mug"} if tool == "search" else {"id": id}), limit=20)
    assert len(answer.ids) == 20
    assert list(answer.pictures) == [f"Picture of hit {rank}:" for rank in range(1, 9)]
    for id, data in zip(answer.ids, answer.pictures.values(), strict=False):
        assert data == asyncio.run(warm.picture(id, 256)).data
        assert max(Image.open(io.BytesIO(data)).size) <= 256


def test_similar_is_what_the_service_finds(call: Call, warm: Service) -> None:
    id = call("search", text="mug", limit=1).ids[0]
    found = asyncio.run(warm.similar(id, limit=7))
    assert call("similar", id=id, limit=7).ids == [hit.id for hit in found]
    assert id not in [hit.id for hit in found]


def test_show_gives_the_picture_and_all_fields(call: Call, warm: Service) -> None:
    id = call("search", text="mug", limit=1).ids[0]
    item = asyncio.run(warm.get(id))
    answer = call("show", id=id)
    assert answer.facts == {
        "id": id,
        "title": item.title,
        "width": item.width,
        "height": item.height,
        "fields": dict(item.metadata),
    }
    assert max(answer.image().size) == min(1024, max(item.width, item.height))


def test_stats_name_the_fields_for_filters(call: Call, shop: Path) -> None:
    facts = call("stats").facts
    with open(shop / "metadata.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert facts["items"] == facts["fields_read_from"] == len(rows) == 60
    fields = {field.pop("name"): field for field in facts["fields"]}
    assert fields.keys() == rows[0].keys() - {"file_name"}
    prices = [float(row["price"]) for row in rows]
    assert (fields["price"]["lowest"], fields["price"]["highest"]) == (min(prices), max(prices))
    assert facts["encoder"] == "ocelot-tiny"


def test_long_fields_are_cut_in_lists_only(own: Service) -> None:
    call = caller_of(own)
    metadata = {"title": "Mug", "about": "white " * 100, "stock": 3}
    id = asyncio.run(own.add(ImageFile(picture(60, 40)), metadata))[0].id
    answer = call("search", text="mug")
    assert not answer.error
    fields = answer.facts["hits"][0]["fields"]
    assert len(fields["about"]) == 300 and fields["about"].endswith("…") and fields["stock"] == 3
    assert call("show", id=id).facts["fields"] == metadata


def test_an_item_whose_file_is_gone_is_found_without_its_picture(own: Service) -> None:
    call = caller_of(own)
    for colour in ("red", "blue"):
        asyncio.run(own.add(ImageFile(picture(60, 40, colour)), {"title": colour}))
    answer = call("search", text="red")
    gone = answer.facts["hits"][0]["id"]
    assert len(answer.pictures) == 2
    Path(own._engine.get(gone).path).unlink()
    own._forget(gone)
    answer = call("search", text="red")
    assert len(answer.ids) == 2 and list(answer.pictures) == ["Picture of hit 2:"]
    shown = call("show", id=gone)
    assert not shown.pictures and shown.facts["notes"] == ["The picture cannot be read any more."]
    assert "cannot be read any more" in call("search", image_id=gone).error


NOWHERE = "0" * 64
BAD = [
    ("search", {}, "give an image, a text, or both"),
    ("search", {"text": "   "}, "give an image, a text, or both"),
    ("search", {"text": 5}, "The field text cannot be used: input should be a valid string."),
    ("search", {"text": "a" * 2001}, "The field text cannot be used: string should have at most"),
    ("search", {"text": "mug", "limit": 101}, "The field limit cannot be used"),
    ("search", {"text": "mug", "limit": 0}, "The field limit cannot be used"),
    ("search", {"text": "mug", "rerank": True}, "rerank cannot be used: there is no such field."),
    ("search", {"text": "mug", "filter": "price <"}, "filter"),
    ("search", {"text": "mug", "filter": 'paths["a"] > 0'}, "not the paths"),
    ("search", {"image": "/etc/passwd"}, "The field image cannot be used: it is not valid base64"),
    ("search", {"image": "file:///etc/passwd"}, "it is not valid base64"),
    ("search", {"image": ""}, "The field image cannot be used: it is empty."),
    ("search", {"image": "bm8gcGljdHVyZQ=="}, "Cannot use the picture: it is not an image"),
    ("search", {"image_id": NOWHERE}, NOWHERE),
    ("search", {"image_id": "../../etc/passwd"}, "The field image_id cannot be used"),
    ("similar", {}, "The field id cannot be used: field required."),
    ("similar", {"id": NOWHERE}, NOWHERE),
    ("show", {"id": NOWHERE}, NOWHERE),
    ("show", {"id": "/etc/passwd"}, "The field id cannot be used"),
    ("stats", {"id": NOWHERE}, "there is no such field."),
]


@pytest.mark.parametrize("tool,arguments,said", BAD)
def test_bad_input_is_answered_in_one_sentence(
    call: Call, shop: Path, tool: str, arguments: dict[str, Any], said: str
) -> None:
    error = call(tool, **arguments).error
    assert said in error and error.endswith(".") and "\n" not in error
    assert str(shop.parent) not in error and "Traceback" not in error


def test_a_picture_over_the_limits_is_refused(own: Service) -> None:
    call = caller_of(own)
    assert "10,000" in call("search", image=in_base64(picture(101, 100))).error
    noise = Image.effect_noise((100, 100), 100)
    buffer = io.BytesIO()
    noise.save(buffer, "BMP")
    assert len(buffer.getvalue()) > own.limits.upload_bytes
    assert "larger than 0.0078125 MiB" in call("search", image=in_base64(buffer.getvalue())).error


def test_an_unexpected_error_stays_on_the_server(
    warm: Service, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise RuntimeError("postgres://user:secret@db /var/lib/ocelot")

    monkeypatch.setattr(warm._engine, "search", failing)
    assert call("search", text="mug").error == "Internal error; the server's log says more."


def test_without_a_reranker_there_is_no_verdict(
    warm: Service, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "default", None)
    assert call("search", text="mug", limit=3).facts.keys() == {"hits"}


def test_a_closed_service_says_that_it_stops(own: Service) -> None:
    call = caller_of(own)
    own.close()
    assert call("stats").error == "The server is stopping; try again later."


def test_another_tool_is_a_protocol_error(warm: Service) -> None:
    async def delete() -> None:
        async with Client(create_server(warm)) as client:
            with pytest.raises(MCPError, match="no such tool: this server has search, similar"):
                await client.call_tool("delete", {"id": NOWHERE})

    asyncio.run(delete())
