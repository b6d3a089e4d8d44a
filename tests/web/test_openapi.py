from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from starlette.testclient import TestClient

import ocelot
from ocelot.collection import rows
from ocelot.service import Service
from ocelot.web import describe
from ocelot.web.api.encoding import EmbeddingRequest, RerankRequest
from ocelot.web.api.fields import EXAMPLE_ID
from ocelot.web.api.items import ItemChanges, ItemRequest
from ocelot.web.api.queries import BatchRequest, SearchRequest, VectorRequest
from tests.web.conftest import MakeService, app_of, client_of

REQUESTS = (
    SearchRequest, BatchRequest, VectorRequest, ItemRequest, ItemChanges, EmbeddingRequest,
    RerankRequest,
)  # fmt: skip


@pytest.fixture(scope="module")
def described(client: TestClient) -> dict[str, Any]:
    schema: dict[str, Any] = client.get("/openapi.json").json()
    return schema


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_every_operation_is_described(described: dict[str, Any]) -> None:
    assert described["info"]["version"] == ocelot.__version__
    tags = {tag["name"] for tag in described["tags"]}
    names = []
    for path, _, operation in operations(described):
        names.append(operation["operationId"])
        assert operation["summary"] and operation["description"].endswith("."), path
        assert set(operation["tags"]) <= tags
        assert operation["parameters"][-1] == {"$ref": "#/components/parameters/RequestId"}
        for parameter in operation["parameters"][:-1]:
            assert parameter.get("description") or parameter["schema"]["description"], path
    assert len(set(names)) == len(names) == 18


def test_every_failure_is_described_as_a_problem(described: dict[str, Any]) -> None:
    for path, _, operation in operations(described):
        for status, response in operation["responses"].items():
            assert response["description"]
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"], path
                schema = response["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ProblemDetails"}


def test_every_field_is_described(described: dict[str, Any]) -> None:
    for model in REQUESTS:
        for name, field in described["components"]["schemas"][model.__name__]["properties"].items():
            inner = [field, field.get("items", {}), *field.get("anyOf", ())]
            known = [one for one in inner if one.get("description") or "$ref" in str(one)]
            assert known, f"{model.__name__}.{name}"


def test_every_value_is_a_plain_object(described: dict[str, Any]) -> None:
    for name, schema in described["components"]["schemas"].items():
        assert schema["type"] == "object" and schema["properties"], name
        assert not schema.keys() & {"anyOf", "oneOf", "allOf", "not", "if"}, name


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    names = re.findall(r"#/components/schemas/(\w+)", str(described))
    named = {*names, "BulkLine"}  # a line of a body, which a schema cannot say
    assert named == set(described["components"]["schemas"])


def test_examples_are_such_as_the_api_takes(described: dict[str, Any]) -> None:
    for model in REQUESTS:
        schema = described["components"]["schemas"][model.__name__]
        examples = schema.pop("examples", [])
        assert examples
        validator = jsonschema_rs.validator_for(
            {
                "$ref": f"#/components/schemas/{model.__name__}",
                "components": described["components"],
            }
        )
        for example in examples:
            text = str(example).replace("…", "A")
            assert validator.is_valid(eval(text)), text


def test_searching_takes_json_and_forms_and_gives_json_and_events(
    described: dict[str, Any],
) -> None:
    operation = described["paths"]["/v1/search"]["post"]
    assert set(operation["requestBody"]["content"]) == {"application/json", "multipart/form-data"}
    assert set(operation["responses"]["200"]["content"]) == {
        "application/json",
        "text/event-stream",
    }


def test_bounds_are_described(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    for name in ("SearchRequest", "SearchForm"):
        limit = schemas[name]["properties"]["limit"]
        assert (limit["minimum"], limit["maximum"]) == (1, 500)
        assert schemas[name]["additionalProperties"] is False
    assert schemas["SearchRequest"]["properties"]["images"]["maxItems"] == 8
    assert schemas["EmbeddingRequest"]["properties"]["items"]["anyOf"][0]["maxItems"] == 256


def test_it_names_the_rerankers_of_this_server(
    described: dict[str, Any], beside: MakeService, warm: Service
) -> None:
    def offered(schema: dict[str, Any]) -> list[Any]:
        fields = schema["components"]["schemas"]["SearchRequest"]["properties"]
        kinds = fields["rerank"]["anyOf"]
        assert kinds[0] == {"type": "boolean"} and kinds[-1] == {"type": "null"}
        return [name for kind in kinds[1:-1] for name in kind["enum"]]

    assert offered(described) == ["fusion"]
    bare = client_of(app_of(beside(rerankers={}, default=None)))
    assert offered(bare.get("/openapi.json").json()) == []
    assert bare.post("/v1/search", json={"text": "mug"}).json()["ranking"] is None
    refused = bare.post("/v1/search", json={"text": "mug", "rerank": True})
    assert refused.status_code == 422 and "has none" in refused.json()["detail"]
    assert offered(describe()) == ["llm", "fusion"]


def test_it_can_be_had_without_a_server(client: TestClient) -> None:
    served = client.get("/openapi.json").json()
    assert describe(rerankers=["fusion"], locked=False) == served


def test_ids_are_those_that_a_collection_takes(described: dict[str, Any]) -> None:
    pattern = described["components"]["schemas"]["Item"]["properties"]["id"]["pattern"]
    assert pattern == f"^{rows._ID.pattern}$"


def documented_calls() -> list[str]:
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.M | re.S)
    return [line for block in blocks for line in block.splitlines()]


def test_the_documented_calls_work(service: Service, shop: Path, leopard: bytes) -> None:
    client = client_of(app_of(service))
    files = {"image": (shop / "images" / "000001.jpg").read_bytes()}
    fields = {"metadata": '{"price": 12, "category": "Phone cases"}'}  # those of the filters
    id = client.post("/v1/items", files=files, data=fields).json()["id"]
    key = client.post("/v1/search", json={"text": "a"}).json()["panorama"].rpartition("/")[2]
    lines = sorted(documented_calls(), key=lambda line: "DELETE" in line)
    assert len(lines) == 20
    for line in lines:
        line = line.replace(EXAMPLE_ID, id).replace("hGS4CkTFmH5eDIIdTTQLLw", key)
        line = line.replace("[0.12, -0.4]", str([0.1] * service.encoder.dimension))
        line = re.sub(r"/9j/[^\"]+", base64.b64encode(leopard).decode(), line)
        assert call(client, shlex.split(line), leopard).status_code < 300, line


def call(client: TestClient, words: list[str], file: bytes) -> Any:
    """A request as curl makes it, as far as the page uses curl."""
    method, headers, body, parts = "GET", {}, None, []
    for flag, value in pairwise(words):
        if flag == "-H":
            headers = dict([value.split(": ")])
        elif flag == "-d":
            method, body = "POST" if method == "GET" else method, value
        elif flag == "-X":
            method = value
        elif flag == "-F":
            name, _, text = value.partition("=")
            method = "POST"
            parts.append((name, ("a.jpg", file) if text.startswith("@") else (None, text)))
    url = next(word for word in words if word.startswith("http"))
    path = url.removeprefix("http://127.0.0.1:8000")
    return client.request(method, path, headers=headers, content=body, files=parts or None)
