"""`ocelot tune`, and the warning of commands where a local database has become too large."""

from __future__ import annotations

import json
import logging
import socket
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocelot.build import build_service
from ocelot.cli import serve, terminal
from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.settings import load_settings
from tests.cli.conftest import Command

DIMENSION = 24


@pytest.fixture
def db(tmp_path: Path) -> Path:
    vectors = np.random.default_rng(0).normal(size=(300, DIMENSION)).astype(np.float32)
    path = tmp_path / "a.db"
    with Collection.open(path, encoder=EncoderIdentity("none", "0" * 64, DIMENSION)) as collection:
        collection.upsert(Row(f"n{n}", {"/": 1}, 1, vector=v) for n, v in enumerate(vectors))
    return path


def test_flat_is_exact(ocelot: Command, db: Path) -> None:
    outcome = ocelot("tune", "--db", db, "--queries", 20)
    assert outcome.code == 0 and "20 queries, 300 vectors." in outcome.out
    assert outcome.out.splitlines()[2].split()[:4] == ["FLAT", "*", "-", "1.0000"]
    assert "FLAT is exact" in outcome.out and "--indexes HNSW" in outcome.out
    assert outcome.err == ""


def test_rows_that_are_not_indexed_yet_are_named(
    ocelot: Command, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Collection, "unindexed", lambda self: 1_200)
    outcome = ocelot("tune", "--db", db, "--queries", 10)
    assert outcome.code == 0 and "has not indexed 1,200 rows yet" in outcome.err


def test_the_proposal_is_kept(ocelot: Command, db: Path) -> None:
    arguments = ("tune", "--db", db, "--queries", 20, "--json")
    with Collection.open(db, index="HNSW"):
        pass
    shown = json.loads(ocelot(*arguments).out)
    assert not shown["kept"] and "defaults" in ocelot("info", "--db", db).out
    done = ocelot(*arguments, "--indexes", "hnsw, ivf_flat", "--apply", "--plot", "a/b.png")
    table = json.loads(done.out)
    assert table["kept"] and table["best"]["recall"] >= 0.99
    kinds = [one["index"] for one in table["measured"]]
    assert kinds == ["HNSW"] * 7 + ["IVF_FLAT"] * 8
    with Image.open("a/b.png") as picture:
        assert picture.format == "PNG" and min(picture.size) > 300
    described = json.loads(ocelot("info", "--db", db, "--json").out)
    assert described["index"] == table["best"]["index"]
    assert described["search_params"] == table["best"]["params"] != {}
    ((name, value),) = table["best"]["params"].items()
    assert f"{name}={value}" in ocelot("info", "--db", db).out
    assert described["others"] == []


def test_nothing_is_kept_that_is_not_good_enough(ocelot: Command, db: Path) -> None:
    with Collection.open(db, index="IVF_SQ8"):
        pass
    outcome = ocelot("tune", "--db", db, "--queries", 40, "--recall", 1, "--apply")
    assert outcome.code == 1
    assert "Nothing reaches a recall of 1, so nothing was changed; IVF_SQ8 with" in outcome.out
    assert "defaults" in ocelot("info", "--db", db).out


def test_what_cannot_be_measured(
    ocelot: Command, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = ocelot("tune", "--db", db, "--indexes", "SCANN")
    assert wrong.code == 2 and "has no index 'SCANN'; it has FLAT, HNSW" in wrong.err
    unwritable = ocelot("tune", "--db", db, "--plot", "/proc/no/a.png")
    assert unwritable.code == 2 and "Cannot write /proc/no/a.png: " in unwritable.err
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    without = ocelot("tune", "--db", db, "--plot", "a.png")
    assert without.code == 2 and "pip install 'ocelot-search[train]'" in without.err
    assert ocelot("tune", "--db", "none.db").code == 2


def test_a_local_database_that_is_too_large_is_named_once(
    ocelot: Command, db: Path, shop: Path, indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "ocelot copy" not in ocelot("info", "--db", db).err
    monkeypatch.setattr(terminal, "LITE_ROWS", 59)
    for command in (("info", "--db", db), ("index", shop / "images"), ("index", shop / "images")):
        said = ocelot(*command).err
        assert said.count("ocelot copy") == said.count("beyond 59") == 1, command
    said: list[str] = []
    monkeypatch.setattr(
        logging.getLogger("ocelot"), "warning", lambda text, *parts: said.append(text % parts)
    )
    terminal.warn_if_large("http://host:19530", 10**9)
    assert said == []
    settings = load_settings(db=str(indexed), reranker="none")
    with (
        closing(build_service(settings)) as service,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        assert "60 pictures" in serve._announcement(listener, service, settings)
    (sentence,) = said
    assert f"`ocelot copy {indexed} http://HOST:19530`" in sentence
