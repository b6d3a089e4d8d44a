"""The collection on Milvus Lite and on a real server, against brute force in NumPy."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest

from ocelot.collection import Collection, EncoderIdentity, Row, clean_metadata
from ocelot.errors import (
    CollectionError,
    ConfigurationError,
    DatabaseUnavailable,
    EncoderMismatch,
    FilterError,
    InputError,
    MetadataError,
)
from tests.milvus_server import TOKEN

DIMENSION = 16
ENCODER = EncoderIdentity("test-encoder", "0123456789abcdef", DIMENSION)


def id_of(number):
    return hashlib.sha256(str(number).encode()).hexdigest()


def vectors(count, seed=0):
    drawn = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def rows(matrix):
    return [
        Row(
            id_of(n),
            {f"/pictures/{n}.jpg": 1_700_000_000_123_456_789 + n},
            1000 + n,
            30,
            40,
            {"price": n / 2, "n": n, "category": "Toys" if n % 3 else "Electronics"},
            vector,
        )
        for n, vector in enumerate(matrix)
    ]


@pytest.fixture(scope="module")
def filled(deployment):
    """An exact collection of 200 rows, and their vectors; only to be read."""
    matrix = vectors(200)
    with Collection.open(**deployment, name="filled", encoder=ENCODER, index="FLAT") as collection:
        collection.upsert(rows(matrix))
        yield collection, matrix


@pytest.fixture
def written(open_collection):
    """The same, to be changed."""
    collection = open_collection(encoder=ENCODER, index="FLAT")
    matrix = vectors(200)
    collection.upsert(rows(matrix))
    return collection, matrix


def nearest(matrix, query, keep, limit):
    scores = matrix @ query
    order = [n for n in np.argsort(-scores) if keep(n)][:limit]
    return [id_of(n) for n in order], scores[order]


@pytest.mark.parametrize(
    ("filter", "exclude", "keep"),
    [
        (None, (), lambda n: True),
        ('price < 30 and category == "Electronics"', (), lambda n: n < 60 and n % 3 == 0),
        (None, range(0, 50), lambda n: n >= 50),
        ("n in [1, 2, 3, 150]", (2,), lambda n: n in (1, 3, 150)),
    ],
)
def test_search_agrees_with_brute_force(filled, filter, exclude, keep):
    collection, matrix = filled
    query = vectors(1, seed=9)[0]
    hits = collection.search(
        query * 3, limit=12, filter=filter, exclude=[id_of(n) for n in exclude]
    )
    ids, scores = nearest(matrix, query, keep, 12)
    assert [hit.id for hit in hits] == ids
    np.testing.assert_allclose([hit.score for hit in hits], scores, atol=1e-4)
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))


def test_hits_carry_what_was_stored(filled):
    collection, matrix = filled
    (hit,) = collection.search(matrix[7], limit=1, with_vectors=True)
    assert (hit.id, hit.paths, hit.width, hit.height) == (id_of(7), ("/pictures/7.jpg",), 30, 40)
    assert hit.metadata == {"price": 3.5, "n": 7, "category": "Toys"}
    np.testing.assert_allclose(hit.vector, matrix[7], atol=1e-6)
    assert collection.search(matrix[7], limit=1)[0].vector is None


def test_min_score_leaves_out_worse_hits(filled):
    collection, matrix = filled
    hits = collection.search(matrix[7], limit=200, min_score=0.3)
    assert len(hits) == int((matrix @ matrix[7] >= 0.3).sum())


def test_rows_come_back_count_and_go(written):
    collection, matrix = written
    assert collection.count() == 200
    first, second = collection.get([id_of(5), "f" * 64, id_of(3)])
    assert first == rows(matrix)[5]
    assert second.id == id_of(3)
    np.testing.assert_allclose(first.vector, matrix[5], atol=1e-6)
    assert collection.known([id_of(5), "f" * 64]) == {id_of(5)}
    assert len(collection.delete([id_of(5), id_of(6), "f" * 64])) == 2
    assert collection.count() == 198
    assert [row.id for row in collection.iterate()] == sorted(
        id_of(n) for n in range(200) if n not in (5, 6)
    )


def test_upsert_replaces_the_whole_row(written):
    collection, matrix = written
    new = Row(id_of(1), {"/b.jpg": 5}, 9, metadata={"title": "new"}, vector=matrix[1])
    collection.upsert([new])
    assert collection.get([id_of(1)]) == (new,)
    assert collection.count() == 200
    assert collection.search(matrix[1], filter="n == 1") == ()


def test_rows_known_to_be_new_are_written_without_a_read(open_collection, monkeypatch):
    collection = open_collection(encoder=ENCODER)
    matrix = vectors(20)
    with monkeypatch.context() as patched:
        patched.setattr(collection, "_query", None)
        collection.upsert(rows(matrix), fresh=True)
    assert collection.get([id_of(n) for n in range(20)]) == tuple(rows(matrix))


def test_many_bytes_go_in_several_messages(open_collection, monkeypatch):
    collection = open_collection(encoder=ENCODER)
    matrix = vectors(10)
    sent = []
    inner = collection._client.upsert
    monkeypatch.setattr("ocelot.collection.rows._MESSAGE", 100_000)
    monkeypatch.setattr(
        collection._client,
        "upsert",
        lambda name, data, **options: sent.append(len(data)) or inner(name, data, **options),
    )
    long = [
        Row(row.id, row.paths, 1, metadata={"story": "x" * 30_000}, vector=row.vector)
        for row in rows(matrix)
    ]
    collection.upsert(long)
    assert sent == [4, 4, 2]
    assert collection.get([row.id for row in long]) == tuple(long)


def test_a_server_that_was_left_without_its_index_is_completed(milvus):
    """What is there when a process dies between making a collection and indexing it."""
    place = {"uri": milvus, "token": TOKEN, "name": "half_made"}
    matrix = vectors(50)
    with Collection.open(**place, encoder=ENCODER) as collection:
        collection.upsert(rows(matrix))
        client = collection._client
        client.release_collection("half_made")
        client.drop_index("half_made", "vector")
    with Collection.open(**place, create=False) as collection:
        assert [hit.id for hit in collection.search(matrix[7], limit=1)] == [id_of(7)]
        assert collection.describe().index == "AUTOINDEX"
        collection.drop()


def test_metadata_of_every_kind_survives(open_collection):
    given = {
        "text": "naïve \"quoted\" 'x' \\ \n 漢字 \x00",
        "big": 2**62,
        "yes": True,
        "list": ["a", 1, {"b": None}],
        "np": np.float32(0.5),
        "odd name": 1,
        "id": "B00X",
        "size": "XL",
        "nan": float("nan"),
        "none": None,
        "vast": 10**30,
        "bad\udc80": "\udc80",
    }
    collection = open_collection(encoder=ENCODER)
    vector = vectors(1)[0]
    collection.upsert([Row(id_of(0), {"/é\"'\\.jpg": 1}, 1, metadata=given, vector=vector)])
    (hit,) = collection.search(vector, filter="$meta['odd name'] == 1 and size_ == 'XL'")
    assert hit.metadata == {
        "text": given["text"],
        "big": 2**62,
        "yes": True,
        "list": ["a", 1, {"b": None}],
        "np": 0.5,
        "odd name": 1,
        "id_": "B00X",
        "size_": "XL",
        "vast": str(10**30),
        "bad?": "?",
    }


@pytest.mark.parametrize(
    "filter", ["price <", "price = 3", "foo(n)", "1", "n == 1; drop", "n < 3) or (n > 5", "'"]
)
def test_bad_filters_are_named(filled, filter):
    collection, matrix = filled
    with pytest.raises(FilterError) as caught:
        collection.search(matrix[0], filter=filter)
    assert repr(filter) in str(caught.value)
    assert "\n" not in str(caught.value) and not str(caught.value).endswith("?.")


def test_blank_filters_and_those_that_match_nothing(filled):
    collection, matrix = filled
    assert len(collection.search(matrix[0], filter="   ")) == 9
    assert collection.search(matrix[0], filter="n == 1000") == ()


def own(id, number, vector):
    return Row(id, {f"/own/{id}.jpg": 1}, 1, metadata={"n": number}, vector=vector,
               sha256=id_of(number))  # fmt: skip


def test_rows_with_own_ids(written):
    collection, matrix = written
    first, second, third = rows = [
        own("SKU-1", 7, matrix[7]), own("a.b:c@d+e=f_2", 7, matrix[7]), own("5", 999, matrix[5])
    ]  # fmt: skip
    collection.upsert(rows)
    assert collection.get(["5", "SKU-1", "none"]) == (third, first)
    (hit,) = collection.search(matrix[5], filter="n == 999")
    assert (hit.id, hit.sha256, hit.metadata) == ("5", id_of(999), {"n": 999})
    for metadata in (True, False):
        stored = {row.id: row for row in collection.iterate(metadata=metadata)}
        assert list(stored) == sorted([*(id_of(n) for n in range(200)), *(r.id for r in rows)])
        assert all(row.sha256 == stored[row.id].sha256 for row in rows)
    same = collection.with_content([id_of(7), id_of(9), "f" * 64])
    assert {row.id for row in same} == {id_of(7), id_of(9), "SKU-1", "a.b:c@d+e=f_2"}
    assert {path for row in same for path in row.paths} >= set(second.paths)
    # The id is free for other content, without what was said of the old one.
    collection.upsert([Row("5", {"/new.jpg": 2}, 1, vector=matrix[6])], fresh=False)
    (row,) = collection.get(["5"])
    assert (row.metadata, row.paths) == ({}, {"/new.jpg": 2})
    assert len(collection.delete(["5", "SKU-1", id_of(7)])) == 3
    assert [row.id for row in collection.with_content([id_of(7)])] == ["a.b:c@d+e=f_2"]


def test_excluded_contents_cost_no_hits(written):
    """More items with the excluded content than the search first leaves room for."""
    collection, matrix = written
    collection.upsert(own(f"copy-{n}", 7, matrix[7]) for n in range(50))
    ids, _ = nearest(matrix, matrix[7], lambda n: n != 7, 5)
    hits = collection.search(matrix[7], limit=5, exclude_content=[id_of(7)])
    assert [hit.id for hit in hits] == ids
    by_id = collection.search(matrix[7], limit=52, exclude=[id_of(7)])
    assert [hit.sha256 == id_of(7) for hit in by_id] == [True] * 50 + [False] * 2


@pytest.mark.parametrize("limit", [0, -1, 16_385])
def test_limits_are_checked(filled, limit):
    with pytest.raises(InputError, match="16,384"):
        filled[0].search(filled[1][0], limit=limit)


def test_a_sample_holds_some_rows(filled):
    collection, _ = filled
    stored = {row.id: row for row in rows(vectors(200))}
    for limit, count in ((7, 7), (1000, 200)):
        sample = collection.sample(limit)
        assert len({row.id for row in sample}) == count
        assert all(row.metadata == stored[row.id].metadata for row in sample)
        assert all(row.vector is None for row in sample)


def test_bad_vectors_and_ids_are_refused(filled):
    collection, matrix = filled
    for bad in (matrix[0][:3], matrix[0] * np.nan, matrix[0] * 0):
        with pytest.raises(InputError, match="vector"):
            collection.search(bad)
    for use in (collection.get, collection.known, collection.delete):
        for bad in ("x' or 1 == 1 or id == '", "", "a b", "-a", "é", "a" * 129, 5):
            with pytest.raises(InputError, match="id"):
                list(use([bad]))


def test_iterate_misses_none_of_many(open_collection):
    """More rows than one query of Milvus may return."""
    collection = open_collection(encoder=EncoderIdentity("tiny", "0", 2))
    ids = [id_of(n) for n in range(17_000)]
    vector = np.ones(2, np.float32)
    for start in range(0, len(ids), 1000):
        collection.upsert(
            Row(id, {f"/{id}.jpg": 1}, 1, vector=vector) for id in ids[start : start + 1000]
        )
    collection.flush()
    assert [row.id for row in collection.iterate(metadata=False)] == sorted(ids)
    assert collection.count() == len(ids)
    assert len(collection.known(ids[:2500])) == 2500


def test_identity_is_kept_and_guarded(open_collection):
    with pytest.raises(CollectionError, match="ocelot index"):
        open_collection(create=False)
    with pytest.raises(CollectionError, match="ocelot index"):
        open_collection()
    open_collection(encoder=ENCODER)
    assert open_collection(create=False).identity == ENCODER
    other = EncoderIdentity("another", "ffff", DIMENSION)
    with pytest.raises(EncoderMismatch, match=r"test-encoder.*another"):
        open_collection(encoder=other)


def test_index_types_find_all_rows_that_a_filter_leaves(open_collection):
    matrix = vectors(300)
    collection = open_collection(encoder=ENCODER, index="FLAT")
    collection.upsert(rows(matrix))
    collection.flush()
    for index in ("HNSW", "IVF_FLAT"):
        collection = open_collection(index=index)
        info = collection.describe()
        assert (info.index, info.metric) == (index, "COSINE")
        assert (info.count, info.encoder) == (300, ENCODER)
        hits = collection.search(matrix[0], limit=20, filter="n >= 290")
        assert {hit.id for hit in hits} == {id_of(n) for n in range(290, 300)}
        assert open_collection(index="FLAT", create=False).describe().index == index


def test_an_index_that_is_not_there_is_named_and_leaves_nothing(open_collection):
    with pytest.raises(ConfigurationError, match=r"NOPE.*FLAT, HNSW"):
        open_collection(encoder=ENCODER, index="nope")
    with pytest.raises(CollectionError, match="ocelot index"):
        open_collection(create=False)


def test_closed_and_dropped(written, open_collection):
    collection, _ = written
    collection.drop()
    with pytest.raises(CollectionError, match="closed"):
        collection.count()
    with pytest.raises(CollectionError, match="ocelot index"):
        open_collection(create=False)


def test_wrong_tokens_are_refused_and_never_told(milvus, capfd):
    with pytest.raises(DatabaseUnavailable, match="token") as caught:
        Collection.open(milvus, token="root:hunter2")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(DatabaseUnavailable) as caught:
        Collection.open(milvus.replace("//", "//root:hunter2@"))
    assert "hunter2" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_nobody_at_the_address(capfd):
    with pytest.raises(DatabaseUnavailable, match="does not answer"):
        Collection.open("http://127.0.0.1:1", timeout=3)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("password", ["a@SECRET", "SECRET/b", "SECRET#c", "@/SECRET"])
def test_addresses_are_shown_without_passwords(password):
    with pytest.raises(CollectionError, match=r"http://127\.0\.0\.1:99999 ") as raised:
        Collection.open(f"http://root:{password}@127.0.0.1:99999", timeout=3)
    assert "SECRET" not in str(raised.value)


def test_local_paths_are_no_addresses(tmp_path):
    path = f"{tmp_path}//a@b.db"
    Collection.open(path, encoder=ENCODER).close()
    assert (tmp_path / "a@b.db").is_dir()


@pytest.mark.parametrize("uri", ["pictures", "ftp://host", ""])
def test_addresses_of_no_kind(uri):
    with pytest.raises(ConfigurationError, match=r"\.db"):
        Collection.open(uri)


def test_bad_names_and_levels(tmp_path):
    with pytest.raises(ConfigurationError, match="a b"):
        Collection.open(tmp_path / "x.db", name="a b")
    with pytest.raises(ConfigurationError, match="Strong"):
        Collection.open(tmp_path / "x.db", consistency="strict")


def test_readers_make_no_folder(tmp_path):
    with pytest.raises(CollectionError, match="ocelot index"):
        Collection.open(tmp_path / "no" / "x.db", create=False)
    assert not (tmp_path / "no").exists()


def test_paths_that_cannot_be_a_database(tmp_path, capfd):
    (tmp_path / "file.db").write_text("not a database")
    with pytest.raises(DatabaseUnavailable, match="is a file, and this version"):
        Collection.open(tmp_path / "file.db", encoder=ENCODER)
    with pytest.raises(DatabaseUnavailable, match="cannot be made"):
        Collection.open(tmp_path / "file.db" / "x.db", encoder=ENCODER)
    assert capfd.readouterr().err == ""


def test_damaged_files_are_named(tmp_path):
    with Collection.open(tmp_path / "x.db", encoder=ENCODER):
        pass
    (damaged,) = (tmp_path / "x.db").rglob("schema.json")
    damaged.write_text("{")
    with pytest.raises(CollectionError, match=r"x\.db"):
        Collection.open(tmp_path / "x.db", create=False)


OPEN = """
import sys
from ocelot.collection import Collection
from ocelot.errors import DatabaseUnavailable
try:
    print(Collection.open(sys.argv[1], create=False).count())
