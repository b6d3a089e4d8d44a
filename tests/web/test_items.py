from __future__ import annotations

import base64
import hashlib
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from ocelot.service import Service
from tests.web.conftest import app_of, client_of

UNKNOWN = "0" * 64


def drawn(colour: str, format: str = "PNG", size: tuple[int, int] = (60, 40)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, format)
    return file.getvalue()


def add(client: TestClient, data: bytes, metadata: dict[str, Any] | None = None) -> Any:
    fields = {} if metadata is None else {"metadata": json.dumps(metadata)}
    return client.post("/v1/items", files={"image": ("a.png", data, "image/png")}, data=fields)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


# Adding


@pytest.mark.filterwarnings("ignore:Corrupt EXIF", "ignore:Truncated File Read")
def test_garbage_in_exif_is_taken_everywhere(
    own: TestClient, service: Service, tmp_path: Path
) -> None:
    """Uploaded, added and indexed; shown small, in a panorama and as a reference."""
    for seed in range(12):
        noise = Image.effect_noise((900, 600), 60 + seed).convert("RGB")
        head = (b"", b"MM", b"II*\0", b"MM\0*\0\0\0\x08")[seed % 4]
        exif = b"Exif\0\0" + head + random.Random(seed).randbytes(90)
        noise.save(tmp_path / f"{seed}.jpg", exif=exif, dpi=(72, 72))
    data = [(tmp_path / f"{seed}.jpg").read_bytes() for seed in range(12)]
    assert [add(own, one).status_code for one in data[:4]] == [201] * 4
    assert all(service._engine.add(one).width == 900 for one in data[4:8])
    report = service._engine.index(tmp_path)
    assert (report.encoded, report.failures) == (4, ())
    for one in data:
        where = f"/v1/items/{hashlib.sha256(one).hexdigest()}/image"
        assert opened(own.get(f"{where}?size=60").content).size == (60, 40)
        asked = {"images": [{"base64": base64.b64encode(one).decode()}], "keep_reference": True}
        answer = own.post("/v1/search", json=asked).json()
        assert answer["hits"][0]["image"] == where
        assert own.get(answer["panorama"]).status_code == 200


def test_a_new_picture_is_created_and_can_be_found(own: TestClient) -> None:
    data = drawn("red")
    response = add(own, data, {"title": "A red card", "price": 3})
    id = hashlib.sha256(data).hexdigest()
    assert (response.status_code, response.headers["location"]) == (201, f"/v1/items/{id}")
    assert response.json() == {
        "id": id, "title": "A red card", "width": 60, "height": 40,
        "metadata": {"title": "A red card", "price": 3}, "image": f"/v1/items/{id}/image",
    }  # fmt: skip
    assert own.get(response.headers["location"]).json() == response.json()
    answer = own.post("/v1/search", json={"text": "red", "filter": "price == 3"})
    assert [hit["id"] for hit in answer.json()["hits"]] == [id]


def test_the_same_content_twice_is_one_item(own: TestClient) -> None:
    first, second = add(own, drawn("red")), add(own, drawn("red"))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json() and "location" not in second.headers
    assert own.get("/v1/collection").json()["count"] == 1


def test_json_does_what_a_form_does(own: TestClient) -> None:
    data = drawn("red")
    coded = base64.b64encode(data).decode()
    body = {"image": {"base64": coded}, "metadata": {"price": 3, "tags": ["a", "b"]}}
    response = own.post("/v1/items", json=body)
    assert response.status_code == 201
    assert response.json()["metadata"] == {"price": 3, "tags": ["a", "b"]}
    assert add(own, data).status_code == 200


