"""Collections as the notebook of Milvus's tutorial makes them, taken over without encoding."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from pymilvus import DataType, MilvusClient

import ocelot
from ocelot.collection.foreign import ForeignCollection
from ocelot.encoders import VisualizedBGE
from ocelot.types import Input
from tests.milvus_server import TOKEN
from tests.shop import write_shop

NAME = "multimodal_rag_demo"


@pytest.fixture(scope="module")
def encoder():
    return VisualizedBGE.load("ocelot-tiny")


@pytest.fixture(scope="module")
def shop(tmp_path_factory, encoder):
    """A folder of pictures, and (path, vector) of each as the tutorial has them."""
    folder = write_shop(tmp_path_factory.mktemp("shop"), 12)
    paths = sorted((folder / "images").iterdir())
    vectors = encoder.encode([Input(path) for path in paths])
    return folder, [(f"./images/{path.name}", v) for path, v in zip(paths, vectors, strict=True)]


def tutorial(uri, rows, token="", times=1):
    """The tutorial's own calls; run again, they store everything again."""
    client = MilvusClient(uri=str(uri), token=token)
    if client.has_collection(NAME):
        client.drop_collection(NAME)
    client.create_collection(
        collection_name=NAME, auto_id=True, dimension=len(rows[0][1]), enable_dynamic_field=True
    )
    for _ in range(times):
        client.insert(
            collection_name=NAME,
            data=[{"image_path": path, "vector": vector.tolist()} for path, vector in rows],
        )
    client.close()


@pytest.fixture
def counted(encoder, monkeypatch):
    """How many pictures are encoded."""
    seen = []
    embed = type(encoder).embed
    monkeypatch.setattr(
        type(encoder), "embed", lambda self, batch: seen.extend(batch) or embed(self, batch)
    )
    return seen


def test_the_vectors_are_taken_over(tmp_path, shop, encoder, counted):
    folder, rows = shop
    place = tmp_path / "milvus_demo.db"
    tutorial(place, rows, times=2)
    with ocelot.open(tmp_path / "shop.db", encoder=encoder, reranker=None) as engine:
        report = engine.adopt(place, collection=NAME, root=folder)
        assert (report.found, report.adopted, report.duplicates) == (24, 12, 12)
        assert not report.failures
        assert len(counted) == 8  # those compared
        for path, vector in rows:
            (row,) = engine.collection.get(ocelot.ImageFile.of(folder / path).id)
            np.testing.assert_allclose(row.vector, vector, atol=1e-5)
            assert list(row.paths) == [str((folder / path).absolute())]
            assert (row.width, row.height) == ocelot.ImageFile.of(folder / path).rgb().size
        (hit,) = engine.search(image=folder / rows[3][0], keep_reference=True, limit=1)
        assert hit.path.endswith(rows[3][0][1:]) and hit.score > 0.999
        # What was taken over is known to be indexed, and taking it over again changes nothing.
        assert engine.index(folder / "images", metadata=folder / "metadata.csv").encoded == 0
        again = engine.adopt(place, collection=NAME, root=folder)
        assert (again.adopted, again.duplicates, engine.count()) == (0, 24, 12)
        assert next(engine.items()).metadata["price"]  # added since


