"""A collection compared with its files and its encoder, and mended."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ocelot.collection import Collection, EncoderIdentity
from ocelot.engine import Engine
from ocelot.errors import EncoderMismatch, InputError
from ocelot.images.store import ImageStore
from ocelot.maintenance.mend import mend
from ocelot.maintenance.verify import Finding, Verification, verify
from tests.indexing.pictures import HistogramEncoder, hash_file, picture


@pytest.fixture
def engine(tmp_path: Path):
    """20 pictures of two folders."""
    for number in range(20):
        picture(tmp_path / "shop" / "ab"[number % 2] / f"{number}.png", number)
    encoder = HistogramEncoder()
    collection = Collection.open(tmp_path / "a.db", encoder=encoder.identity)
    with Engine(encoder, collection, images=ImageStore(uploads=tmp_path / "uploads")) as engine:
        engine.index(tmp_path / "shop")
        yield engine


def parts(engine: Engine) -> tuple:
    return engine.collection, engine.encoder, engine.images


def found(engine: Engine, *paths: Path, **options: object) -> dict[str, set[str]]:
    """The names of the files that are not as they should be, by what they are."""
    report = verify(*parts(engine), paths or None, **options)
    kinds: dict[str, set[str]] = {}
    for finding in report.findings:
        kinds.setdefault(finding.kind, set()).add(Path(finding.path).name)
    return kinds


def mended(engine: Engine, *paths: Path, **options: object):
    return mend(verify(*parts(engine), paths or None), *parts(engine), **options)


def test_all_is_well(engine: Engine, tmp_path: Path) -> None:
    engine.add((tmp_path / "shop/a/0.png").read_bytes() + b"an upload")
    seen = []
    report = verify(*parts(engine), progress=seen.append, full=True)
    assert (report.rows, report.files, report.lost, report.findings) == (21, 21, 0, ())
    assert report.compared == 21 and report.difference < 1e-6 and report.cosine > 1 - 1e-6
    assert [one.done for one in seen] == list(range(1, 22))
    report = verify(*parts(engine), tmp_path / "shop", sample=7)
    assert (report.rows, report.files, report.compared) == (20, 20, 7)
    only = verify(*parts(engine), [tmp_path / "shop/a", tmp_path / "shop/b/1.png"], sample=0)
    assert (only.rows, only.files, only.compared, only.cosine) == (11, 11, 0, 1.0)


def test_files_and_rows_that_lack_each_other(engine: Engine, tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    (shop / "a/0.png").unlink()
    picture(shop / "b/new.png", 100)
    (shop / "a/notes.txt").write_text("no picture")
    picture(shop / "a/.hidden.png", 101)
    picture(shop / "c/below.png", 102)
    picture(shop / "b/1.png", 103)  # changed
    shutil.copy(shop / "a/2.png", shop / "b/copy.png")
    os.utime(shop / "a/4.png", ns=(1, 1))  # only touched
    (shop / "a/6.png").rename(shop / "b/renamed.png")
    wrong = {"gone": {"0.png", "6.png"}, "changed": {"1.png"}}
    beside = {"new.png", "copy.png", "renamed.png"}
    assert found(engine) == wrong | {"unindexed": beside}
    assert found(engine, shop) == wrong | {"unindexed": {*beside, "below.png"}}
    report = verify(*parts(engine))
    assert report.lost == 3 and report.files == 23
    assert {one.id for one in report.of("gone")} < {item.id for item in engine.items()}
    embedded = engine.encoder.embedded
    done = mended(engine)
    assert (done.encoded, done.relocated, done.removed, done.failures) == (2, 2, 2, ())
    assert engine.encoder.embedded - embedded == 17 + 2  # the sample, and what is new
    assert found(engine) == {}
    assert found(engine, shop) == {"unindexed": {"below.png"}}
    assert mended(engine, shop).encoded == 1 and found(engine, shop) == {}
    files = [file for file in shop.rglob("*.png") if not file.name.startswith(".")]
    assert {item.id for item in engine.items()} == {hash_file(file) for file in files}
    assert sorted(path for item in engine.items() for path in item.paths) == sorted(map(str, files))


def test_a_disk_that_is_not_mounted(engine: Engine, tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shop.rename(tmp_path / "elsewhere")
    names = {f"{number}.png" for number in range(20)}
    assert found(engine) == {"away": names}
    assert mended(engine).removed == 0 and engine.count() == 20
    shop.mkdir()  # the empty place where it is mounted
    assert mended(engine, shop).removed == 0 and engine.count() == 20
    for folder in "ab":
        (shop / folder).mkdir()
    assert found(engine, shop) == {"away": names}
    assert mended(engine, shop).removed == 0 and engine.count() == 20
    shutil.rmtree(shop)
    (tmp_path / "elsewhere").rename(shop)
    assert found(engine) == {}
    shutil.rmtree(shop / "a")
    assert mended(engine).removed == 0 and engine.count() == 20
    done = mended(engine, prune_missing=True)
    assert (done.removed, done.dropped) == (10, 10)
    assert {Path(item.path).parent.name for item in engine.items()} == {"b"}


def test_damaged_and_unreadable_files(engine: Engine, tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    status = (shop / "a/0.png").stat()
    data = bytearray((shop / "a/0.png").read_bytes())
    data[-20] ^= 1
    (shop / "a/0.png").write_bytes(data)
    os.utime(shop / "a/0.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    (shop / "a/2.png").unlink()
    (shop / "a/2.png").mkdir()
    (shop / "b/broken.png").write_bytes(b"no picture")
    wrong = {"unreadable": {"2.png"}, "unindexed": {"broken.png"}}
    assert found(engine, sample=0) == wrong
    assert found(engine, full=True) == wrong | {"damaged": {"0.png"}}
    everything = verify(*parts(engine), full=True)
    done = mend(everything, *parts(engine))
    assert (done.encoded, done.removed) == (0, 0)
    assert [Path(failure.path).name for failure in done.failures] == ["broken.png"]
    assert found(engine, full=True) == wrong | {"damaged": {"0.png"}}  # they need a copy


def test_items_with_ids_of_their_own(engine: Engine, tmp_path: Path) -> None:
    """A changed file replaces the content of its item, which keeps its id and its metadata."""
    for number in (40, 41):
        file = picture(tmp_path / "own" / f"{number}.png", number)
        engine.add(file, id=f"SKU-{number}", metadata={"price": number})
    picture(tmp_path / "own/40.png", 50)
    (tmp_path / "own/41.png").write_bytes(b"no picture")
    assert found(engine) == {"changed": {"40.png", "41.png"}}
    done = mended(engine)
    assert (done.encoded, done.dropped, done.removed) == (1, 0, 0)
    assert [failure.path for failure in done.failures] == [str(tmp_path / "own/41.png")]
    item = engine.get("SKU-40")
    assert item.sha256 == hash_file(tmp_path / "own/40.png") and item.metadata == {"price": 40}
    assert found(engine) == {"changed": {"41.png"}} and engine.count() == 22


def test_wrong_vectors_are_found_and_replaced(engine: Engine) -> None:
    rows = list(engine.collection.iterate_whole())
    slightly = rows[0].vector + np.float32(1e-3)
    engine.collection.upsert([replace(rows[0], vector=slightly)])
    report = verify(*parts(engine))
    assert report.findings == () and 1e-4 < report.difference < 2e-3
    for row in rows[5:8]:
        engine.collection.upsert([replace(row, vector=-row.vector)])
    report = verify(*parts(engine), sample=4)  # one of them: row 5
    (finding,) = report.findings
    assert (finding.kind, finding.id) == ("vector", rows[5].id) and "-1.000" in finding.reason
    assert report.cosine == pytest.approx(-1) and report.compared == 4
    assert mend(report, *parts(engine)).vectors == 3
    assert verify(*parts(engine)).findings == ()
    for row in engine.collection.get([row.id for row in rows[5:8]]):
        (before,) = (one for one in rows if one.id == row.id)
        np.testing.assert_allclose(row.vector, before.vector, atol=1e-6)


def test_what_is_refused(engine: Engine, tmp_path: Path) -> None:
    other = HistogramEncoder()
    other.fingerprint = "histogram-2"
    with pytest.raises(EncoderMismatch):
        verify(engine.collection, other, engine.images)
    with pytest.raises(InputError, match="nowhere"):
        verify(*parts(engine), tmp_path / "nowhere")
    with pytest.raises(InputError, match="sample"):
        verify(*parts(engine), sample=-1)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read all")
def test_files_without_permission(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "shop/a/0.png").chmod(0)
    assert found(engine) == {"unreadable": {"0.png"}}


def test_an_empty_collection(tmp_path: Path) -> None:
    encoder = HistogramEncoder()
    with Collection.open(tmp_path / "a.db", encoder=EncoderIdentity.of(encoder)) as collection:
        images = ImageStore(uploads=tmp_path / "uploads")
        report = verify(collection, encoder, images)
        assert report == Verification(0, 0, 0, (), 0, 0.0, 1.0)
        picture(tmp_path / "shop/1.png", 1)
        report = verify(collection, encoder, images, tmp_path / "shop")
        assert report.findings == (Finding("unindexed", str(tmp_path / "shop/1.png")),)
        assert mend(report, collection, encoder, images).encoded == 1
        assert verify(collection, encoder, images).findings == ()