def test_metadata_is_replaced_where_it_is_given_and_kept_where_not(own: TestClient) -> None:
    data = drawn("red")
    add(own, data, {"price": 3, "colour": "red"})
    assert add(own, data).json()["metadata"] == {"price": 3, "colour": "red"}
    assert add(own, data, {"price": 4}).json()["metadata"] == {"price": 4}
    assert add(own, data, {}).json()["metadata"] == {}


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ("not json", "must be a JSON object"),
        ("null", "must be a JSON object (it is null)"),
        ("7.5", "must be a JSON object (it is a number)"),
        ('["a"]', "must be a JSON object (it is an array)"),
        ('{"price": ', "must be a JSON object"),
        (json.dumps({"text": "a" * 70_000}), "70,011 bytes"),
        ("[" * 2000, "must be a JSON object"),
    ],
)
def test_metadata_that_cannot_be_stored_is_refused(
    refusing: Service, metadata: str, says: str
) -> None:
    files = {"image": ("a.png", drawn("red"), "image/png")}
    client = client_of(app_of(refusing))
    response = client.post("/v1/items", files=files, data={"metadata": metadata})
    assert response.status_code == 422 and says in response.json()["detail"]
    assert client.get("/v1/collection").json()["count"] == 0


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"files": {"image": ("a.png", b"no picture", "image/png")}}, 415),
        ({"files": {"image": ("a.png", drawn("red")[:60], "image/png")}}, 415),
        ({"files": {"image": ("a.png", drawn("red", size=(9000, 9000)), "image/png")}}, 413),
        ({"files": [("image", drawn("red")), ("image", drawn("blue"))]}, 422),
        ({"files": {"picture": drawn("red")}}, 422),
        ({"files": {"image": ("a.png", b"")}}, 415),
        ({"files": {"metadata": ("m.json", b"{}", "application/json")}}, 422),
        ({"json": {}}, 422),
        ({"json": {"image": {"id": UNKNOWN}}}, 422),
        ({"json": {"image": {"base64": "QUJD"}, "metadata": 3}}, 422),
    ],
)
def test_what_is_no_picture_is_not_added(
    refusing: Service, request_: dict[str, Any], status: int
) -> None:
    client = client_of(app_of(refusing))
    response = client.post("/v1/items", **request_)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert client.get("/v1/collection").json()["count"] == 0
    assert [
        file for file in refusing._engine.images.uploads.folder.rglob("*") if file.is_file()
    ] == []


# Reading


def test_an_unknown_item_is_not_found(client: TestClient) -> None:
    for path in ("", "/image", "/image?size=32", "/similar"):
        assert client.get(f"/v1/items/{UNKNOWN}{path}").status_code == 404
    assert client.delete(f"/v1/items/{UNKNOWN}").status_code == 404


@pytest.mark.parametrize("id", ["-", "%20", "a" * 129, "0" * 64 + "%0A", "..%2F..%2Fa", "a%00"])
def test_an_id_that_is_none_is_refused(client: TestClient, id: str) -> None:
    for path in ("", "/image", "/similar"):
        assert client.get(f"/v1/items/{id}{path}").status_code in (404, 422)
    assert client.delete(f"/v1/items/{id}").status_code in (404, 422)


def test_the_picture_of_an_item_is_the_file_itself(client: TestClient, warm: Service) -> None:
    hit = warm._engine.search(text="kettle", limit=1).hits[0]
    response = client.get(f"/v1/items/{hit.id}/image")
    assert response.content == Path(hit.path).read_bytes()
    assert response.headers["content-type"] == "image/jpeg"
    assert response.headers["cache-control"] == "private, max-age=31536000, immutable"
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "sandbox" in policy


def test_the_media_type_is_that_of_the_content(own: TestClient) -> None:
    for format in ("PNG", "WEBP", "GIF", "BMP", "TIFF"):
        item = add(own, drawn("red", format)).json()
        response = own.get(item["image"])
        assert response.headers["content-type"] == f"image/{format.lower()}"
        assert response.content == drawn("red", format)


def test_a_small_picture_has_at_most_that_size_and_is_never_enlarged(own: TestClient) -> None:
    item = add(own, drawn("red", size=(600, 300))).json()
    small = own.get(item["image"], params={"size": 64})
    assert small.headers["content-type"] == "image/jpeg"
    assert small.headers["cache-control"] == "private, max-age=86400"
    assert opened(small.content).size == (64, 32)
    assert opened(own.get(item["image"], params={"size": 2048}).content).size == (600, 300)


@pytest.mark.parametrize("size", ["15", "2049", "-1", "x", ""])
def test_a_size_out_of_range_is_refused(client: TestClient, warm: Service, size: str) -> None:
    id = warm._engine.search(text="kettle", limit=1).hits[0].id
    response = client.get(f"/v1/items/{id}/image", params={"size": size})
    assert (response.status_code, response.json()["field"]) == (422, "size")


def test_a_browser_that_has_the_picture_is_not_sent_it_again(
    client: TestClient, warm: Service
) -> None:
    id = warm._engine.search(text="kettle", limit=1).hits[0].id
    tags = {}
    for query in ("", "?size=32", "?size=64"):
        where = f"/v1/items/{id}/image{query}"
        tags[query] = tag = client.get(where).headers["etag"]
        assert not tag.startswith("W/")
        for given in (tag, f'"other", W/{tag}', "*"):
            again = client.get(where, headers={"If-None-Match": given})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag and "immutable" in (
                again.headers["cache-control"] + "immutable" * bool(query)
            )
        assert client.get(where, headers={"If-None-Match": '"other"'}).status_code == 200
    assert len(set(tags.values())) == 3
    where = f"/v1/items/{UNKNOWN}/image"
    assert client.get(where, headers={"If-None-Match": f'"{UNKNOWN}"'}).status_code == 404


