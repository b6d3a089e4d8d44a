"""Parquet files of collections: bit for bit there and back, and readable by others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pymilvus import DataType

from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.errors import EncoderMismatch, FilterError, InputError, StorageError
from ocelot.maintenance import export
from ocelot.maintenance.export import export_rows, identity_of, import_rows

ENCODER = EncoderIdentity("test", "0" * 64, 6, "torch bf16")


def rows(count: int) -> list[Row]:
    """Vectors need not have length 1; a third of the rows have ids of their own."""
    made = []
    for n in range(count):
        vector = np.random.default_rng(n).normal(size=6).astype(np.float32)
        metadata = {"price": n / 7, "tags": ["a", {"b": n}], "title": f"Kännchen {n} \U0001f98a"}
        content = f"{n:064x}"
        id = f"SKU-{n}" if n % 3 == 0 else content
        paths = {f"/shop/{n}.jpg": 10**18 + n, f"/copy/{n}.jpg": n}
        made.append(Row(id, paths, 10 + n, 3, 2, metadata, vector, content))
    return made


def state_of(collection: Collection) -> list[tuple]:
    return [(row, row.vector.tobytes()) for row in collection.iterate_whole()]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("source") / "shop.db"
    with Collection.open(path, encoder=ENCODER) as collection:
        collection.upsert(rows(1_100))
        yield collection


def test_there_and_back(source: Collection, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(export, "_GROUP_BYTES", 250 * 24)
    seen = []
    file = tmp_path / "new" / "shop.parquet"
    assert export_rows(source, file, progress=seen.append) == 1_100
    assert [(one.done, one.total) for one in seen][-1] == (1_100, 1_100)
    parquet = pq.ParquetFile(file)
    assert [parquet.metadata.row_group(n).num_rows for n in range(5)] == [250] * 4 + [100]
    assert identity_of(file) == ENCODER
    with Collection.open(tmp_path / "b.db", encoder=identity_of(file)) as target:
        seen.clear()
        report = import_rows(file, target, seen.append)
        assert (report.found, report.stored, report.failures) == (1_100, 1_100, ())
        assert [one.done for one in seen][-1] == 1_100
        assert state_of(target) == state_of(source)
        assert target.identity == source.identity
        query = np.ones(6, np.float32)
        found, expected = (c.search(query, limit=50) for c in (target, source))
        scores = [hit.score for hit in expected]
        np.testing.assert_allclose([hit.score for hit in found], scores, atol=1e-6)
        made = rows(1_100)
        matrix = np.stack([row.vector for row in made])
        cosines = matrix @ query / np.linalg.norm(matrix, axis=1) / np.linalg.norm(query)
        best = [made[place].id for place in np.argsort(-cosines)[:50]]
        assert [hit.id for hit in found] == best
        import_rows(file, target)  # again: nothing changes
        assert state_of(target) == state_of(source)


def test_other_programs_read_it(source: Collection, tmp_path: Path) -> None:
    export_rows(source, tmp_path / "a.parquet", filter="price < 1")
    frame = pd.read_parquet(tmp_path / "a.parquet")
    expected = sorted((row for row in rows(1_100) if row.metadata["price"] < 1), key=lambda r: r.id)
    assert frame["id"].tolist() == [row.id for row in expected] and len(frame) == 7
    np.testing.assert_array_equal(np.stack(frame["vector"]), [row.vector for row in expected])
    assert frame["vector"][0].dtype == np.float32
    assert frame["size"].tolist() == [row.size for row in expected]
    for text, paths, row in zip(frame["$meta"], frame["paths"], expected, strict=True):
        assert json.loads(text) == {**row.metadata, "sha256": row.sha256}
        assert json.loads(paths) == row.paths


def test_the_columns_are_those_of_milvus_bulk_import(source: Collection, tmp_path: Path) -> None:
    """As Milvus's own writer makes them for this schema, where its packages are installed."""
    export_rows(source, tmp_path / "a.parquet", filter="price == 0")
    ours = pq.read_table(tmp_path / "a.parquet")
    types = {
        name: str(kind) for name, kind in zip(ours.column_names, ours.schema.types, strict=True)
    }
    assert types == {
        "id": "string", "paths": "string", "size": "int64", "width": "int64", "height": "int64",
        "vector": "list<element: float>", "$meta": "string",
    }  # fmt: skip
    writers = pytest.importorskip("pymilvus.bulk_writer", exc_type=ImportError)
    described = source._client.describe_collection("ocelot")
    schema = source._client.create_schema(enable_dynamic_field=True)
    for field in described["fields"]:
        options = {"is_primary": True} if field.get("is_primary") else {}
        schema.add_field(field["name"], field["type"], **options, **field["params"])
    assert {field["type"] for field in described["fields"]} == {
        DataType.VARCHAR, DataType.JSON, DataType.INT64, DataType.FLOAT_VECTOR
    }  # fmt: skip
    (row,) = rows(1)
    entity = {"id": row.id, "paths": row.paths, "size": 10, "width": 3, "height": 2}
    parquet = writers.BulkFileType.PARQUET
    with writers.LocalBulkWriter(schema, str(tmp_path), file_type=parquet) as writer:
        writer.append_row({**entity, "vector": row.vector.tolist(), **row.metadata})
        writer.commit()
        ((theirs,),) = writer.batch_files
    theirs = pq.read_table(theirs)
    kinds = {field.name: str(field.type).replace("item", "element") for field in theirs.schema}
    assert kinds == types
    assert theirs["vector"].to_pylist() == ours["vector"].to_pylist()
    assert json.loads(theirs["paths"][0].as_py()) == json.loads(ours["paths"][0].as_py())


