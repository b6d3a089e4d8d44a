from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from ocelot.encoders.base import encode_query
from ocelot.rerankers.function import FunctionReranker
from ocelot.rerankers.fusion import FusionReranker
from ocelot.service import Service
from ocelot.types import MAX_REFERENCES, Hit, Input, Query
from tests.web.conftest import MakeService, app_of, client_of

WORDS = "phone case with this image theme"


def coded(data: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(data).decode()}


def form(client: TestClient, **fields: Any) -> Any:
    """A form without files."""
    parts = [
        (name, (None, value))
        for name, values in fields.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    return client.post("/v1/search", files=parts)


def ids(answer: dict[str, Any]) -> list[str]:
    return [hit["id"] for hit in answer["hits"]]


def search(client: TestClient, **body: Any) -> dict[str, Any]:
    response = client.post("/v1/search", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def items_of(warm: Service, limit: int = 60) -> list[tuple[str, Any]]:
    """Every item with its vector, straight from the collection."""
    collection = warm._engine.collection
    rows = collection.get(row.id for row in collection.iterate())
    return [(row.id, row.vector) for row in rows][:limit]


def nearest(warm: Service, query: Query, limit: int) -> list[str]:
    """By brute force over all vectors."""
    items = items_of(warm)
    scores = np.stack([vector for _, vector in items]) @ encode_query(warm._engine.encoder, query)
    return [items[place][0] for place in np.argsort(-scores)[:limit]]


# Answers


def test_hits_are_those_that_brute_force_finds(
    client: TestClient, warm: Service, leopard: bytes
) -> None:
    answer = search(client, images=[coded(leopard)], text=WORDS, limit=7, rerank=False)
    assert ids(answer) == nearest(warm, Query(leopard, WORDS), 7)
    assert [hit["rank"] for hit in answer["hits"]] == list(range(1, 8))
    assert [hit["retrieval_rank"] for hit in answer["hits"]] == list(range(1, 8))
    assert answer["ranking"] is None
    assert answer["best"] == answer["hits"][0]
    assert answer["hits"][0]["score"] > answer["hits"][-1]["score"]


def test_the_ranking_is_the_rerankers_and_hits_know_their_earlier_rank(
    client: TestClient, warm: Service, leopard: bytes
) -> None:
    answer = search(client, images=[coded(leopard)], text=WORDS, limit=9)
    found = warm._engine.search(Query(leopard, WORDS), limit=9, rerank=False, with_vectors=True)
    verdict = FusionReranker(warm._engine.encoder).rerank(found.query, found.hits)
    assert verdict.match is True
    assert ids(answer) == [found.hits[place].id for place in verdict.order]
    assert [hit["rank"] for hit in answer["hits"]] == list(range(1, 10))
    assert [hit["retrieval_rank"] - 1 for hit in answer["hits"]] == list(verdict.order)
    assert answer["best"] == answer["hits"][0]
    assert answer["ranking"] == {
        "ranked_by": "fusion", "reranker": "fusion", "status": "ok", "detail": "",
        "match": verdict.match, "cached": False, "reason": verdict.reason,
        "usage": {"calls": 0, "prompt_tokens": 0, "completion_tokens": 0, "cost": None},
    }  # fmt: skip
    assert all(answer["timings"][stage] > 0 for stage in ("encode", "search", "rerank", "total"))


def test_a_hit_says_what_is_known_of_the_item(client: TestClient, warm: Service) -> None:
    hit = search(client, text="kettle", limit=1)["hits"][0]
    found = warm._engine.get(hit["id"])
    assert hit["title"] == found.metadata["title"]
    assert hit["metadata"] == found.metadata
    assert (hit["width"], hit["height"]) == (320, 320)
    assert hit["image"] == f"/v1/items/{hit['id']}/image"
    assert client.get(hit["image"]).status_code == 200


@pytest.mark.parametrize(
    ("rerank", "reranker"),
    [(False, None), (True, "fusion"), ("fusion", "fusion"), (None, "fusion")],
)
def test_rerank_says_whether_and_by_whom(
    client: TestClient, rerank: bool | str | None, reranker: str | None
) -> None:
    ranking = search(client, text="mug", limit=2, rerank=rerank)["ranking"]
    assert (ranking and ranking["reranker"]) == reranker


def test_a_reranker_is_given_the_vectors_of_the_hits(beside: MakeService) -> None:
    seen: list[bool] = []

    def look(query: Query, hits: Sequence[Hit]) -> Sequence[int]:
        seen.extend(hit.vector is not None for hit in hits)
        return range(len(hits))

    judge = FunctionReranker(look, name="look")
    client = client_of(app_of(beside(rerankers={"look": judge}, default="look")))
    assert search(client, text="mug", limit=3)["ranking"]["reranker"] == "look"
    assert seen == [True] * 3


def test_nothing_reranks_where_the_server_is_set_up_so(
    warm: Service, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "default", None)
    assert search(client, text="mug", limit=2)["ranking"] is None
    assert search(client, text="mug", limit=2, rerank=True)["ranking"]["reranker"] == "fusion"


def test_without_hits_there_is_no_winner_and_no_panorama(client: TestClient) -> None:
    answer = search(client, text="mug", filter="price < 0")
    assert answer["hits"] == []
    assert answer["best"] is answer["ranking"] is answer["panorama"] is None


def test_the_panorama_of_an_answer_is_a_picture(client: TestClient, leopard: bytes) -> None:
    where = search(client, images=[coded(leopard)], text=WORDS)["panorama"]
    response = client.get(where)
    assert response.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(response.content)).format == "JPEG"


# Ways of asking


def test_every_way_to_send_a_picture_gives_the_same_answer(
    client: TestClient, warm: Service
) -> None:
    id, _ = items_of(warm)[3]
    picture = Path(warm._engine.get(id).path).read_bytes()
    text = {"text": "in red", "limit": 5}
    url = {"base64": "data:image/jpeg;base64," + coded(picture)["base64"]}
    answers = [
        client.post("/v1/search", json={"images": [coded(picture)], **text}),
        client.post("/v1/search", json={"images": [url], **text}),
        client.post("/v1/search", json={"images": [{"id": id}], **text}),
        client.post("/v1/search", files={"image": picture}, data=text),
        form(client, image_id=id, text="in red", limit="5"),
    ]
    found = [ids(answer.json()) for answer in answers]
    assert found == [found[0]] * 5
    assert id not in found[0], "the query's own picture is no answer"


def test_several_pictures_make_one_query(client: TestClient, warm: Service) -> None:
    chosen = [id for id, _ in items_of(warm, 3)]
    pictures = [Path(warm._engine.get(id).path).read_bytes() for id in chosen]
    expected = [id for id in nearest(warm, Query(pictures, "in red"), 9) if id not in chosen]
    asked = {"images": [{"id": chosen[0]}, coded(pictures[1]), {"id": chosen[2]}]}
    assert ids(search(client, **asked, text="in red", limit=9, rerank=False))[:6] == expected[:6]
    form = [("image", ("a.jpg", picture, "image/jpeg")) for picture in pictures]
    answer = client.post("/v1/search", files=form, data={"text": "in red", "rerank": "false"})
    assert ids(answer.json())[:6] == expected[:6]


def test_keep_reference_leaves_the_querys_own_picture_in(client: TestClient, warm: Service) -> None:
    id, _ = items_of(warm)[0]
    assert ids(search(client, images=[{"id": id}], keep_reference=True, rerank=False))[0] == id
    assert id not in ids(search(client, images=[{"id": id}], rerank=False))


def test_filter_and_minimum_score_narrow_the_answer(client: TestClient) -> None:
    answer = search(client, text="kettle", filter='price < 40 and colour == "red"', limit=50)
    assert answer["hits"]
    assert all(h["metadata"]["price"] < 40 for h in answer["hits"])
    assert all(h["metadata"]["colour"] == "red" for h in answer["hits"])
    scores = [hit["score"] for hit in search(client, text="kettle", limit=50)["hits"]]
    least = sorted(scores)[len(scores) // 2]
    kept = search(client, text="kettle", limit=50, min_score=least)["hits"]
    assert sorted(hit["score"] for hit in kept) == sorted(s for s in scores if s >= least)


def test_blank_words_are_none(client: TestClient, warm: Service) -> None:
    id, _ = items_of(warm)[3]
    plain = ids(search(client, images=[{"id": id}], limit=5))
    assert ids(search(client, images=[{"id": id}], text=" ", filter=" ", limit=5)) == plain
    fields = {"image_id": id, "text": "", "filter": "", "limit": "5"}
    assert ids(form(client, **fields).json()) == plain


def test_a_query_takes_weights_negatives_and_stored_items(
    client: TestClient, warm: Service, leopard: bytes
) -> None:
    first, second, third, fourth = (id for id, _ in items_of(warm, 4))
    unwanted = Path(warm._engine.get(second).path).read_bytes()
    query = Query(
        [leopard, Path(warm._engine.get(first).path)], "mug", image_weights=[2, 0.5], text_weight=3,
        negative_text="red", negative_images=unwanted, negative_weight=0.7,
        like=third, unlike=[fourth],
    )  # fmt: skip
    expected = warm._engine.search(query, limit=7, rerank=False)
    asked = {
        "text": "mug", "text_weight": 3, "negative_text": "red", "negative_weight": 0.7,
        "like": [third], "unlike": [fourth], "limit": 7, "rerank": False,
    }  # fmt: skip
    images = [{**coded(leopard), "weight": 2}, {"id": first, "weight": 0.5}]
    answer = search(client, **asked, images=images, negative_images=[coded(unwanted)])
    assert ids(answer) == [hit.id for hit in expected]
    assert [h["score"] for h in answer["hits"]] == pytest.approx([hit.score for hit in expected])
    assert not {first, second, third, fourth} & set(ids(answer))

    weighted = search(client, **asked, images=[{**coded(leopard), "weight": 2}],
                      negative_images=[{"id": second}])  # fmt: skip
    sent = {name: str(value) for name, value in asked.items() if name not in ("like", "unlike")}
    fields = {**sent, "rerank": "false", "like": third, "unlike": fourth, "image_weight": "2"}
    files = {"image": leopard, "negative_image": unwanted}
    assert ids(client.post("/v1/search", files=files, data=fields).json()) == ids(weighted)


def test_hits_are_grouped_folded_and_made_to_differ(client: TestClient, warm: Service) -> None:
    asked = {"text": "red mug", "limit": 50, "rerank": False}
    grouped = search(client, **asked, group_by="kind")["hits"]
    kinds = [hit["metadata"]["kind"] for hit in grouped]
    assert len(kinds) == len(set(kinds)) > 3
    assert sum(1 + hit["folded"] for hit in grouped) == warm._engine.count()
    wishes = {"fold": 0.9, "diversity": 0.4, "min_share": 0.5}
    expected = warm._engine.search(Query(text="red mug", **wishes), limit=50, rerank=False)
    answer = search(client, **asked, **wishes)
    assert ids(answer) == [hit.id for hit in expected]
    assert [hit["folded"] for hit in answer["hits"]] == [hit.folded for hit in expected]


def test_words_of_a_field_count_in_a_hybrid_search(client: TestClient, warm: Service) -> None:
    expected = warm._engine.search(Query(text="red mug", hybrid="title"), limit=20, rerank=False)
    asked = {"text": "red mug", "limit": 20, "hybrid": "title"}
    assert ids(search(client, **asked, rerank=False)) == [hit.id for hit in expected]
    fields = {name: (None, str(value)) for name, value in {**asked, "rerank": "false"}.items()}
    assert ids(client.post("/v1/search", files=fields).json()) == [hit.id for hit in expected]
    assert ids(search(client, text="red mug", limit=20, rerank=False)) != [
        hit.id for hit in expected
    ]


# What cannot be used

NO_PICTURE = {"base64": base64.b64encode(b"no picture").decode()}
UNKNOWN = "0" * 64


def bad(status: int, field: str | None, says: str, **body: Any) -> Any:
    return pytest.param(status, field, says, body, id=says)


@pytest.mark.parametrize(
    ("status", "field", "says", "body"),
    [
        bad(422, None, "give a picture, a text, or both"),
        bad(422, None, "a text, or both", images=[], text=" "),
        bad(422, "limit", "greater than or equal to 1", text="a", limit=0),
        bad(422, "limit", "less than or equal to 500", text="a", limit=501),
        bad(422, "limit", "valid integer", text="a", limit="9"),
        bad(422, "limit", "a valid integer", text="a", limit=1.5),
        bad(422, "limit", "500", text="a", limit=1e30),
        bad(422, "min_score", "less than or equal to 1", text="a", min_score=2),
        bad(422, "text", "at most 2000", text="a" * 2001),
        bad(422, "filter", "at most 10000 characters", text="a", filter="a" * 10_001),
        bad(422, "rerank", "this server has fusion", text="a", rerank="gpt-99"),
        bad(422, "rerank", "true, false or the name", text="a", rerank=3),
        bad(422, "limits", "there is no such field", text="a", limits=3),
        bad(422, "images", "at most 8", images=[{"id": UNKNOWN}] * (MAX_REFERENCES + 1)),
        bad(422, "images.0.id", "should match", images=[{"id": "../a"}]),
        bad(422, "images.0.base64", "not valid base64", images=[{"base64": "no picture"}]),
        bad(422, "images.0.base64", "valid base64", images=[{"base64": "QUJD\nQUJD"}]),
        bad(422, "images.0.base64", "it is empty", images=[{"base64": ""}]),
        bad(422, "images.0.base64", "must be text", images=[{"base64": 3}]),
        bad(422, "images.0.id", "no such field", images=[{**NO_PICTURE, "id": UNKNOWN}]),
        bad(422, "images.0.base64", "field required", images=[{}]),
        bad(422, "images.0", "must be a JSON object", images=["x"]),
        bad(422, "images.0.weight", "0.1", images=[{"id": UNKNOWN, "weight": 0}]),
        bad(422, "text_weight", "less than or equal to 10", text="a", text_weight=11),
        bad(422, "negative_weight", "0.1", text="a", negative_weight=0),
        bad(422, "diversity", "less than or equal to 1", text="a", diversity=2),
        bad(422, "like.0", "should match", text="a", like=["../a"]),
        bad(422, "unlike", "at most 100", text="a", unlike=[UNKNOWN] * 101),
        bad(422, None, "give a picture", negative_text="a", like=[UNKNOWN]),
        bad(404, None, "no item with the id 0", text="mug", like=[UNKNOWN]),
        bad(415, None, "negative picture 1", text="mug", negative_images=[NO_PICTURE]),
        bad(400, None, "'colr' to group by: they have", text="mug", group_by="colr"),
        bad(400, None, "'colr' to compare words with: they have", text="mug", hybrid="colr"),
        bad(422, None, "hybrid and diversity", text="mug", hybrid="title", diversity=0.2),
        bad(404, None, "no item with the id", images=[{"id": UNKNOWN}]),
        bad(415, None, "not an image", images=[NO_PICTURE]),
        bad(400, None, "The filter 'price <'", text="a", filter="price <"),
        bad(400, None, "a field prise; there are: price, ", text="a", filter="prise < 3"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_answered_with_one_sentence(
    client: TestClient, status: int, field: str | None, says: str, body: dict[str, Any]
) -> None:
    response = client.post("/v1/search", json=body)
    problem = response.json()
    assert (response.status_code, problem.get("field")) == (status, field)
    assert says in problem["detail"]
    assert problem["detail"].endswith(".") and "\n" not in problem["detail"]


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("images", {"text": "a", "images": "x"}),
        ("colour", {"text": "a", "colour": "red"}),
        ("limit", {"text": "a", "limit": "many"}),
        ("keep_reference", {"text": "a", "keep_reference": "1"}),
        ("rerank", {"text": "a", "rerank": "1"}),
        ("text", {"text": ["a", "b"]}),
        ("image.0", {"image": "x"}),
        ("image_id.0", {"image_id": "/x"}),
    ],
)
def test_a_form_that_does_not_fit_names_the_field(
    client: TestClient, field: str, fields: dict[str, Any]
) -> None:
    response = form(client, **fields)
    assert (response.status_code, response.json()["field"]) == (422, field)
    assert "class" not in response.json()["detail"]  # nothing of Python


def test_a_file_in_the_wrong_place_is_named(client: TestClient) -> None:
    for name in ("text", "photo", "rerank", "keep_reference", "limit"):
        response = client.post("/v1/search", files={name: b"a file"})
        assert (response.status_code, response.json()["field"]) == (422, name)


NAMELESS = b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--"
WORDS_FORM = b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nmug\r\n--x--'
SURROGATE = WORDS_FORM.replace(b'"text"', rb'"\\ud800"')


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"text": "\\ud800"}', "application/json", 422),
        (b'{"\\ud800": 1}', "application/json", 422),
        (b"[" * 100_000, "application/json", 400),
        (b'{"limit": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b"", "application/json", 400),
        (b"[]", "application/json", 422),
        (b"null", "application/json; charset=utf-8", 422),
        (b"text=a", "application/x-www-form-urlencoded", 415),
        (b"{}", "text/plain", 415),
        (b"{}", "", 415),
        (b"--x--", "multipart/form-data", 400),
        (b"nonsense", "multipart/form-data; boundary=x", 400),
        (NAMELESS, "multipart/form-data; boundary=x", 400),
        (WORDS_FORM, "multipart/form-data; boundary=x; charset=undefined", 415),
        (WORDS_FORM, "multipart/form-data; boundary=x; charset=punycode", 415),
        (WORDS_FORM, "multipart/form-data; boundary=x; charset=latin-1", 415),
        (SURROGATE, "multipart/form-data; boundary=x; charset=unicode_escape", 415),
        (SURROGATE, "multipart/form-data; boundary=x", 422),
        (WORDS_FORM, "multipart/form-data; boundary=x; charset=UTF-8", 200),
        (WORDS_FORM[:-5], "multipart/form-data; boundary=x", 422),
        (b"", "multipart/form-data; boundary=x", 422),
    ],
)  # fmt: skip
def test_a_body_of_another_kind_is_a_problem(
    client: TestClient, content: bytes, content_type: str, status: int
) -> None:
    response = client.post("/v1/search", content=content, headers={"Content-Type": content_type})
    assert response.status_code == status
    kind = "application/json" if status == 200 else "application/problem+json"
    assert response.headers["content-type"] == kind


def test_a_compressed_body_is_refused(client: TestClient) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    response = client.post("/v1/search", content=b"\x1f\x8b", headers=headers)
    assert response.status_code == 415


def drawn(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("pixels", [(9000, 9000), (20_000, 20_000)])
def test_a_picture_with_too_many_pixels_is_too_large(
    client: TestClient, pixels: tuple[int, int]
) -> None:
    response = client.post("/v1/search", json={"images": [coded(drawn(*pixels))]})
    assert response.status_code == 413
    assert response.json()["type"] == "urn:ocelot:problem:picture-too-large"


def test_of_several_pictures_the_bad_one_is_named(client: TestClient, leopard: bytes) -> None:
    body = {"images": [coded(leopard), NO_PICTURE]}
    assert "picture 2" in client.post("/v1/search", json=body).json()["detail"]
    half = leopard[: len(leopard) // 2]
    body = {"images": [coded(leopard), coded(half), coded(leopard)]}
    response = client.post("/v1/search", json=body)
    assert response.status_code == 415
    assert "Cannot use picture 2: it is damaged" in response.json()["detail"]


@pytest.mark.parametrize("bad", [b"no picture", None])
def test_of_several_items_the_one_with_a_bad_picture_is_named(
    client: TestClient, leopard: bytes, bad: bytes | None
) -> None:
    bad = bad or leopard[: len(leopard) // 2]
    items = [{"text": "mug"}, {"image": coded(leopard)}, {"image": coded(bad)}]
    response = client.post("/v1/embeddings", json={"items": items})
    assert response.status_code == 415
    assert "the picture of item 3" in response.json()["detail"]


# Embeddings


def test_embeddings_are_the_encoders(client: TestClient, warm: Service, leopard: bytes) -> None:
    id, vector = items_of(warm)[5]
    body = {"items": [
        {"image": coded(leopard), "text": WORDS}, {"text": "a kettle"}, {"image": {"id": id}},
    ]}  # fmt: skip
    answer = client.post("/v1/embeddings", json=body).json()
    expected = warm._engine.encoder.encode([Input(leopard, WORDS), Input(text="a kettle")])
    assert answer["encoder"] == "ocelot-tiny" and answer["dimension"] == expected.shape[1]
    np.testing.assert_allclose(answer["embeddings"][:2], expected, atol=1e-5)
    np.testing.assert_allclose(answer["embeddings"][2], vector, atol=1e-5)


@pytest.mark.parametrize(
    "items", [[], [{}], [{"text": " "}], [{"text": "a"}] * 257, [{"image": None}], [{"text": 3}]]
)
def test_what_cannot_be_encoded_is_refused(client: TestClient, items: list[Any]) -> None:
    assert client.post("/v1/embeddings", json={"items": items}).status_code == 422


def test_no_form_is_taken_where_there_is_none(client: TestClient) -> None:
    response = client.post("/v1/embeddings", data={"items": "a"}, files={"image": b"x"})
    assert response.status_code == 415


def test_unknown_words_are_named(client: TestClient) -> None:
    assert search(client, text="a red blorf")["unknown_words"] == ["blorf"]
    assert search(client, text="a red kettle")["unknown_words"] == []
    response = client.post("/v1/search", json={"text": "blorf fnord"})
    assert response.status_code == 422
    assert "ocelot-tiny does not know: blorf, fnord." in response.json()["detail"]