def test_a_picture_whose_file_is_gone_or_changed_is_not_found(
    own: TestClient, service: Service, tmp_path: Path
) -> None:
    for number, change in enumerate((Path.unlink, lambda path: path.write_bytes(b"other"))):
        picture = tmp_path / "pictures" / f"{number}.png"
        picture.parent.mkdir(exist_ok=True)
        picture.write_bytes(drawn("red", size=(10 + number, 10)))
        service._engine.index(picture.parent)
        id = hashlib.sha256(picture.read_bytes()).hexdigest()
        change(picture)
        for request in (
            own.get(f"/v1/items/{id}/image"),
            own.get(f"/v1/items/{id}/image?size=32"),
            own.post("/v1/search", json={"images": [{"id": id}]}),
        ):
            assert request.status_code == 404
            assert str(tmp_path) not in request.text
        assert own.get(f"/v1/items/{id}").status_code == 200, "the item itself is still there"


def test_an_item_with_an_id_of_its_own_is_asked_for_again(
    own: TestClient, service: Service
) -> None:
    id = "shop:mug@2+red=1.a-b_c"
    tags = []
    for colour in ("red", "blue"):
        service._engine.add(drawn(colour), id=id)
        response = own.get(f"/v1/items/{id}/image")
        assert response.content == drawn(colour)
        assert response.headers["cache-control"] == "private, no-cache"
        tags.append(response.headers["etag"])
        again = own.get(f"/v1/items/{id}/image", headers={"If-None-Match": tags[0]})
        assert again.status_code == (304 if colour == "red" else 200)
    assert tags[0] != tags[1]
    assert own.get(f"/v1/items/{id}").json()["id"] == id
    asked = {"images": [{"id": id}], "keep_reference": True}
    assert own.post("/v1/search", json=asked).json()["hits"][0]["id"] == id
    assert own.delete(f"/v1/items/{id}").status_code == 204


def test_similar_items_are_the_nearest_ones(client: TestClient, warm: Service) -> None:
    id = warm._engine.search(text="kettle", limit=1).hits[0].id
    expected = warm._engine.similar(id, limit=5, filter="price < 100", min_score=0.1)
    params = {"limit": 5, "filter": "price < 100", "min_score": 0.1}
    hits = client.get(f"/v1/items/{id}/similar", params=params).json()["hits"]
    assert [hit["id"] for hit in hits] == [hit.id for hit in expected] and expected
    assert [hit["rank"] for hit in hits] == [hit.rank for hit in expected]
    assert id not in [hit["id"] for hit in hits]
    assert len(client.get(f"/v1/items/{id}/similar").json()["hits"]) == 9


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"limit": 0}, 422), ({"limit": 501}, 422), ({"limit": "x"}, 422),
        ({"min_score": 2}, 422), ({"min_score": "nan"}, 422),
        ({"filter": "a" * 10_001}, 422), ({"filter": "price <"}, 400),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_of_similar_items_is_refused(
    client: TestClient, warm: Service, params: dict[str, Any], status: int
) -> None:
    id = warm._engine.search(text="kettle", limit=1).hits[0].id
    response = client.get(f"/v1/items/{id}/similar", params=params)
    assert response.status_code == status and response.json()["detail"].endswith(".")


# Removing


def test_removing_an_uploaded_item_removes_its_file(own: TestClient, service: Service) -> None:
    item = add(own, drawn("red")).json()
    where = f"/v1/items/{item['id']}"
    assert own.get(f"{where}/image?size=32").status_code == 200
    assert list(service._engine.images.uploads.folder.rglob(f"{item['id']}.png"))
    response = own.delete(where)
    assert (response.status_code, response.content) == (204, b"")
    assert not list(service._engine.images.uploads.folder.rglob(f"{item['id']}.*"))
    for path in (where, f"{where}/image", f"{where}/image?size=32"):
        assert own.get(path).status_code == 404
    assert own.delete(where).status_code == 404


def test_removing_an_indexed_item_leaves_its_file(
    own: TestClient, service: Service, tmp_path: Path
) -> None:
    picture = tmp_path / "pictures" / "red.png"
    picture.parent.mkdir()
    picture.write_bytes(drawn("red"))
    service._engine.index(picture.parent)
    id = hashlib.sha256(picture.read_bytes()).hexdigest()
    assert own.delete(f"/v1/items/{id}").status_code == 204
    assert own.get(f"/v1/items/{id}").status_code == 404
    assert picture.read_bytes() == drawn("red")