def test_bad_rows_are_named(source: Collection, tmp_path: Path) -> None:
    export_rows(source, tmp_path / "a.parquet", filter="price < 3")
    table = pq.read_table(tmp_path / "a.parquet")
    records = table.to_pylist()
    bad = {
        1: {"id": "a/b"},
        2: {"id": None},
        3: {"paths": "{}"},
        4: {"paths": "[1]"},
        5: {"paths": '{"/a": "b"}'},
        6: {"size": None},
        7: {"vector": [1.0, 2.0]},
        8: {"vector": None},
        9: {"vector": [float("nan")] * 6},
        10: {"vector": [0.0] * 6},
        11: {"$meta": "no json"},
        12: {"$meta": None},
        13: {"vector": [1.0, None, 1.0, 1.0, 1.0, 1.0]},
        14: {"vector": [3e38] * 6},  # its length is no float32
        15: {"vector": [1e-45] * 6},
        16: {"paths": '{"/a": 9223372036854775808}'},
        17: {"paths": '{"/\\ud800": 1}'},
        18: {"id": "a", "$meta": '{"sha256": "b\\r\\nc"}'},  # it becomes a header of HTTP
    }
    for number, change in bad.items():
        records[number - 1] |= change
    pq.write_table(pa.Table.from_pylist(records, table.schema), tmp_path / "b.parquet")
    with Collection.open(tmp_path / "b.db", encoder=ENCODER) as target:
        report = import_rows(tmp_path / "b.parquet", target)
        assert (report.found, report.stored) == (21, 3) and target.count() == 3
    names = [failure.path for failure in report.failures]
    assert names == [f"{tmp_path / 'b.parquet'} row {number}" for number in bad]
    assert all(failure.reason for failure in report.failures)


def test_what_is_refused(source: Collection, tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    export_rows(source, file, filter="price == 0")
    other = EncoderIdentity("other", "1" * 64, 6)
    with (
        Collection.open(tmp_path / "b.db", encoder=other) as target,
        pytest.raises(EncoderMismatch, match="other"),
    ):
        import_rows(file, target)
    table = pq.read_table(file)
    pq.write_table(table.drop_columns(["paths"]), tmp_path / "less.parquet")
    pq.write_table(table.replace_schema_metadata({}), tmp_path / "nobody.parquet")
    (tmp_path / "text.parquet").write_text("no")
    (tmp_path / "cut.parquet").write_bytes(file.read_bytes()[:200])
    for name in ("less", "nobody", "text", "cut", "none"):
        with pytest.raises(InputError, match=f"{name}.parquet"):
            identity_of(tmp_path / f"{name}.parquet")
    before = file.read_bytes()
    with pytest.raises(FilterError):
        export_rows(source, file, filter="price <")
    with pytest.raises(StorageError, match=r"a\.parquet"):
        export_rows(source, file / "a.parquet", filter="price == 0")
    assert file.read_bytes() == before
    whole = pq.ParquetFile(file).metadata.row_group(0).column(5)
    damaged = bytearray(before)
    start = whole.data_page_offset
    damaged[start : start + 30] = bytes(30)
    file.write_bytes(damaged)
    with (
        Collection.open(tmp_path / "c.db", encoder=ENCODER) as target,
        pytest.raises(InputError, match=r"a\.parquet is damaged"),
    ):
        import_rows(file, target)


def test_an_empty_collection(tmp_path: Path) -> None:
    with Collection.open(tmp_path / "a.db", encoder=ENCODER) as collection:
        assert export_rows(collection, tmp_path / "a.parquet") == 0
        assert import_rows(tmp_path / "a.parquet", collection).found == 0


def test_each_deployment_gives_back_what_it_got(open_collection, tmp_path: Path) -> None:
    with open_collection(encoder=ENCODER) as collection:
        collection.upsert(rows(300))
        assert export_rows(collection, tmp_path / "a.parquet") == 300
        before = state_of(collection)
        collection.delete([row.id for row, _ in before])
        assert import_rows(tmp_path / "a.parquet", collection).stored == 300
        assert state_of(collection) == before
        made = {row.id: row.vector.tobytes() for row in rows(300)}
        assert {row.id: vector for row, vector in before} == made


def test_text_that_is_none_is_damage(source: Collection, tmp_path: Path) -> None:
    export_rows(source, tmp_path / "a.parquet", filter="price == 0")
    table = pq.read_table(tmp_path / "a.parquet")
    broken = pa.array([b"\xff"], pa.binary()).view(pa.string())
    pq.write_table(table.set_column(0, "id", broken), tmp_path / "b.parquet")
    with (
        Collection.open(tmp_path / "b.db", encoder=ENCODER) as target,
        pytest.raises(InputError, match="is damaged"),
    ):
        import_rows(tmp_path / "b.parquet", target)
    strange = table.replace_schema_metadata({b"\xff": b"\xff"})
    pq.write_table(strange, tmp_path / "c.parquet")
    with pytest.raises(InputError, match="does not say which encoder"):
        identity_of(tmp_path / "c.parquet")
