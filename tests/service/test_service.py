"""The service as the API and the page use it: searching, items, the demo, closing."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ocelot.build import build_service
from ocelot.encoders.function import FunctionEncoder
from ocelot.engine import Engine
from ocelot.errors import (
    CollectionNotFound,
    ConfigurationError,
    ImageError,
    InputError,
    ItemNotFound,
    MetadataError,
    StorageError,
)
from ocelot.images.decode import hash_bytes
from ocelot.images.file import ImageFile
from ocelot.images.store import ImageStore
from ocelot.rerankers.fusion import FusionReranker
from ocelot.rerankers.panorama.compose import panorama_layout, panorama_of_hits
from ocelot.service import Limits, Service
from ocelot.service.pictures import small
from ocelot.settings import load_settings
from ocelot.types import Hit, Query, Ranking
from tests.rerankers.chat_server import ChatServer, Reply, Request, ranking
from tests.shop import write_shop

QUESTION = "phone case with this image theme"


def opened(data: bytes) -> Image.Image:
    return ImageFile(data).rgb()


def picture(colour: str, size: tuple[int, int] = (40, 30)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def small_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo shop of 60 pictures."""
    monkeypatch.setattr("ocelot.assets._DEMO_SHOP", write_shop(tmp_path / "small"))


@pytest.fixture
def leopard(shop: Path) -> bytes:
    return (shop / "leopard.jpg").read_bytes()


def test_the_answer_is_that_of_an_engine(filled: Service, leopard: bytes) -> None:
    async def ask() -> Any:
        first = await filled.search(Query(leopard, QUESTION), reranked=True)
        return first, await filled.rerank(first)

    first, second = asyncio.run(ask())
    engine = filled._engine
    expected = engine.search(Query(leopard, QUESTION), rerank=FusionReranker(engine.encoder))
    assert first.result.ranking is None
    assert [hit.id for hit in first.result.hits] == [hit.id for hit in expected.retrieved]
    assert second.result.ranking == expected.ranking
    assert "Leopard" in second.result.best.title


def test_the_panorama_is_the_one_a_reranker_sees(filled: Service, leopard: bytes) -> None:
    async def ask() -> Any:
        answer = await filled.search(Query(leopard, QUESTION))
        return answer, await filled.panorama(answer.panorama)

    answer, drawn = asyncio.run(ask())
    expected = panorama_of_hits(answer.result.query, answer.result.hits, filled._engine.images)
    shown = opened(drawn)
    assert shown.size == expected.size
    assert np.abs(np.asarray(shown, float) - np.asarray(expected, float)).mean() < 4
    with pytest.raises(ItemNotFound, match="search again"):
        asyncio.run(filled.panorama("unknown"))


def test_similar_items_are_the_nearest_by_brute_force(filled: Service) -> None:
    rows = list(filled._engine.collection.sample())
    vectors = {row.id: row.vector for row in filled._engine.collection.get(r.id for r in rows)}
    first = rows[0].id
    hits = asyncio.run(filled.similar(first, limit=5))
    scores = {id: float(vectors[first] @ vector) for id, vector in vectors.items() if id != first}
    best = sorted(scores, key=scores.__getitem__, reverse=True)[:5]
    assert [hit.id for hit in hits] == best
    with pytest.raises(ItemNotFound):
        asyncio.run(filled.similar("0" * 64))
    with pytest.raises(InputError):
        asyncio.run(filled.similar("zero"))


def test_an_upload_is_an_item_at_once(service: Service) -> None:
    async def go() -> None:
        data = picture("navy")
        hit, created = await service.add(ImageFile(data), {"title": "Navy", "price": 3})
        assert created
        assert hit.id == hash_bytes(data)
        assert (hit.width, hit.height, hit.title) == (40, 30, "Navy")
        answer = await service.search(Query(data), keep_reference=True)
        assert [found.id for found in answer.result.hits] == [hit.id]

        again, created = await service.add(ImageFile(data))
        assert not created
        assert again.metadata == hit.metadata  # kept where none is given
        changed, _ = await service.add(ImageFile(data), {"title": "Blue"})
        assert changed.metadata == {"title": "Blue"}
        assert await service.count() == 1

        assert (await service.picture(hit.id)).data == data
        small = await service.picture(hit.id, 16)
        assert opened(small.data).size == (16, 12)
        assert small.media_type == "image/jpeg"

        await service.delete(hit.id)
        assert not Path(hit.path).exists()
        assert await service.count() == 0
        with pytest.raises(ItemNotFound):
            await service.delete(hit.id)

    asyncio.run(go())