except DatabaseUnavailable as error:
    print(error)
"""


def run_open(path):
    return subprocess.run(
        [sys.executable, "-c", OPEN, str(path)], capture_output=True, text=True, check=True
    )


def test_a_second_process_is_told_who_holds_the_file(tmp_path):
    path = tmp_path / "x.db"
    with Collection.open(path, encoder=ENCODER) as collection:
        collection.upsert(rows(vectors(3)))
        with Collection.open(path, create=False) as again:  # the same process may
            assert again.count() == 3
        refused = run_open(path)
        assert "in use by another process" in refused.stdout
        assert refused.stderr == ""
        assert collection.count() == 3
    assert run_open(path).stdout.strip() == "3"


MANY_WRITERS = """
import hashlib, sys, threading
import numpy as np
from ocelot.collection import Collection, EncoderIdentity, Row

collection = Collection.open(sys.argv[1], encoder=EncoderIdentity("test", "0" * 64, 4))
lock = threading.Lock()

def write(first):
    for number in range(first, first + 10_000):
        id = hashlib.sha256(str(number).encode()).hexdigest()
        vector = np.ones(4, np.float32)
        collection.upsert([Row(id, {f"/{number}": 1}, 1, 1, 1, {"n": number}, vector)])
        with lock:
            print(id, flush=True)

