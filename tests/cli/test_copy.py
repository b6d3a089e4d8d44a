from __future__ import annotations

import json
from pathlib import Path

import pytest

import ocelot as library
from ocelot.collection import Collection
from tests.cli.conftest import Command
from tests.milvus_server import TOKEN


def test_from_a_file_to_a_server(
    ocelot: Command, indexed: Path, milvus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = ("copy", indexed, milvus, "--to-collection", "moved")
    monkeypatch.setenv("OCELOT_TOKEN", TOKEN)  # of the source, and not sent elsewhere
    monkeypatch.setenv("OCELOT_TO_TOKEN", "root:s3cret")
    refused = ocelot(*call)
    assert refused.code == 1 and "refused the credentials" in refused.err
    assert "s3cret" not in refused.out + refused.err
    monkeypatch.setenv("OCELOT_TO_TOKEN", TOKEN)
    outcome = ocelot(*call)
    assert outcome.code == 0, outcome.err
    assert "60 copied, 0 updated, 0 unchanged" in outcome.out
    assert f"moved in {milvus} now holds 60 pictures; 60 vectors were read back" in outcome.out
    again = json.loads(ocelot(*call, "--json").out)
    assert (again["copied"], again["unchanged"], again["collection"]) == (0, 60, "moved")
    monkeypatch.setenv("OCELOT_DB", milvus)
    hits = json.loads(ocelot("search", "-t", "mug", "--json", "--collection", "moved").out)
    local = json.loads(ocelot("search", "-t", "mug", "--json", "--db", indexed).out)
    assert [hit["id"] for hit in hits["hits"]] == [hit["id"] for hit in local["hits"]]
    monkeypatch.delenv("OCELOT_TO_TOKEN")
    back = ocelot("copy", milvus, "back.db", "--collection", "moved", "--to-collection", "ocelot")
    assert back.code == 0 and "60 copied" in back.out
    with Collection.open(indexed) as source, Collection.open("back.db") as copy:
        ids = [row.id for row in source.iterate()]
        for row, other in zip(source.get(ids), copy.get(ids), strict=True):
            assert row == other and row.vector.tobytes() == other.vector.tobytes()
        assert source.identity == copy.identity


def test_what_cannot_be_copied(ocelot: Command, indexed: Path) -> None:
    missing = ocelot("copy", "nowhere.db", "copy.db")
    assert missing.code == 2 and "nowhere.db" in missing.err and not Path("copy.db").exists()
    itself = ocelot("copy", indexed, indexed)
    assert itself.code == 2 and "cannot be copied to itself" in itself.err
    encoder = library.FunctionEncoder(lambda image, text: [1.0, 2.0], dimension=2)
    library.open("other.db", encoder=encoder, reranker=None).close()
    other = ocelot("copy", indexed, "other.db")
    assert other.code == 2 and "was made with the encoder function" in other.err


def test_each_tenant_is_copied_alone(ocelot: Command, shop: Path) -> None:
    picture = next((shop / "images").iterdir())
    assert ocelot("index", picture, "--db", "a.db", "--tenant", "north").code == 0
    assert ocelot("copy", "a.db", "b.db").code == 2  # there are only pictures of a tenant
    assert "ocelot__north in b.db" in ocelot("copy", "a.db", "b.db", "--tenant", "north").out
    info = json.loads(ocelot("info", "--db", "b.db", "--tenant", "north", "--json").out)
    assert (info["count"], info["name"]) == (1, "ocelot__north")


def test_from_one_tenant_to_another(
    ocelot: Command, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = next((shop / "images").iterdir())
    assert ocelot("index", picture, "--db", "a.db", "--tenant", "north").code == 0
    monkeypatch.setenv("OCELOT_TO_TENANT", "south")
    assert "ocelot__south in b.db" in ocelot("copy", "a.db", "b.db", "--tenant", "north").out
    call = ("copy", "a.db", "b.db", "--tenant", "north", "--to-collection", "shop")
    assert "shop__south in b.db" in ocelot(*call).out
