"""A client that openapi-python-client generates from the description speaks to a real server."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ocelot.service import Service
from ocelot.web import describe
from tests.uvicorn_server import serve
from tests.web.conftest import app_of, index

pytest.importorskip("openapi_python_client", reason="pip install openapi-python-client")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Imports a module of the client."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "openapi.json").write_text(json.dumps(describe()))
    bytes_of = dict.fromkeys(
        ("application/x-ndjson", "image/*", "image/jpeg"), "application/octet-stream"
    )  # as docs/serving.md says
    config = {"post_hooks": [], "content_type_overrides": bytes_of}
    (folder / "config.yml").write_text(json.dumps(config))
    command = [
        sys.executable, "-m", "openapi_python_client", "generate", "--path", "openapi.json",
        "--config", "config.yml", "--meta", "none", "--output-path", "shop_client",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "Unable to process" not in said and "will not be generated" not in said, said

    def module(name: str) -> ModuleType:
        return importlib.import_module(f"shop_client.{name}")

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield module


def test_it_has_every_operation_and_every_value(generated: Any) -> None:
    described = describe()
    for methods in described["paths"].values():
        for operation in methods.values():
            tag, name = operation["tags"][0], operation["operationId"]
            snake = "".join("_" + c.lower() if c.isupper() else c for c in name)
            assert callable(generated(f"api.{tag}.{snake}").sync_detailed)
    models = generated("models")
    for name in described["components"]["schemas"]:
        assert hasattr(models, name)


def test_it_adds_lists_searches_and_deletes(
    generated: Any, service: Service, shop: Path, leopard: bytes
) -> None:
    index(service, shop)
    models, types = generated("models"), generated("types")
    items, search = generated("api.items.add_item"), generated("api.search.search")
    with serve(app_of(service)) as url, generated("client").Client(base_url=url) as client:
        picture = types.File(io.BytesIO(leopard), "leopard.jpg", "image/jpeg")
        added = items.sync(client=client, body=models.ItemForm(image=picture))
        assert isinstance(added, models.Item)
        listing = generated("api.items.list_items").sync
        first = listing(client=client, limit=40)
        rest = listing(client=client, limit=40, cursor=first.next_)
        ids = [item.id for page in (first, rest) for item in page.items]
        assert len(ids) == len(set(ids)) == 61 and added.id in ids and rest.next_ is None
        changes = models.ItemChanges(metadata=models.ItemChangesMetadata.from_dict({"title": "A"}))
        update = generated("api.items.update_item").sync
        assert update(added.id, client=client, body=changes).title == "A"
        query = models.SearchRequest(
            images=[models.QueryImageOfItem(id=added.id)], text="phone case", limit=3
        )
        answer = search.sync(client=client, body=query)
        assert isinstance(answer, models.SearchAnswer)
        assert [hit.rank for hit in answer.hits] == [1, 2, 3]
        assert answer.ranking.reranker == "fusion"
        refused = search.sync(client=client, body=models.SearchRequest(text="mug", filter_="((("))
        assert isinstance(refused, models.ProblemDetails) and refused.status == 400
        delete = generated("api.items.delete_item").sync_detailed
        assert delete(added.id, client=client).status_code == 204
        gone = generated("api.items.get_item").sync(added.id, client=client)
        assert gone.status == 404
