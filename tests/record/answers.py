"""What Ocelot answers to fixed inputs, one function for each kind of answer.

Each function of `RECORDS` returns plain JSON values, and arrays where there are many numbers. The
inputs are the pictures in tests/data alone.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from starlette.testclient import TestClient

from ocelot.build import build_engine, build_service
from ocelot.encoders import OpenVINOEncoder, VisualizedBGE
from ocelot.encoders.base import Encoder, encode_query
from ocelot.encoders.weights import load_checkpoint
from ocelot.engine import Engine
from ocelot.rerankers import FusionReranker, LLMReranker
from ocelot.settings import load_settings
from ocelot.training.batch import BatchSource
from ocelot.training.config import DataConfig, OptimiserConfig, TrainConfig
from ocelot.training.loop import train
from ocelot.training.source import TripletSource
from ocelot.training.trainer import Trainer
from ocelot.types import Hit, IndexReport, Item, Query, Ranking
from ocelot.web import create_app
from recipes.ocelot_tiny.config import GroupsConfig, PhotographsConfig, RecipeConfig
from recipes.ocelot_tiny.source import RecipeSource
from tests.rerankers import chat_server
from tests.rerankers.chat_server import ChatServer, Reply, completion, ranking

DATA = Path(__file__).parents[1] / "data"
PHOTOGRAPHS, GOLDEN = DATA / "photographs", DATA / "golden"
COUNT = 60  # pictures in the shop
_PRIVATE = ("OCELOT_", "OPENAI_", "AZURE_", "LLM_")


@dataclass(frozen=True)
class Place:
    """What all questions are asked of.

    Attributes:
        folder: One's own, for files that are written.
        shop: `COUNT` committed photographs with `metadata.csv`.
        others: Committed photographs that are not in the shop.
        encoder: The bundled one, torch, fp32, on the processor.
        engine: Over the indexed shop, without a reranker.
        reports: Of indexing the shop, and of doing so again.
    """

    folder: Path
    shop: Path
    others: tuple[Path, ...]
    encoder: Encoder
    engine: Engine
    reports: tuple[IndexReport, IndexReport]

    @property
    def queries(self) -> dict[str, Query]:
        """Queries of every shape."""
        a, b, c = self.others[:3]
        return {
            "text": Query(text="a blue dress"),
            "image": Query(a),
            "composed": Query(a, "in red"),
            "two": Query([a, b], "a striped one"),
            "three": Query([a, b, c], "for children"),
        }


def settings_of(folder: Path) -> Any:
    """Settings for a local database in a folder."""
    return load_settings(
        db=str(folder / "shop.db"), precision="fp32", device="cpu", reranker="none"
    )


@contextmanager
def prepared(folder: Path) -> Iterator[Place]:
    """The shop in a new folder, indexed; the environment's settings are out of the way."""
    kept = dict(os.environ), Path.cwd()
    for name in [name for name in os.environ if name.startswith(_PRIVATE)]:
        del os.environ[name]
    os.environ["OCELOT_CACHE"] = str(folder / "cache")
    os.chdir(folder)
    try:
        shop, others = write_shop(folder / "shop")
        with build_engine(settings_of(folder)) as engine:
            reports = engine.index(shop), engine.index(shop)
            encoder = VisualizedBGE.load("ocelot-tiny", device="cpu", dtype="fp32")
            yield Place(folder, shop, others, encoder, engine, reports)
    finally:
        os.chdir(kept[1])
        os.environ.clear()
        os.environ.update(kept[0])