def test_a_server_and_other_fields(tmp_path, shop, encoder, milvus):
    """Unnormalised vectors, an own primary key, another name of the path, more fields."""
    folder, rows = shop
    client = MilvusClient(uri=milvus, token=TOKEN)
    schema = client.create_schema(auto_id=False, enable_dynamic_field=True)
    schema.add_field("sku", DataType.VARCHAR, is_primary=True, max_length=50)
    schema.add_field("file", DataType.VARCHAR, max_length=200)
    schema.add_field("emb", DataType.FLOAT_VECTOR, dim=encoder.dimension)
    index = client.prepare_index_params()
    index.add_index("emb", index_type="FLAT", metric_type="IP")
    client.create_collection("others", schema=schema, index_params=index)
    client.insert(
        "others",
        [
            {"sku": f"é-{n}", "file": str(folder / path), "emb": (3 * v).tolist(), "size": n}
            for n, (path, v) in enumerate(rows)
        ],
    )
    client.close()
    with ocelot.open(tmp_path / "shop.db", encoder=encoder, reranker=None) as engine:
        options = {"token": TOKEN, "collection": "others", "path_field": "file"}
        report = engine.adopt(milvus, **options)
        assert (report.adopted, report.failures) == (12, ())
        (item,) = engine.items(filter="size_ == 5")
        assert item.metadata == {"sku": "é-5", "size_": 5}
        (row,) = engine.collection.get(item.id)
        np.testing.assert_allclose(row.vector, rows[5][1], atol=1e-5)


def test_files_that_are_missing_or_damaged_are_left_out(tmp_path, shop, encoder):
    folder, rows = shop
    shutil.copytree(folder / "images", tmp_path / "images")
    copy, gone, bad = (tmp_path / path for path, _ in rows[:3])
    gone.unlink()
    bad.write_bytes(b"no picture")
    shutil.copy(copy, tmp_path / "images" / "copy.jpg")
    tutorial(tmp_path / "m.db", [*rows, ("images/copy.jpg", rows[0][1]), ("", rows[0][1])])
    with ocelot.open(tmp_path / "shop.db", encoder=encoder, reranker=None) as engine:
        report = engine.adopt(tmp_path / "m.db", collection=NAME, root=tmp_path)
        assert (report.adopted, report.duplicates, engine.count()) == (10, 1, 10)
        assert [Path(failure.path).name for failure in report.failures] == [
            gone.name, bad.name, "row 14",
        ]  # fmt: skip
        assert "no such file" in report.failures[0].reason
        assert len(engine.get(ocelot.ImageFile.of(copy).id).paths) == 2


def test_vectors_of_another_encoder_change_nothing(tmp_path, shop, encoder):
    folder, rows = shop
    others = np.random.default_rng(0).normal(size=(12, encoder.dimension))
    mixed = [(path, v) for (path, _), v in zip(rows, others, strict=True)]
    with ocelot.open(tmp_path / "shop.db", encoder=encoder, reranker=None) as engine:
        for name, wrong, said in (
            ("a", mixed, "Nothing was changed"),
            ("b", [(path, v[:9]) for path, v in rows], "has vectors of 9 dimensions"),
        ):
            tutorial(tmp_path / f"{name}.db", wrong)
            with pytest.raises(ocelot.EncoderMismatch, match=said):
                engine.adopt(tmp_path / f"{name}.db", collection=NAME, root=folder)
        tutorial(tmp_path / "c.db", rows)
        for error, said, options in (
            (ocelot.InputError, "no file .*images", {"root": tmp_path}),
            (ocelot.InputError, "no row has a path in the field 'file'", {"path_field": "file"}),
            (
                ocelot.CollectionNotFound,
                f"no collection 'x' .*there are: {NAME}",
                {"collection": "x"},
            ),
        ):
            with pytest.raises(error, match=said):
                engine.adopt(tmp_path / "c.db", **({"collection": NAME} | options))
        with pytest.raises(ocelot.InputError, match="no database"):
            engine.adopt(tmp_path / "none.db", collection=NAME)
        assert engine.count() == 0


def test_many_rows_are_read_each_once(tmp_path, monkeypatch):
    monkeypatch.setattr("ocelot.collection.foreign.MAX_RESULTS", 40)
    tutorial(tmp_path / "m.db", [(f"{n}.jpg", np.ones(4) * n) for n in range(1_001)])
    with ForeignCollection.open(tmp_path / "m.db", NAME) as source:
        found = [(row.path, row.vector[0]) for row in source.rows()]
        assert source.count == 1_001
    assert found == [(f"{n}.jpg", n) for n in range(1_001)]
