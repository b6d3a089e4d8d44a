"""Indexing with a local Ray of two CPUs, against the ordinary run."""

from __future__ import annotations

import importlib
import io
import json
import logging
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ocelot.build import build_encoder
from ocelot.collection import Collection, EncoderIdentity
from ocelot.encoders.base import Encoder
from ocelot.errors import EncoderError
from ocelot.images.reading import read_picture
from ocelot.images.store import ImageStore
from ocelot.indexing import index_images
from ocelot.indexing.cluster import Cluster, list_sources
from ocelot.indexing.cluster.parts import LoadRun
from ocelot.maintenance.export import import_rows
from ocelot.settings import Settings
from tests.cli import conftest
from tests.indexing.pictures import HistogramEncoder, bomb, hash_file, picture
from tests.indexing.test_folders import tally

ray = pytest.importorskip("ray")
run_ocelot = conftest.ocelot  # a fixture


@pytest.fixture(scope="module", autouse=True)
def two_cpus() -> Iterator[None]:
    ray.init(
        "local", num_cpus=2, object_store_memory=80 * 2**20, include_dashboard=False,
        log_to_driver=False, logging_level="ERROR",
    )  # fmt: skip
    yield
    ray.shutdown()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """18 pictures of several formats, one of them twice; two files that cannot be used."""
    folder = tmp_path / "shop"
    for number in range(17):
        name, mode = (f"{number:02}.jpg", "RGB") if number % 2 else (f"{number:02}.png", "RGBA")
        picture(folder / ("sub" if number % 3 else "") / name, number, mode)
    (folder / "twice.png").write_bytes((folder / "00.png").read_bytes())
    (folder / "bad.png").write_bytes(b"junk")
    bomb(folder / "bomb.png")
    (folder / "metadata.csv").write_text("file_name,price\n00.png,5\nsub/01.jpg,50\nno.png,1\n")
    return folder


def opened(path: Path, encoder: Encoder) -> Collection:
    return Collection.open(path, encoder=EncoderIdentity.of(encoder))


def rows(collection: Collection) -> dict[str, Any]:
    """All rows with vectors by id."""
    return {row.id: row for row in collection.get([row.id for row in collection.iterate()])}


def failing() -> Encoder:
    raise EncoderError("This encoder cannot be loaded.")


def test_the_same_rows_as_on_one_machine(folder: Path, tmp_path: Path) -> None:
    """With the bundled encoder in fp32: batches of other sizes may change the last bits."""
    settings = Settings(precision="fp32", batch_size=8, device="cpu")
    encoder = build_encoder(settings)
    with opened(tmp_path / "one.db", encoder) as one, opened(tmp_path / "ray.db", encoder) as other:
        ordinary = index_images(folder, one, encoder)
        cluster = Cluster(partial(build_encoder, settings), tmp_path / "work", part_rows=8)
        done = cluster.index(list_sources([str(folder)]), other, encoder, ImageStore())
        assert tally(done.index) == tally(ordinary) == {"found": 20, "encoded": 17, "relocated": 1}
        assert done.index.metadata == ordinary.metadata
        assert done.index.remarks == ordinary.remarks
        assert set(done.index.failures) == set(ordinary.failures)
        expected, found = rows(one), rows(other)
        assert found == expected  # all but the vectors
        assert len(found[hash_file(folder / "00.png")].paths) == 2
        vectors = np.array([[expected[id].vector, found[id].vector] for id in expected])
        assert np.abs(vectors[:, 0] - vectors[:, 1]).max() < 1e-6
    report = [json.loads(line) for line in done.failures.read_text().splitlines()]
    assert {Path(line["file"]).name for line in report} == {"bad.png", "bomb.png"}

    table = pq.read_table(done.parts)  # what another program would read
    assert table.num_rows == 18
    assert table.column_names == ["id", "paths", "size", "width", "height", "vector", "$meta"]
    by_path = {next(iter(json.loads(row["paths"]))): row for row in table.to_pylist()}
    picked = by_path[str(folder / "00.png")]
    assert json.loads(picked["$meta"]) == {"price": 5, "sha256": picked["id"]}
    with opened(tmp_path / "imported.db", encoder) as imported:
        parts = [import_rows(part, imported) for part in done.parts.iterdir()]
        assert (sum(part.stored for part in parts), imported.count()) == (18, 17)


