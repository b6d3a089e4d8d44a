"""Copies between Milvus Lite and a real server: every value, every bit of every vector."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.errors import CollectionError, DatabaseUnavailable, EncoderMismatch, InputError
from ocelot.maintenance.copying import copy_collection
from tests.milvus_server import TOKEN

ENCODER = EncoderIdentity("colours", "0123456789abcdef", 8, "torch bf16")
ODD: list[dict[str, Any]] = [
    {},
    {"nested": {"a": [1, 2.5, {"b": None}], "ß": ""}, "empty": [], "none": None},
    {"title": "Käse 🧀 \u202e\x01\n\"'\\", "名前": "猫", "true": True, "false": False},
    {"big": 2**63 - 1, "small": -(2**63), "tiny": 5e-324, "third": 1 / 3, "whole": 3.0},
    {"size": "XL", "id": "theirs", "vector": [1, 2]},  # names that the schema has
    {"long": "x" * 30_000, "a b.c[0]": 1},
]


def rows(count: int = 30, seed: int = 0) -> list[Row]:
    """Rows with odd metadata, own ids, several paths, and vectors that are not of length 1."""
    drawn = np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    drawn[0] *= np.float32(1.7)
    drawn[1] = [1e-30, -0.0, 3.4e38, 1e-45, 0, 0, 1, 2]
    made = []
    for n, vector in enumerate(drawn):
        content = hashlib.sha256(b"%d" % n).hexdigest()
        id = content if n % 3 else f"SKU-{n}:@x"
        paths = {
            f"/bilder/ä {n}-{copy}.jpg": 1_700_000_000_123_456_789 + n for copy in range(n % 4 + 1)
        }
        made.append(Row(id, paths, 1000 + n, 30, 40, ODD[n % len(ODD)], vector, content))
    return made


def stored(collection: Collection) -> dict[str, tuple[Any, ...]]:
    """All that is stored, with vectors as bytes and values with their types."""
    ids = [row.id for row in collection.iterate()]
    return {
        row.id: (
            list(row.paths.items()), row.size, row.width, row.height, row.sha256,
            repr(sorted(row.metadata.items())), np.asarray(row.vector).tobytes(),
        )
        for row in collection.get(ids)
    }  # fmt: skip


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Collection]:
    with Collection.open(tmp_path / "source.db", encoder=ENCODER) as collection:
        collection.upsert(rows())
        yield collection


def test_from_lite_to_a_server_and_back(source: Collection, tmp_path: Path, milvus: str) -> None:
    there = {"token": TOKEN, "name": "copied"}
    with Collection.open(milvus, encoder=source.identity, **there) as server:
        report = copy_collection(source, server)
        assert (report.found, report.copied, report.compared, report.extra) == (30, 30, 30, 0)
        assert server.identity == ENCODER
        with Collection.open(tmp_path / "back.db", encoder=server.identity) as back:
            assert copy_collection(server, back).copied == 30
            assert stored(back) == stored(server) == stored(source)
            assert back.identity == ENCODER
        server.drop()


def test_only_what_is_new_or_changed_is_sent(source: Collection, tmp_path: Path) -> None:
    with Collection.open(tmp_path / "copy.db", encoder=ENCODER) as copy:
        copy_collection(source, copy)
        copy.upsert([Row("own", {"/own.jpg": 1}, 9, vector=np.ones(8))])
        source.upsert([Row("new", {"/new.jpg": 1}, 9, vector=np.ones(8) / 3)])
        source.upsert([Row(rows()[2].id, {"/moved.jpg": 5}, 9, vector=rows()[2].vector)])
        source.delete([rows()[0].id])
        report = copy_collection(source, copy)
        assert (report.copied, report.updated, report.unchanged, report.extra) == (1, 1, 28, 2)
        (moved,) = copy.get(rows()[2].id)
        assert dict(moved.paths) == {"/moved.jpg": 5} and moved.metadata == {}
        assert copy_collection(source, copy).unchanged == 30


_KILLED = """
import os, signal, sys
from ocelot.collection import Collection
from ocelot.maintenance import copying

copying._BATCH = 7

def kill(progress):
    if progress.done > 10:
        os.kill(os.getpid(), signal.SIGKILL)

source = Collection.open(sys.argv[1])
copy = Collection.open(sys.argv[2], encoder=source.identity)
copying.copy_collection(source, copy, progress=kill)
"""


def test_a_copy_that_is_killed_continues(tmp_path: Path) -> None:
    places = tmp_path / "source.db", tmp_path / "copy.db"
    with Collection.open(places[0], encoder=ENCODER) as source:
        source.upsert(rows())
    killed = subprocess.run([sys.executable, "-c", _KILLED, *map(str, places)], timeout=60)
    assert killed.returncode == -signal.SIGKILL
    with Collection.open(places[0]) as source, Collection.open(places[1]) as copy:
        assert copy.count() == 14
        report = copy_collection(source, copy)
        assert (report.copied, report.unchanged) == (16, 14)
        assert stored(copy) == stored(source)


def test_a_copy_that_is_not_equal_is_refused(source: Collection, tmp_path: Path) -> None:
    with Collection.open(tmp_path / "copy.db", encoder=ENCODER) as copy:
        copy_collection(source, copy)
        row = rows()[4]
        one_bit = np.nextafter(row.vector, np.float32(9), dtype=np.float32)
        copy.upsert([Row(row.id, row.paths, row.size, 30, 40, row.metadata, one_bit, row.sha256)])
        with pytest.raises(
            CollectionError, match=f"1 of 30 compared rows differ, such as {row.id}"
        ):
            copy_collection(source, copy)


def test_an_empty_collection_makes_an_empty_one(tmp_path: Path) -> None:
    with (
        Collection.open(tmp_path / "a.db", encoder=ENCODER) as source,
        Collection.open(tmp_path / "b.db", encoder=source.identity) as copy,
    ):
        report = copy_collection(source, copy)
        assert (report.found, report.compared, copy.count()) == (0, 0, 0)


def test_what_does_not_fit_is_refused(source: Collection, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="to itself"):
        copy_collection(source, source)
    if source.deployment == "lite":
        (tmp_path / "link.db").symlink_to(source.uri)
        with (
            Collection.open(tmp_path / "link.db") as same,
            pytest.raises(InputError, match="to itself"),
        ):
            copy_collection(source, same)
    other = EncoderIdentity("others", "fedcba9876543210", 8)
    with (
        Collection.open(tmp_path / "other.db", encoder=other) as copy,
        pytest.raises(EncoderMismatch, match="was made with the encoder others"),
    ):
        copy_collection(source, copy)
    assert source.count() == 30


def test_wrong_credentials_of_the_destination(source: Collection, milvus: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="refused the credentials") as caught:
        Collection.open(milvus, encoder=source.identity, token="root:s3cret")
    assert "s3cret" not in str(caught.value)
