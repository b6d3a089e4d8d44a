"""Vectors and ranking as OpenAI's, Cohere's and Jina's clients ask for them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest
from starlette.testclient import TestClient

from ocelot.images.file import ImageFile
from ocelot.service import Service
from ocelot.types import Input
from tests.uvicorn_server import serve
from tests.web.conftest import app_of


@pytest.fixture(scope="module")
def sdk(warm: Service) -> Iterator[openai.OpenAI]:
    """The client of the package openai."""
    with (
        serve(app_of(warm)) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
    ):
        yield client


def uri(picture: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode()


@pytest.mark.parametrize("encoding", [None, "float", "base64"])
def test_the_openai_client_gets_the_encoders_vectors(
    sdk: openai.OpenAI, warm: Service, leopard: bytes, encoding: Any
) -> None:
    options = {} if encoding is None else {"encoding_format": encoding}
    answer = sdk.embeddings.create(
        model="ocelot-tiny", input=["a red kettle", uri(leopard)], **options
    )
    assert answer.object == "list" and answer.model == "ocelot-tiny"
    assert [one.index for one in answer.data] == [0, 1]
    if encoding == "base64":
        rows: Any = [np.frombuffer(base64.b64decode(one.embedding), "<f4") for one in answer.data]
    else:
        rows = [one.embedding for one in answer.data]
    inputs = [Input(text="a red kettle"), Input(ImageFile(leopard))]
    assert np.allclose(rows, warm._engine.encoder.encode(inputs), atol=1e-5)


def test_the_openai_client_is_told_what_is_wrong(sdk: openai.OpenAI) -> None:
    assert len(sdk.embeddings.create(model="ocelot-tiny", input="a mug").data) == 1

    def refused(kind: type[openai.APIStatusError], **options: Any) -> str:
        with pytest.raises(kind) as caught:
            sdk.embeddings.create(**({"model": "ocelot-tiny", "input": "a mug"} | options))
        assert isinstance(caught.value.body, dict)
        return str(caught.value.body["detail"])

    assert "no model 'ada'" in refused(openai.NotFoundError, model="ada")
    assert "dimensions, not 3" in refused(openai.BadRequestError, dimensions=3)
    assert "field input.0" in refused(openai.UnprocessableEntityError, input=[[1, 2, 3]])


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, None),
        ({"input": "a", "items": [{"text": "a"}]}, 422, None),
        ({"input": ["a", " "]}, 422, "input.1"),
        ({"input": "x" * 2001}, 422, "input"),
        ({"input": ["a"] * 257}, 422, "input"),
        ({"input": 3}, 422, "input"),
        ({"input": ["a", "data:image/png;base64,###"]}, 422, "input.1"),
        ({"input": "a", "encoding_format": "int8"}, 422, "encoding_format"),
        ({"input": "data:image/png;base64,AAAA"}, 415, None),
    ],
)
def test_input_that_cannot_be_used_is_named(
    client: TestClient, body: Any, status: int, field: str | None
) -> None:
    refused = client.post("/v1/embeddings", json=body)
    assert refused.status_code == status, refused.text
    assert refused.json().get("field") == field


def test_documents_are_ordered_by_cosine(client: TestClient, warm: Service, leopard: bytes) -> None:
    item = next(warm._engine.items())
    documents = ["a mug", uri(leopard), {"text": "leopard"}, {"id": item.id}]
    documents.append({"text": "in red", "image": base64.b64encode(leopard).decode()})
    answer = client.post(
        "/v1/rerank",
        json={"query": "leopard fur", "documents": documents, "return_documents": True},
    ).json()
    picture = ImageFile(leopard)
    inputs = [Input(text="leopard fur"), Input(text="a mug"), Input(picture)]
    inputs += [Input(text="leopard"), Input(picture, "in red")]
    asked, *rows = warm._engine.encoder.encode(inputs)
    (row,) = warm._engine.collection.get(item.id)
    expected = [float(asked @ one) for one in (*rows[:3], row.vector, rows[3])]
    order = sorted(range(5), key=lambda place: -expected[place])
    assert [one["index"] for one in answer["results"]] == order
    scores = [one["relevance_score"] for one in answer["results"]]
    assert np.allclose(scores, [expected[place] for place in order], atol=1e-5)
    texts = {one["index"]: (one["document"] or {}).get("text") for one in answer["results"]}
    assert texts == {0: "a mug", 1: None, 2: "leopard", 3: None, 4: "in red"}
    first = client.post(
        "/v1/rerank",
        json={"query": {"text": "leopard fur"}, "documents": documents, "top_n": 2},
    ).json()
    assert [one["index"] for one in first["results"]] == order[:2]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"query": "a", "documents": []}, 422, "documents"),
        ({"query": "a", "documents": ["a", 3]}, 422, "documents.1"),
        ({"query": "a", "documents": ["a", {}]}, 422, "documents.1"),
        ({"query": "a", "documents": [{"id": "x", "text": "a"}]}, 422, "documents.0"),
        ({"query": "a", "documents": ["b", ""]}, 422, "documents.1"),
        ({"query": " ", "documents": ["b"]}, 422, "query"),
        ({"query": {"id": "x"}, "documents": ["b"]}, 422, "query.id"),
        ({"query": "a", "documents": [{"id": "no-such"}]}, 404, None),
        ({"query": "a", "documents": ["b"], "model": "rerank-v3"}, 404, "model"),
    ],
)
def test_what_cannot_be_ranked_is_named(
    client: TestClient, body: Any, status: int, field: str | None
) -> None:
    refused = client.post("/v1/rerank", json=body)
    assert refused.status_code == status, refused.text
    assert refused.json().get("field") == field