def test_what_is_encoded_is_never_encoded_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = HistogramEncoder()

    def run(collection: Collection, make: Any = HistogramEncoder, **options: Any) -> Any:
        cluster = Cluster(make, tmp_path / "work", part_rows=8)
        listing = list_sources([str(folder)])
        return cluster.index(listing, collection, encoder, ImageStore(), **options)

    (folder / "bad.png").unlink()
    (folder / "bomb.png").unlink()
    with opened(tmp_path / "test.db", encoder) as collection:
        with monkeypatch.context() as patched:
            patched.setattr(LoadRun, "load_parts", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                run(collection)
        assert collection.count() == 0
        done = run(collection, failing)  # so none is made
        assert (done.encoded, done.index.encoded) == (0, 17)
        assert tally(run(collection, failing).index) == {"found": 18, "unchanged": 18}

    # After a kill some parts are missing.
    removed = sorted(done.parts.glob("part-*"))[0]
    missing = pq.read_metadata(removed).num_rows
    removed.unlink()
    changed = picture(folder / "sub" / "04.png", 99, "RGBA")  # and a picture has changed
    with opened(tmp_path / "new.db", encoder) as collection:
        done = run(collection, prune=True)
        assert missing <= done.encoded <= missing + 1
        now = {path: row.id for row in rows(collection).values() for path in row.paths}
        assert now[str(changed)] == hash_file(changed)
        assert len(now) == 18
        changed.unlink()
        assert tally(run(collection, failing, prune=True).index)["removed"] == 1


def test_tars_and_tables(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = sorted(folder.rglob("*.png"))[:8]  # with bad.png and bomb.png
    with tarfile.open(tmp_path / "shop.tar", "w") as tar:
        odd = tarfile.TarInfo("\udcff.png")
        odd.size = 4
        tar.addfile(odd, io.BytesIO(b"data"))
        for number, file in enumerate(files):
            for suffix, data in ((".png", file.read_bytes()), (".json", b'{"n": %d}' % number)):
                member = tarfile.TarInfo(f"shop/{number}{suffix}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    cut = tmp_path / "cut.tar"
    cut.write_bytes((tmp_path / "shop.tar").read_bytes()[:6_000])
    cells = [{"bytes": file.read_bytes(), "path": None} for file in files]
    table = {"image": cells, "n": list(range(8))}
    pq.write_table(pa.table(table), tmp_path / "shop.parquet")
    links = [str(folder / "00.png"), "shop/twice.png", None, (folder / "06.png").as_uri()]
    pq.write_table(pa.table({"image": links}), tmp_path / "links.parquet")
    good = {hash_file(file): n for n, file in enumerate(files) if file.name not in BROKEN}

    encoder = HistogramEncoder()
    names = ("shop.tar", "cut.tar", "shop.parquet", "links.parquet")
    handler = logging.StreamHandler()  # not Ray's
    importlib.import_module("ray.data")  # sets up its log
    monkeypatch.setattr(logging.getLogger("ray.data"), "handlers", [handler])
    with opened(tmp_path / "test.db", encoder) as collection:
        listing = list_sources([str(tmp_path / name) for name in names])
        cluster = Cluster(HistogramEncoder, tmp_path / "work")
        done = cluster.index(listing, collection, encoder, ImageStore())
        assert handler.level == logging.NOTSET
        found = {row.id: row.metadata.get("n") for row in rows(collection).values()}
        assert {id: found[id] for id in good} == good
        assert tally(done.index)["encoded"] == len(found)
        failed = {Path(one.path).name: one.reason for one in done.index.failures}
        assert len(failed) == 8
        assert failed["shop.tar#\\udcff.png"] == "its name is not valid UTF-8; rename it"
        assert failed["cut.tar"] == "it is damaged, or not of the format of its name"
        assert failed["links.parquet#image=2"] == "the row has no picture"
        stored = rows(collection)
        assert all(read_picture(path).id == row.id for row in stored.values() for path in row.paths)
        for id in good:
            for place in ("/shop.tar#shop/", "/shop.parquet#image="):
                assert any(place in path for path in stored[id].paths)
        paths = {path for row in stored.values() for path in row.paths}
        assert {
            str(folder / "00.png"),
            str(folder / "twice.png"),
            (folder / "06.png").as_uri(),
        } < paths


BROKEN = {"bad.png", "bomb.png"}


def test_the_command(run_ocelot: conftest.Command, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    for number in range(3):
        picture(folder / f"{number}.png", number)
    (folder / "bad.png").write_bytes(b"junk")
    missing = run_ocelot("index", tmp_path / "none", "--engine=ray")
    assert (missing.code, list(Path().iterdir())) == (2, [])
    (tmp_path / "file").touch()
    blocked = run_ocelot("index", folder, "--engine=ray", "--work", tmp_path / "file")
    assert blocked.code == 2 and f"{tmp_path}/file cannot be written to (" in blocked.err
    done = run_ocelot("index", folder, "--engine", "ray", "--work", tmp_path / "vectors")
    assert done.code == 0, done.err
    assert "4 pictures found: 3 encoded" in done.out
    assert f"3 pictures encoded now; the vectors are in {tmp_path}/vectors/" in done.out
    assert "bad.png: it is not an image" in done.err
    assert f"{tmp_path}/vectors/failures.jsonl lists all" in done.err
    (folder / "bad.png").unlink()  # it is tried each time, and Ray is not needed without it
    again = json.loads(run_ocelot("index", folder, "--engine=ray", "--json").out)
    assert (again["unchanged"], again["encoded_now"], again["total"]) == (3, 0, 3)
    assert json.loads(run_ocelot("index", folder, "--json").out)["unchanged"] == 3


def test_an_encoder_that_cannot_be_loaded(tmp_path: Path) -> None:
    """The last one here: after a failure Ray needs some 20 seconds before the next run."""
    listing = list_sources([str(picture(tmp_path / "a.png"))])
    encoder = HistogramEncoder()
    with (
        opened(tmp_path / "test.db", encoder) as collection,
        pytest.raises(EncoderError, match=r"^This encoder cannot be loaded\.$"),
    ):
        Cluster(failing, tmp_path / "work").index(listing, collection, encoder, ImageStore())
