"""The API does what its description says, whatever it is sent: requests are made up from it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig

from ocelot.encoders.base import Encoder
from ocelot.images.decode import hash_bytes
from ocelot.model.knowledge import words_of
from ocelot.web import describe
from tests.web.conftest import app_of, index, service_in

EXAMPLES = 12
IDS: list[str] = []  # of the stored items
LINES = "/v1/bulk"  # takes lines of JSON, which a schema cannot say
LENGTH = 320  # of a vector of the bundled encoder
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+=-]{0,127}")
ANSWERED: Counter[tuple[str, int]] = Counter()

CONFIG = {
    # What fits the description may still name no item that is there, or be no picture or filter.
    "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", 400, 404, 413, 415]}},
    # The same requests in each run, whatever other tests have loaded and whatever was answered.
    "analysis": {"constants": {"enabled": False}},
    "phases": {
        "fuzzing": {
            "extra-data-sources": {"responses": False},
            "error-feedback": {"enabled": False},
        }
    },
}


@pytest.fixture(scope="module")
def schema(
    shop: Path, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[schemathesis.BaseSchema]:
    """The description, with the application that answers; items may be added and removed.

    A fixture: requests are made up when they are needed, not where tests are only listed.
    """
    described = schemathesis.openapi.from_dict(
        describe(rerankers=["fusion"], locked=False),
        config=SchemathesisConfig.from_dict(CONFIG),
    )
    described.hook(map_path_parameters)
    described.hook(map_body)
    service = service_in(tmp_path_factory.mktemp("fuzzed"), encoder)
    index(service, shop)
    IDS[:] = sorted(row.id for row in service._engine.collection.iterate())
    described.app = app_of(service)
    yield described
    service.close()


def known(id: Any) -> Any:
    """A stored item's id for most of those that are made up."""
    if not isinstance(id, str) or not ID.fullmatch(id):
        return id
    number = int(hash_bytes(id.encode())[:8], 16)
    return id if number % 4 == 0 else IDS[number // 4 % len(IDS)]


def map_path_parameters(_: Any, parameters: Any) -> Any:
    if isinstance(parameters, dict) and "id" in parameters:
        parameters["id"] = known(parameters["id"])
    return parameters


def map_body(_: Any, body: Any) -> Any:
    images = body.get("images") if isinstance(body, dict) else None
    for image in images if isinstance(images, list) else ():
        if isinstance(image, dict) and "id" in image:
            image["id"] = known(image["id"])
    return body


def is_sayable(body: Any) -> bool:
    """Whether a form is sent as it was made up, and fits as far as the description can say it.

    An empty list leaves nothing in a form, and whatever stands for a text is one there; pictures
    and ids have one limit together.
    """
    if not isinstance(body, dict):
        return True
    if body.get("id") == "":  # as if there was none
        return False
    texts = ("text", "filter", "negative_text", "group_by", "hybrid", "id", "cursor")
    if not all(isinstance(body.get(name, ""), (str, list)) for name in texts):
        return False
    pictures = [body.get(name) for name in ("image", "image_id")]
    number = sum(len(one) for one in pictures if isinstance(one, list))
    return number <= 8 and [] not in body.values()


def fill(case: Any) -> None:
    """Give a query or an item what it must have by a rule that the description says in words."""
    body, path = case.body, case.operation.path
    if not isinstance(body, dict):
        return
    if path == "/v1/search/vector" and isinstance(body.get("vector"), list):
        kinds = {type(value) for value in body["vector"]}
        if kinds and kinds <= {int, float}:
            body["vector"] = [1.0] * LENGTH  # of any other vector it is said what is wrong
    listed = body.get({"/v1/embeddings": "items", "/v1/search/batch": "queries"}.get(path, ""))
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if path == "/v1/search":
        found = [body]
    if path == "/v1/embeddings" and body.get("items") is not None:
        body.pop("input", None)
    elif path == "/v1/embeddings" and body.get("input") is None:
        body["input"] = "a mug"
    if path == "/v1/rerank" and isinstance(body.get("documents"), list):
        documents = [one for one in body["documents"] if isinstance(one, dict)]
        for one in documents:
            is_both = one.get("text") is not None or one.get("image") is not None
            if is_both and isinstance(one.get("id"), str) and ID.fullmatch(one["id"]):
                del one["id"]
        found = [one for one in [body.get("query"), *documents] if isinstance(one, dict)]
        found = [one for one in found if one.get("id") is None]
    for one in found:
        if path == "/v1/search/batch" and one.get("rerank") in (True, "fusion"):
            one["rerank"] = False
        pictures = [one.get(name) for name in ("images", "image", "image_id")]
        text = one.get("text")
        if not any(pictures) and (text is None or (isinstance(text, str) and not text.strip())):
            one["text"] = "a mug"


@schemathesis.pytest.from_fixture("schema").exclude(path=LINES).parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_described(case: Any) -> None:
    if case.media_type == "multipart/form-data" and not is_sayable(case.body):
        return
    fill(case)
    text = case.body.get("text") if isinstance(case.body, dict) else None
    if isinstance(text, str) and len(text) < 1990 and words_of(text):
        case.body["text"] = f"red {text}"  # a text of unknown words alone is refused
    response = case.call_and_validate()
    ANSWERED[case.operation.label, response.status_code] += 1


def test_the_requests_made_up_were_not_all_refused(schema: schemathesis.BaseSchema) -> None:
    answered = {label for label, status in ANSWERED if status < 300}
    asked = {operation.ok().label for operation in schema.get_all_operations()}
    assert asked - answered <= {f"POST {LINES}", "GET /v1/panoramas/{key}"}
    assert not [status for _, status in ANSWERED if status >= 500]