def write_shop(folder: Path) -> tuple[Path, tuple[Path, ...]]:
    """Every n-th photograph by name, with its fields and a made price; and some of the rest."""
    with open(PHOTOGRAPHS / "metadata.csv", newline="", encoding="utf-8") as stream:
        rows = sorted(csv.DictReader(stream), key=lambda row: row["file_name"])
    step = len(rows) // COUNT
    chosen = rows[::step][:COUNT]
    for place, row in enumerate(chosen):
        target = folder / row["file_name"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PHOTOGRAPHS / row["file_name"], target)
        row["price"] = str(place * 7 % 50 + 0.5)
        row["stock"] = str(place % 5)
    with open(folder / "metadata.csv", "w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(chosen[0]))
        table.writeheader()
        table.writerows(chosen)
    return folder, tuple(PHOTOGRAPHS / row["file_name"] for row in rows[1 :: 9 * step])


def hits_as_json(hits: Sequence[Hit]) -> list[Any]:
    """Ids and scores in order."""
    return [[hit.id, round(hit.score, 5)] for hit in hits]


def ranking_as_json(made: Ranking) -> dict[str, Any]:
    """A verdict; the wording of `detail` may change."""
    told = {**asdict(made), "order": list(made.order), "detail": bool(made.detail)}
    del told["sentence"]  # its words are the reason
    return told


def report_as_json(report: IndexReport, folder: Path) -> dict[str, Any]:
    """An index report without its seconds."""
    numbers = {
        name: getattr(report, name)
        for name in ("found", "unchanged", "encoded", "relocated", "updated", "removed")
    }
    told = {
        name: [
            [Path(one.path).name, one.reason.replace(f"{folder}/", "")]
            for one in getattr(report, name)
        ]
        for name in ("failures", "remarks")
    }
    return {**numbers, **told, "metadata": list(report.metadata.values())}


def row_as_json(hit: Item) -> dict[str, Any]:
    """An item without the folder that it lies in."""
    return {
        "id": hit.id,
        "title": hit.title,
        "names": sorted(Path(path).name for path in hit.paths),
        "width": hit.width,
        "height": hit.height,
        "metadata": dict(hit.metadata),
    }


def small(picture: Image.Image) -> Any:
    """A picture's greys, uint8, shape (32, 32)."""
    return np.asarray(picture.convert("L").resize((32, 32), Image.Resampling.BOX))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums in a fixed order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def encoder_identity(place: Place) -> Any:
    """By what a collection knows its encoder again: old databases must still open."""
    encoder = place.encoder
    return {
        "name": encoder.name,
        "dimension": encoder.dimension,
        "fingerprint": encoder.fingerprint,
    }


PICTURES = ("gray", "landscape", "portrait", "small", "square")
TEXTS = ("a red dress", "kettle", "Äpfel, grün & frisch – 1 kg", "a very long sentence " * 40)
CHANGES = ("in blue", "with stripes", "phone case with this image theme", "as a drawing " * 20)


def asked_of_encoders(place: Place) -> dict[str, list[Any]]:
    """(image, text) pairs of every kind."""
    golden = [GOLDEN / f"{name}.png" for name in PICTURES]
    return {
        "pictures": [(picture, None) for picture in (*golden, *place.others[:4])],
        "texts": [(None, text) for text in TEXTS],
        "composed": list(zip((golden[1], *place.others[:3]), CHANGES, strict=True)),
    }


def vectors(place: Place) -> Any:
    """The encoder's vectors, and those that queries of several pictures are searched with."""
    made: dict[str, Any] = {
        kind: place.encoder.encode(asked) for kind, asked in asked_of_encoders(place).items()
    }
    several = [place.queries[name] for name in ("two", "three")]
    made["several"] = np.stack([encode_query(place.encoder, query) for query in several])
    return made


def openvino_vectors(place: Place) -> Any:
    """The other backend's, of some of the same."""
    encoder = OpenVINOEncoder.load("ocelot-tiny", precision="fp32")
    asked = asked_of_encoders(place)
    return {
        "fingerprint": encoder.fingerprint,
        **{kind: encoder.encode(asked[kind][1:3]) for kind in asked},
    }


def index(place: Place) -> Any:
    """What is in the shop after indexing it."""
    files = sorted(place.shop.rglob("*.jpg"))
    ids = sorted(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)
    found = [place.engine.get(id) for id in ids]
    return {
        "first": report_as_json(place.reports[0], place.shop),
        "again": report_as_json(place.reports[1], place.shop),
        "count": place.engine.count(),
        "ids": [hit.id for hit in found],
        "rows": [row_as_json(hit) for hit in found[::20]],
        "unknown": place.engine.count(filter=f'id == "{"0" * 64}"'),
    }


def index_changes(place: Place) -> Any:
    """Reports of indexing a folder in which files come, change and go."""
    folder = place.folder / "changes"
    shop = folder / "pictures"
    shop.mkdir(parents=True)
    for number, file in enumerate(place.others[:6]):
        shutil.copy(file, shop / f"{number}.jpg")
    told: dict[str, Any] = {}
    with build_engine(settings_of(folder), encoder=place.encoder) as engine:

        def run(name: str, **options: Any) -> None:
            told[name] = {**report_as_json(engine.index(shop, **options), shop)}
            told[name]["count"] = engine.count()

        run("new")
        shutil.copy(shop / "0.jpg", shop / "copy of 0.jpg")
        (shop / "broken.jpg").write_bytes(b"this is no picture")
        run("a copy and a broken file")
        lines = ({"file_name": f"{number}.jpg", "title": f"Number {number}"} for number in range(3))
        (shop / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
        run("metadata")
        (shop / "1.jpg").unlink()
        (shop / "2.jpg").write_bytes(place.others[6].read_bytes())
        run("one gone, one changed")
        run("pruned", prune=True)
        id = hashlib.sha256((shop / "0.jpg").read_bytes()).hexdigest()
        told["row"] = [row_as_json(engine.get(id))]
        told["deleted"] = [engine.delete([id, "0" * 64]), engine.count()]
        for name, fields in (("added", {"title": "Again", "price": 3}), ("added again", None)):
            before = engine.count()
            item = engine.add(shop / "0.jpg", metadata=fields)
            told[name] = [row_as_json(item), engine.count() > before, engine.count()]
    return told


def searches(place: Place) -> Any:
    """Ids and scores of queries of every shape, and with every option."""
    engine, queries = place.engine, place.queries
    found = {name: hits_as_json(engine.search(query).hits) for name, query in queries.items()}
    inside = Query(sorted(place.shop.rglob("*.jpg"))[7], "in white")
    cases: dict[str, tuple[Query, dict[str, Any]]] = {
        "limit 60": (queries["text"], {"limit": 60}),
        "filter": (queries["composed"], {"filter": 'price < 20 and category != "Shoes"'}),
        "filter of one category": (queries["text"], {"filter": 'category == "T-Shirt"'}),
        "filter of words": (
            queries["image"],
            {"filter": 'text like "%shirt%" and stock in [1, 2]'},
        ),
        "filter that leaves nothing": (queries["text"], {"filter": "price > 1000"}),
        "min_score": (queries["image"], {"min_score": 0.3, "limit": 60}),
        "own picture": (inside, {"limit": 4}),
        "keep_reference": (inside, {"limit": 4, "keep_reference": True}),
    }
    for name, (query, options) in cases.items():
        found[name] = hits_as_json(engine.search(query, **options).hits)
    id = found["image"][0][0]
    found["similar"] = hits_as_json(engine.similar(id))
    found["similar with a filter"] = hits_as_json(engine.similar(id, limit=3, filter="stock == 1"))
    return found


def fusion(place: Place) -> Any:
    """The offline reranker's verdicts, and the JSON of the command line."""
    judge = FusionReranker(place.encoder)
    told: dict[str, Any] = {}
    for name, query in place.queries.items():
        for limit in (9, 20):
            result = place.engine.search(query, limit=limit, with_vectors=True)
            told[f"{name}, {limit}"] = ranking_as_json(
                place.engine.rerank(result, judge).ranking  # type: ignore[arg-type]
            )
    # Without vectors at hand the pictures are encoded from their files.
    bare = place.engine.search(place.queries["two"], limit=5, with_vectors=False)
    told["from files"] = ranking_as_json(judge.rerank(bare.query, bare.hits))
    result = place.engine.rerank(place.engine.search(place.queries["two"], limit=3), judge)
    printed = result.to_dict()
    told["json"] = {
        "ranks": [[hit["rank"], hit["retrieval_rank"], hit["id"]] for hit in printed["hits"]],
        "best": printed["best"]["id"],
    }
    return told


SCRIPTS: Mapping[str, Callable[[int], list[Reply]]] = {
    "ok": lambda n: [ranking(range(n)[::-1], "It has the colour that was asked for.")],
    "no match": lambda n: [ranking(range(n), "None is blue.", match=False)],
    "text form": lambda n: [completion("Ranked list: [3, 1, 2]\nReasons: Stripes.\nMatch: yes")],
    "repaired": lambda n: [
        completion('```json\n{"ranking": [4, 99, 4, 2], "reason": "Red."}\n```')
    ],
    "cut": lambda n: [completion('{"ranking": [2, 1, 3], "reason": "It', finish="length")],
    "nonsense": lambda n: [completion("I would rather talk about the weather.")],
    "refused": lambda n: [completion(None, refusal="I cannot look at this.")],
    "wrong key": lambda n: [chat_server.error(401, "Incorrect API key provided.")],
    "no schema": lambda n: [
        chat_server.error(400, "response_format is not supported by this model"),
        completion("Ranked list: [2, 1]\nReasons: It is a dress.\nMatch: no"),
    ],
}
WINDOWS: Mapping[str, Callable[[int], list[Reply]]] = {
    "ok": lambda n: [ranking([*range(4, n), *range(4)], f"In round {i}.") for i in range(4)],
    "one repaired": lambda n: [
        ranking(range(n)[::-1]),
        completion('{"ranking": [9], "reason": "The last one.", "match": true}'),
        ranking(range(n)[::-1], "The best of all."),
    ],
    "one nonsense": lambda n: [completion("What?"), ranking(range(n)[::-1], "Blue.")],
    "nonsense": lambda n: [completion("What?")],
    "down": lambda n: [chat_server.error(500, "out of order")],
}


def llm(place: Place) -> Any:
    """Verdicts of a language model whose replies are known, and what it was asked.

    9 hits in one panorama with each script, then 20 hits in windows of 9; prompts are told by
    their hash.
    """
    told: dict[str, Any] = {}
    with ChatServer() as server:

        def judged(query: Query, hits: Sequence[Hit], replies: list[Reply], **more: Any) -> Any:
            server.replies(*replies)
            before = len(server.requests)
            judge = LLMReranker(
                "served", api_key="sk-made-up", base_url=server.url, **{"retries": 0, **more}
            )
            made = judge.rerank(query, hits)
            requests = server.requests[before:]
            return {
                **ranking_as_json(made),
                "requests": len(requests),
                "prompts": [sha256(request.prompt) for request in requests],
                "bodies": [
                    {
                        key: value
                        for key, value in request.body.items()
                        if key not in ("messages", "response_format")
                    }
                    | {"format": (request.body.get("response_format") or {}).get("type")}
                    for request in requests
                ],
                "sizes": [list(request.picture.size) for request in requests],
            }

        nine = {
            name: place.engine.search(query, limit=9).hits for name, query in place.queries.items()
        }
        for name, script in SCRIPTS.items():
            query = place.queries["composed"]
            told[f"9 hits, {name}"] = judged(query, nine["composed"], script(9))
        for name, query in place.queries.items():
            told[f"query {name}"] = judged(query, nine[name], SCRIPTS["ok"](9))
        twenty = place.engine.search(place.queries["two"], limit=20).hits
        for name, script in WINDOWS.items():
            told[f"20 hits, {name}"] = judged(place.queries["two"], twenty, script(9))
        told["20 hits, window 25"] = judged(
            place.queries["two"], twenty, SCRIPTS["ok"](20), window=25
        )
        # The same question again is answered from the cache.
        cache = place.folder / "rankings"
        for name in ("first", "again"):
            told[f"cache, {name}"] = judged(
                place.queries["text"], nine["text"], SCRIPTS["ok"](9), cache=cache
            )
        told["complaints"] = server.complaints
    return told


def panoramas(place: Place) -> Any:
    """Sizes of panoramas, and each as a small grey picture."""
    drawn = {}
    for name, count in (("composed", 1), ("composed", 9), ("text", 9), ("image", 20), ("two", 9)):
        query = place.queries[name]
        picture = place.engine.search(query, limit=count).panorama()
        drawn[f"{name}, {count}"] = {"size": list(picture.size), "small": small(picture)}
    return drawn


def http(place: Place) -> Any:
    """Statuses and JSON of the HTTP API over the same shop, without timings and random keys."""
    folder = place.folder / "http"
    folder.mkdir()
    settings = load_settings(
        db=str(folder / "shop.db"), precision="fp32", device="cpu", reranker="fusion"
    )
    with build_engine(settings, encoder=place.encoder) as engine:
        engine.index(place.shop)
    service = build_service(settings)
    try:
        client = TestClient(create_app(service, settings, page=False), follow_redirects=False)
        return {name: _answer(response) for name, response in _requests(place, client)}
    finally:
        service.close()


def _requests(place: Place, client: TestClient) -> Iterator[tuple[str, Any]]:
    a, b = (file.read_bytes() for file in place.others[:2])
    encoded = {"base64": base64.b64encode(a).decode()}
    id = hashlib.sha256(sorted(place.shop.rglob("*.jpg"))[7].read_bytes()).hexdigest()
    unknown = "0" * 64

    def search(**body: Any) -> Any:
        return client.post("/v1/search", json=body)

    found = search(images=[encoded], text="in red", limit=5)
    yield "search", found
    yield "panorama", client.get(found.json()["panorama"])
    yield "search by words", search(text="a blue dress", limit=3, rerank=False)
    yield (
        "search with options",
        search(images=[encoded], limit=4, filter="price < 20", min_score=0.1, keep_reference=True),
    )
    yield "search by id", search(images=[{"id": id}], text="in white", limit=3)
    yield "search that finds nothing", search(text="a dress", filter="price > 1000")
    yield (
        "search by form",
        client.post(
            "/v1/search",
            data={"text": "a striped one", "limit": "5"},
            files=[("image", ("a.jpg", a)), ("image", ("b.jpg", b))],
        ),
    )
    yield (
        "search by form and id",
        client.post(
            "/v1/search",
            files=[("image_id", (None, id)), ("limit", (None, "3")), ("rerank", (None, "false"))],
        ),
    )
    yield (
        "unknown field of a form",
        client.post("/v1/search", files=[("text", (None, "a dress")), ("colour", (None, "red"))]),
    )
    yield (
        "search as events",
        client.post(
            "/v1/search",
            json={"text": "shoes", "limit": 2},
            headers={"accept": "text/event-stream"},
        ),
    )
    yield (
        "embeddings",
        client.post("/v1/embeddings", json={"items": [{"text": "kettle"}, {"image": {"id": id}}]}),
    )
    yield "item", client.get(f"/v1/items/{id}")
    yield "similar", client.get(f"/v1/items/{id}/similar", params={"limit": 4})
    yield (
        "similar with a filter",
        client.get(
            f"/v1/items/{id}/similar", params={"limit": 4, "filter": "stock == 1", "min_score": 0.1}
        ),
    )
    whole = client.get(f"/v1/items/{id}/image")
    assert hashlib.sha256(whole.content).hexdigest() == id
    yield "image", whole
    yield "small image", client.get(f"/v1/items/{id}/image", params={"size": 64})
    yield "collection", client.get("/v1/collection")
    added = {"image": encoded, "metadata": {"title": "New", "price": 12.5}}
    yield "add", client.post("/v1/items", json=added)
    yield "add again", client.post("/v1/items", json={"image": encoded})
    yield "add again with metadata", client.post("/v1/items", json={**added, "metadata": {}})
    yield (
        "add by form",
        client.post(
            "/v1/items", data={"metadata": '{"title": "B"}'}, files={"image": ("b.jpg", b)}
        ),
    )
    yield "search finds the new one", search(images=[encoded], limit=1, keep_reference=True)
    new = f"/v1/items/{hashlib.sha256(a).hexdigest()}"
    yield "delete", client.delete(new)
    yield "delete again", client.delete(new)
    yield "healthz", client.get("/healthz")
    yield "readyz", client.get("/readyz")

    yield "bad filter", search(text="a dress", filter="price <")
    yield "unknown id", client.get(f"/v1/items/{unknown}")
    yield "unknown id in a search", search(images=[{"id": unknown}])
    yield "bad id", client.get("/v1/items/-nothing")
    yield "unknown field", search(text="a dress", colour="red")
    yield "limit too large", search(text="a dress", limit=501)
    yield "neither image nor text", search(limit=3)
    yield "damaged picture", search(images=[{"base64": base64.b64encode(b"no picture").decode()}])
    cut = base64.b64encode(b[: len(b) // 2]).decode()
    yield "cut picture", search(images=[encoded, {"base64": cut}])
    yield "bad base64", search(images=[{"base64": "§"}])
    yield "nine pictures", search(images=[encoded] * 9)
    yield "unknown reranker", search(text="a dress", rerank="magic")
    yield (
        "bad JSON",
        client.post(
            "/v1/search", content=b'{"text":', headers={"content-type": "application/json"}
        ),
    )
    yield (
        "bad type",
        client.post("/v1/search", content=b"a dress", headers={"content-type": "text/plain"}),
    )
    yield (
        "metadata with a name of ours",
        client.post("/v1/items", json={"image": encoded, "metadata": {"id": 1}}),
    )
    yield (
        "metadata that cannot be stored",
        client.post("/v1/items", json={"image": encoded, "metadata": {"text": "x" * 70_000}}),
    )
    yield (
        "wrong metadata",
        client.post("/v1/items", data={"metadata": "[1]"}, files={"image": ("b.jpg", b)}),
    )
    yield "unknown path", client.get("/v1/nothing")
    yield "wrong method", client.put("/v1/search", json={})


def _answer(response: Any) -> dict[str, Any]:
    kind = response.headers.get("content-type", "").partition(";")[0]
    told: dict[str, Any] = {"status": response.status_code, "type": kind}
    if "location" in response.headers:
        told["location"] = response.headers["location"]
    if kind.endswith("json") and response.content:
        told["json"] = _lasting(response.json())
    elif kind == "text/event-stream":
        told["events"] = [
            [line.removeprefix("event: ") for line in block.split("\n") if line.startswith("event")]
            for block in response.text.strip().split("\n\n")
        ]
    elif kind == "image/jpeg":
        picture = Image.open(io.BytesIO(response.content))
        told |= {"size": list(picture.size), "small": small(picture)}
    return told


def _lasting(value: Any) -> Any:
    """A JSON answer without what is another each time."""
    if isinstance(value, list):
        return [_lasting(one) for one in value]
    if isinstance(value, float):
        return round(value, 5)
    if not isinstance(value, dict):
        return value
    kept = {key: _lasting(one) for key, one in value.items()}
    for key in ("detail", "message", *(["title"] if "detail" in kept and "type" in kept else [])):
        if isinstance(kept.get(key), str):
            kept[key] = bool(kept[key])  # the wording may change
    if "timings" in kept:
        kept["timings"] = sorted(key for key, one in value["timings"].items() if one is not None)
    if "panorama" in kept and kept["panorama"] is not None:
        kept["panorama"] = kept["panorama"].rpartition("/")[0]
    if "deployment" in kept:
        kept["version"] = type(kept["version"]).__name__
    if "embeddings" in kept and isinstance(kept["embeddings"], list):
        kept["embeddings"] = np.array(value["embeddings"], dtype=np.float32)
    return kept


STEPS = 4


def training(place: Place) -> Any:
    """Runs from the bundled encoder: losses, weights and vectors.

    Two on own triplets, and one on the shop's photographs, which are cut out and recoloured.
    """
    told = {}
    file = str(_triplets(place))

    def on_triplets(name: str, augmentation: float, **options: Any) -> dict[str, Any]:
        config = TrainConfig(
            name=f"record {name}",
            seed=3,
            data=DataConfig(
                triplets=file, validation=file, batch_size=6, augmentation=augmentation
            ),
            optimiser=_optimiser(**options),
        )
        return _trained(place, name, config, TripletSource(config))

    with one_thread():
        told["plain"] = on_triplets("plain", 0.0)
        told["chunks and memory"] = on_triplets("chunks", 0.5, chunk=7, memory=16)
        config = RecipeConfig(
            name="record photographs",
            seed=3,
            data=DataConfig(augmentation=0.5),
            photographs=PhotographsConfig(folder=str(place.shop), articles="clothing/"),
            groups=GroupsConfig(recolourings=2, views=3, words=2),
            optimiser=_optimiser(),
        )
        source = RecipeSource(config, place.folder / "runs" / "photographs")
        told["photographs"] = _trained(place, "photographs", config, source)
    return told


def _optimiser(**options: Any) -> OptimiserConfig:
    return OptimiserConfig(
        steps=STEPS, learning_rate=3e-4, warmup=2, average=0.8, bf16=False, evaluate_every=1,
        **options,
    )  # fmt: skip


def _triplets(place: Place) -> Path:
    """A file of triplets of some of the shop's pictures, every form of line among them."""
    names = sorted(str(file.relative_to(place.shop)) for file in place.shop.rglob("*.jpg"))[::4]
    lines: list[dict[str, Any]] = [
        {"reference": one, "text": f"number {number} of them", "target": other}
        for number, (one, other) in enumerate(itertools.pairwise(names))
    ]
    lines[2]["negatives"] = [names[9], names[11]]
    lines[4]["reference"] = None
    lines[6]["text"] = None
    lines[8]["reference"] = lines[8]["target"]
    file = place.shop / "triplets.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return file


def _trained(place: Place, name: str, config: TrainConfig, source: BatchSource) -> dict[str, Any]:
    reports: list[Any] = []
    folder = place.folder / "runs" / name
    with exact_losses() as losses:
        written = train(
            config,
            source,
            folder,
            initial=load_checkpoint("ocelot-tiny"),
            device="cpu",
            progress=reports.append,
        )
    encoder = VisualizedBGE.load(written, device="cpu", dtype="fp32")
    weights = load_file(written / "model.safetensors")
    # Keys' biases have no influence and drift by rounding alone, so no bias is looked at.
    names = [name for name in sorted(weights) if name.endswith("weight")][::6]
    return {
        "losses": losses,
        "reports": [
            {
                key: value
                for key, value in asdict(report).items()
                if key not in ("rate", "seconds_left", "minutes", "learning_rate")
            }
            | {"learning_rate": f"{report.learning_rate:.6g}"}  # exactly, small as it is
            for report in reports
        ],
        "written": sorted(file.name for file in written.iterdir()),
        "run": sorted(file.name for file in folder.iterdir()),
        "tensors": len(weights),
        "sums": {
            name: [
                float(weights[name].double().sum()),
                float(weights[name].double().abs().sum()),
            ]
            for name in names
        },
        "vectors": encoder.encode(
            [(place.others[0], None), (place.others[0], "in red"), (None, "a blue dress")]
        ),
    }


@contextmanager
def exact_losses() -> Iterator[list[float]]:
    """The loss of each step with every digit; reports round them to four."""
    told: list[float] = []
    advance = Trainer.advance

    def listened(run: Trainer, batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
        loss, accuracy = advance(run, batch)
        told.append(float(loss))
        return loss, accuracy

    Trainer.advance = listened  # type: ignore[method-assign]
    try:
        yield told
    finally:
        Trainer.advance = advance  # type: ignore[method-assign]


RECORDS: Mapping[str, Callable[[Place], Any]] = {
    "encoder_identity": encoder_identity,
    "vectors": vectors,
    "openvino_vectors": openvino_vectors,
    "index": index,
    "index_changes": index_changes,
    "searches": searches,
    "fusion": fusion,
    "llm": llm,
    "panoramas": panoramas,
    "http": http,
    "training": training,
}