threads = [threading.Thread(target=write, args=[first]) for first in range(0, 80_000, 10_000)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_rows_of_many_writers_outlive_a_kill(tmp_path):
    """Lite itself tears its log apart when two of its threads write at once."""
    acknowledged = []
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", MANY_WRITERS, str(tmp_path / "test.db")],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            acknowledged += [process.stdout.readline().strip() for _ in range(250)]
            process.kill()
            acknowledged += [line.strip() for line in process.stdout if len(line) == 65]
        with Collection.open(tmp_path / "test.db", create=False) as collection:
            assert set(acknowledged) - collection.known(acknowledged) == set()


def test_rows_are_checked_one_by_one():
    with pytest.raises(InputError, match="'a/b'"):
        Row("a/b", {"/a": 1}, 1)
    with pytest.raises(InputError, match="another picture"):
        Row(id_of(0), {"/a": 1}, 1, sha256=id_of(1))
    assert Row("a.b_c:d@e+f=g-1", {"/a": 1}, 1, sha256=id_of(1)).sha256 == id_of(1)
    with pytest.raises(InputError, match="no path"):
        Row(id_of(0), {}, 1)
    with pytest.raises(InputError, match="copies"):
        Row(id_of(0), {f"/a/long/enough/path/{n}.jpg": n for n in range(3000)}, 1)
    assert Row(id_of(0), {"/" + "\U0001f600" * 15_000: 1}, 1)  # 4 bytes each
    with pytest.raises(InputError, match="copies"):
        Row(id_of(0), {"/" + "\U0001f600" * 16_500: 1}, 1)
    with pytest.raises(MetadataError, match="'story'"):
        Row(id_of(0), {"/a": 1}, 1, metadata={"story": "\0" * 11_000})
    with pytest.raises(MetadataError, match="'story'"):
        Row(id_of(0), {"/a": 1}, 1, metadata={"n": 1, "story": "x" * 70_000})
    with pytest.raises(MetadataError, match=r"'blob'.*bytes"):
        clean_metadata({"blob": b"x"})


@pytest.mark.parametrize("metadata", [{1: 2, "1": 3}, {"box": {1: 2, "1": 3}}, {1.5: 1, "1.5": 1}])
def test_names_that_become_the_same_are_refused(metadata):
    with pytest.raises(MetadataError, match=r"two fields with the name '1"):
        clean_metadata(metadata)
    assert clean_metadata({1: None, "1": 3}) == {"1": 3}


def test_what_was_stored_is_not_checked_again(written, monkeypatch):
    collection, matrix = written
    monkeypatch.setattr("ocelot.collection.rows.clean_metadata", None)
    assert collection.search(matrix[3], limit=1)[0].metadata == {
        "price": 1.5, "n": 3, "category": "Electronics",
    }  # fmt: skip
    assert next(collection.iterate()).sha256
    with pytest.raises(TypeError):
        Row(id_of(1), {"/a": 1}, 1)


def test_reserved_names_step_aside_without_overwriting():
    cleaned = clean_metadata({"id": 1, "id_": 2, "vector": 3})
    assert cleaned == {"id__": 1, "id_": 2, "vector_": 3}
    assert json.loads(json.dumps(cleaned)) == cleaned


def test_missing_values_of_pandas_are_left_out():
    given = {"a": pandas.NA, "b": pandas.NaT, "c": float("nan"), "d": pandas.Timestamp(2024, 1, 2)}
    assert clean_metadata(given) == {"d": "2024-01-02T00:00:00"}


LOGGERS = """
import logging, sys
import ocelot.build, ocelot.collection, ocelot.service
import pymilvus

names = ("pymilvus", "pymilvus.milvus_client", "milvus_lite")
levels = lambda: [logging.getLogger(name).level for name in names]
print("pymilvus" in sys.modules, levels())
collection = ocelot.collection.Collection.open(
    sys.argv[1], encoder=ocelot.collection.EncoderIdentity("test", "0" * 64, 4)
)
try:
    collection.count("price <")
except ocelot.errors.FilterError:
    pass
print(levels())
collection.close()
"""


def test_the_loggers_of_milvus_are_left_as_they_are(tmp_path):
    plain = subprocess.run(
        [sys.executable, "-c", "import logging, pymilvus, milvus_lite\n"
         "print([logging.getLogger(n).level for n in "
         "('pymilvus', 'pymilvus.milvus_client', 'milvus_lite')])"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    ours = subprocess.run(
        [sys.executable, "-c", LOGGERS, str(tmp_path / "x.db")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ours.stdout.splitlines() == [f"True {plain.stdout.strip()}", plain.stdout.strip()]
    assert ours.stderr == ""  # the error was raised, not printed as well


def test_the_repr_shows_no_secret(tmp_path):
    path = Path(os.fspath(tmp_path)) / "x.db"
    with Collection.open(path, encoder=ENCODER, token="hunter2") as collection:
        assert "hunter2" not in repr(collection) + repr(vars(collection))