def test_a_large_upload_is_shown_from_its_small_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bare_environment: None
) -> None:
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "cache"))
    service = build_service(load_settings(db=str(tmp_path / "shop.db")))

    async def go() -> None:
        hit, _ = await service.add(ImageFile(picture("navy", (1000, 800))))
        Path(hit.path).unlink()
        shown = opened((await service.picture(hit.id, 320)).data)
        assert shown.size == (320, 256)
        assert np.abs(np.subtract(shown.getpixel((9, 9)), (0, 0, 128))).max() < 5
        for size in (None, 720):  # the copy is too small for these
            with pytest.raises(ItemNotFound):
                await service.picture(hit.id, size)
        answer = await service.search(Query(text="navy"))
        drawn = opened(await service.panorama(str(answer.panorama)))
        left, top, right, bottom = panorama_layout(1).cells[0]
        middle = drawn.getpixel(((left + right) // 2, (top + bottom) // 2))
        assert np.abs(np.subtract(middle, (0, 0, 128))).max() < 8
        await service.delete(hit.id)
        with pytest.raises(ItemNotFound):
            await service.picture(hit.id, 320)

    try:
        asyncio.run(go())
    finally:
        service.close()


def test_repeated_queries_are_counted(service: Service, leopard: bytes) -> None:
    async def ask() -> None:
        await service.add(ImageFile(picture("navy")))
        for _ in range(3):
            answer = await service.search(Query(leopard, QUESTION), reranked=True)
            await service.rerank(answer)

    asyncio.run(ask())
    told = service.metrics.text().decode()
    # The whole, its text and its picture once; then the whole and all three again, twice.
    assert 'ocelot_query_vectors_total{cached="false"} 3.0' in told
    assert 'ocelot_query_vectors_total{cached="true"} 9.0' in told


def test_deleting_leaves_files_that_were_not_uploaded(service: Service, shop: Path) -> None:
    path = shop / "images" / "000001.jpg"
    service._engine.index(path)
    asyncio.run(service.delete(ImageFile.of(path).id))
    assert asyncio.run(service.count()) == 0 and path.exists()


def test_a_refused_upload_leaves_nothing(service: Service, tmp_path: Path) -> None:
    whole = picture("red", (400, 300))
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG")
    for data, metadata, error in (
        (b"no picture", None, ImageError),
        (buffer.getvalue()[:900], None, ImageError),  # a head that promises what is cut off
        (whole, {"when": object()}, MetadataError),
        (whole, {"long": "x" * 70_000}, MetadataError),
    ):
        with pytest.raises(error) as caught:
            asyncio.run(service.add(ImageFile(data), metadata))
        assert str(tmp_path) not in str(caught.value)
    assert asyncio.run(service.count()) == 0
    assert [file for file in (tmp_path / "shop-uploads").rglob("*") if file.is_file()] == []


def test_a_refused_change_leaves_the_item(service: Service) -> None:
    data = picture("red")
    hit, _ = asyncio.run(service.add(ImageFile(data), {"title": "Red"}))
    with pytest.raises(MetadataError):
        asyncio.run(service.add(ImageFile(data), {"when": object()}))
    assert asyncio.run(service.get(hit.id)).metadata == {"title": "Red"}
    assert asyncio.run(service.picture(hit.id)).data == data


def test_many_uploads_of_the_same_content_are_one_item(service: Service) -> None:
    data = picture("green")

    async def go() -> list[bool]:
        added = await asyncio.gather(*(service.add(ImageFile(data)) for _ in range(12)))
        return [created for _, created in added]

    assert sorted(asyncio.run(go())) == [False] * 11 + [True]
    assert asyncio.run(service.count()) == 1


def test_a_file_that_changed_is_not_shown(service: Service) -> None:
    hit, _ = asyncio.run(service.add(ImageFile(picture("red"))))
    Path(hit.path).write_bytes(picture("blue"))
    for size in (None, 64):
        with pytest.raises(ItemNotFound, match="content has changed"):
            asyncio.run(service.picture(hit.id, size))
    Path(hit.path).unlink()
    with pytest.raises(ItemNotFound, match="no such file"):
        asyncio.run(service.picture(hit.id))


def test_overview_tells_what_can_be_filtered(filled: Service, service: Service) -> None:
    overview = asyncio.run(filled.overview())
    assert overview.info.count == 60
    facets = {facet.key: facet for facet in overview.facets}
    assert facets["category"].categorical
    assert facets["price"].low is not None
    assert asyncio.run(service.overview()).facets == ()
    asyncio.run(service.add(ImageFile(picture("red")), {"fresh": "yes"}))
    assert "fresh" in {facet.key for facet in asyncio.run(service.overview()).facets}


def test_the_demo_is_indexed_and_told_of(service: Service, small_demo: None) -> None:
    seen: list[object] = []
    assert service.fill_with_demo(seen.append).encoded == 60
    assert seen
    assert service.fill_with_demo().unchanged == 60


class _Blocked:
    """A reranker that answers when it is let go."""

    name = "blocked"

    def __init__(self) -> None:
        self.started, self.go = threading.Event(), threading.Event()

    def rerank(self, query: Query, hits: Sequence[Hit]) -> Ranking:
        self.started.set()
        assert self.go.wait(60)
        return Ranking(tuple(range(len(hits)))[::-1], "Turned round.", self.name)


def test_a_full_reranker_costs_the_verdict_and_not_the_hits(tmp_path: Path) -> None:
    colours = {"red": (1.0, 0.1), "green": (0.1, 1.0), "blue": (0.7, 0.7)}
    encoder = FunctionEncoder(lambda image, text: colours[str(text)], dimension=2)
    from ocelot.collection import Collection, EncoderIdentity, Row

    collection = Collection.open(tmp_path / "c.db", encoder=EncoderIdentity.of(encoder))
    collection.upsert(
        Row(f"{n:064x}", {f"/{name}": 1}, 1, 1, 1, {"title": name}, np.array(vector, np.float32))
        for n, (name, vector) in enumerate(colours.items())
    )
    judge = _Blocked()
    service = Service(
        Engine(encoder, collection, images=ImageStore(uploads=tmp_path / "uploads")),
        {"blocked": judge},
        default="blocked",
        limits=Limits(threads=1, queue=0),
    )

    async def go() -> Any:
        answer = await service.search(Query(text="red"), reranked=True)
        first = asyncio.create_task(service.rerank(answer))
        assert await asyncio.to_thread(judge.started.wait, 60)
        second = await service.rerank(answer)
        judge.go.set()
        return await first, second

    first, second = asyncio.run(go())
    assert first.result.ranking.reason == "Turned round."
    assert second.result.ranking.status == "fallback"
    assert "busy" in second.result.ranking.detail
    assert second.result.hits == second.result.hits
    text = service.metrics.text().decode()
    assert 'ocelot_refused_total{queue="rerank"} 1.0' in text
    assert 'ocelot_rankings_total{cached="false",reranker="blocked",status="fallback"} 1.0' in text
    service.close()
    service.close()


def test_queries_that_come_together_share_batches(filled: Service, leopard: bytes) -> None:
    async def go() -> None:
        queries = [Query(leopard, f"{QUESTION} {n}") for n in range(24)]
        await asyncio.gather(*(filled.search(query) for query in queries))

    before = _metric(filled, "ocelot_batch_size_count"), _metric(filled, "ocelot_batch_size_sum")
    asyncio.run(go())
    batches = _metric(filled, "ocelot_batch_size_count") - before[0]
    assert _metric(filled, "ocelot_batch_size_sum") - before[1] == 24
    assert batches < 24


def _metric(service: Service, name: str) -> float:
    lines = service.metrics.text().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def test_which_rerankers_are_on_offer(bare_environment: None, tmp_path: Path) -> None:
    for number, (settings, offered, default) in enumerate(
        (
            ({}, ("fusion",), "fusion"),
            ({"reranker": "none"}, ("fusion",), None),
            ({"llm_base_url": "http://127.0.0.1:9"}, ("llm", "fusion"), "llm"),
            (
                {"llm_base_url": "http://127.0.0.1:9", "reranker": "fusion"},
                ("fusion", "llm"),
                "fusion",
            ),
        )
    ):
        made = build_service(load_settings(db=str(tmp_path / f"{number}.db"), **settings))
        assert (made.rerankers, made.default) == (offered, default)
        made.close()


def test_who_only_reads_needs_no_folder_for_uploads(bare_environment: None, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = load_settings(db=str(tmp_path / "shop.db"), uploads=tmp_path / "file" / "uploads")
    reading = settings.model_copy(update={"read_only": True})
    with pytest.raises(CollectionNotFound):
        build_service(reading)
    build_service(settings.model_copy(update={"uploads": None})).close()
    with pytest.raises(ConfigurationError, match="not a writable folder"):
        build_service(settings)
    service = build_service(reading)
    assert asyncio.run(service.count()) == 0
    service.close()


def test_a_model_that_hangs_keeps_no_thread_when_nobody_waits(
    bare_environment: None, tmp_path: Path
) -> None:
    arrived, release = threading.Event(), threading.Event()

    def hang(_: Request) -> Reply:
        arrived.set()
        release.wait()
        return ranking([0])

    async def go(service: Service) -> None:
        await service.add(ImageFile(picture("red")))
        answer = await service.search(Query(text="red"), reranked=True)
        waiting = asyncio.ensure_future(service.rerank(answer, "llm"))
        assert await asyncio.to_thread(arrived.wait, 30)
        assert service.busy
        waiting.cancel()
        while service.busy:
            await asyncio.sleep(0)

    with ChatServer(hang) as model:
        settings = load_settings(db=str(tmp_path / "shop.db"), llm_base_url=model.url)
        service = build_service(settings.model_copy(update={"llm_cache": False}))
        try:
            asyncio.run(asyncio.wait_for(go(service), 30))
        finally:
            release.set()
            service.close()


def test_one_of_many_deletes_is_the_one(service: Service) -> None:
    async def go() -> list[object]:
        hit, _ = await service.add(ImageFile(picture("red")))
        deletes = (service.delete(hit.id) for _ in range(8))
        return await asyncio.gather(*deletes, return_exceptions=True)

    outcomes = asyncio.run(go())
    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, ItemNotFound) for outcome in outcomes) == 7


def test_a_removed_item_is_not_shown_any_more(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(*arguments: Any) -> Any:
        begun.set()
        assert go_on.wait(60)
        return small(*arguments)

    monkeypatch.setattr("ocelot.service.service.small", slow)

    async def go() -> None:
        hit, _ = await service.add(ImageFile(picture("red")))
        showing = asyncio.create_task(service.picture(hit.id, 16))
        assert await asyncio.to_thread(begun.wait, 60)
        await service.delete(hit.id)
        go_on.set()
        with pytest.raises(ItemNotFound):
            await showing
        with pytest.raises(ItemNotFound):
            await service.picture(hit.id, 16)

    asyncio.run(go())


def test_what_came_after_a_removed_item_is_not_replaced_by_it(service: Service) -> None:
    async def go() -> None:
        image = ImageFile(picture("red"))
        item, _ = await service.add(image, {"title": "old"})
        await service.delete(item.id, keep=True)
        await service.add(image, {"title": "new"})
        assert not service.restorable(item.id)
        with pytest.raises(ItemNotFound):
            await service.restore(item.id)
        assert (await service.get(item.id)).title == "new"

        await service.delete(item.id, keep=True)
        service._engine.add(image, metadata={"title": "indexed"})  # as by another process
        await service.update(item.id, {"title": "changed"})
        assert not service.restorable(item.id)

    asyncio.run(go())


def test_an_item_that_is_deleted_for_good_does_not_come_back(service: Service) -> None:
    async def go() -> None:
        item, _ = await service.add(ImageFile(picture("red")))
        await service.delete(item.id, keep=True)
        with pytest.raises(ItemNotFound):
            await service.delete(item.id, keep=True)  # as by a second click
        assert service.restorable(item.id)
        with pytest.raises(ItemNotFound):
            await service.delete(item.id)
        with pytest.raises(ItemNotFound):
            await service.restore(item.id)

    asyncio.run(go())


def test_a_restore_that_failed_can_be_tried_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise StorageError("The disk is full.")

    async def go() -> None:
        item, _ = await service.add(ImageFile(picture("red")), {"price": 3})
        await service.delete(item.id, keep=True)
        with monkeypatch.context() as patch:
            patch.setattr(service._engine, "add", fail)
            with pytest.raises(StorageError):
                await service.restore(item.id)
        await service.restore(item.id)
        assert (await service.get(item.id)).metadata == {"price": 3}
        assert not service.restorable(item.id)

    asyncio.run(go())


def test_ready_when_the_database_answers(service: Service) -> None:
    asyncio.run(service.ready())
