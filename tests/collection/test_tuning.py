"""Recall as `ocelot tune` measures it, against brute force; search parameters that are kept."""

from __future__ import annotations

import hashlib
from functools import partial

import numpy as np
import pytest

from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.collection.indexes import names, search_params, steps
from ocelot.collection.tuning import Measured, best_of, draw_trial, exact, measure, measure_copies
from ocelot.errors import ConfigurationError, InputError
from tests.milvus_server import TOKEN

DIMENSION = 32
ENCODER = EncoderIdentity("test-encoder", "0123456789abcdef", DIMENSION)
ROWS = 1_500


def quiet(text):
    pass


def id_of(number):
    return hashlib.sha256(str(number).encode()).hexdigest()


def drawn(count):
    vectors = np.random.default_rng(5).normal(size=(count, DIMENSION)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def fill(collection, matrix, flush=True):
    collection.upsert(
        (Row(id_of(n), {f"/{n}.jpg": 1}, 1, vector=vector) for n, vector in enumerate(matrix)),
        fresh=True,
    )
    if flush:
        collection.flush()


def recall_of(collection, matrix, trial):
    """Written without anything of the measured code: float64, sorted whole."""
    numbers = {id_of(n): n for n in range(len(matrix))}
    found = 0
    for query, skipped in zip(trial.queries, trial.left_out, strict=True):
        scores = matrix.astype(np.float64) @ query.astype(np.float64)
        scores[[numbers[id] for id in skipped]] = -2
        nearest = {id_of(n) for n in np.argsort(-scores)[:9]}
        hits = collection.search(query, limit=9, exclude=skipped)
        assert not skipped & {hit.id for hit in hits}
        found += len(nearest & {hit.id for hit in hits})
    return found / (9 * len(trial.queries))


def test_measured_recall_is_that_of_brute_force_and_the_choice_is_kept(open_collection):
    matrix = drawn(ROWS)
    collection = open_collection(encoder=ENCODER, index="FLAT")
    fill(collection, matrix)
    # With few lists it misses much. A server's strong consistency would only take time here.
    collection = open_collection(index="IVF_FLAT", consistency="Eventually")
    assert collection.unindexed() == 0
    trial = draw_trial(collection, 6, quiet)
    assert (len(trial.queries), trial.rows) == (6, ROWS)
    measured = measure(collection, trial, quiet)
    assert [one.params for one in measured] == list(steps("IVF_FLAT", collection.deployment))
    for one in measured[:3] + measured[-1:]:
        collection.search_params = one.params
        assert one.recall == pytest.approx(recall_of(collection, matrix, trial))
        assert 0 < one.p50 <= one.p95
        assert one.memory == ROWS * (4 * DIMENSION + 8)
    assert measured[0].recall < 0.5 < 0.999 < measured[-1].recall

    collection.keep_search_params(measured[0].params)
    again = open_collection(create=False, consistency="Eventually")
    assert again.search_params == {"nprobe": 1}
    assert recall_of(again, matrix, trial) == pytest.approx(measured[0].recall)
    assert open_collection(index="HNSW").search_params == {}


def test_an_index_that_a_server_lacks_leaves_the_old_one(milvus):
    place = {"uri": milvus, "token": TOKEN, "name": "lacking"}
    matrix = drawn(100)
    with Collection.open(
        **place, encoder=ENCODER, index="HNSW", index_params={"M": 12}
    ) as collection:
        fill(collection, matrix, flush=False)
        assert collection.unindexed() == 100
        with pytest.raises(ConfigurationError, match=r"IVF_RABITQ.*another one: FLAT"):
            Collection.open(**place, index="IVF_RABITQ")
        assert collection.search(matrix[3], limit=1)[0].id == id_of(3)
        built = collection._client.describe_index("lacking", "vector")
        assert (built["index_type"], built["M"]) == ("HNSW", "12")
        collection.drop()


@pytest.fixture
def local(tmp_path):
    """A local collection of 200 rows, and what opens others beside it."""
    with Collection.open(tmp_path / "a.db", encoder=ENCODER) as collection:
        fill(collection, drawn(200))
        yield (
            collection,
            lambda encoder=None, **options: Collection.open(
                tmp_path / "a.db", encoder=encoder, **options
            ),
        )


def test_copies_are_measured_and_removed(local):
    collection, open = local
    trial = draw_trial(collection, 20, quiet)
    measured = list(measure_copies(collection, trial, ["HNSW", "IVF_SQ8"], open, quiet))
    assert {one.index for one in measured} == {"HNSW", "IVF_SQ8"}
    assert max(one.recall for one in measured) > 0.95
    assert all(one.build is not None and one.build > 0 for one in measured)
    assert collection.others() == ()
    assert (collection.describe().index, collection.count()) == ("FLAT", 200)


@pytest.mark.parametrize("when", ["Copying", "Building", "Measuring"])
def test_copies_are_removed_after_an_interruption(local, when):
    collection, open = local
    trial = draw_trial(collection, 10, quiet)
    seen = []

    def interrupt(text):
        seen.append(collection.others())
        if text.startswith(when):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(measure_copies(collection, trial, ["HNSW"], open, interrupt))
    assert seen[-1] == ("ocelot_ocelot_tune",) and collection.others() == ()


def test_what_a_killed_run_left_is_replaced(local):
    collection, open = local
    with open(ENCODER, name="ocelot_ocelot_tune") as left:
        left.upsert([Row("old", {"/": 1}, 1, vector=drawn(1)[0])])
    trial = draw_trial(collection, 10, quiet)

    def others(text):
        if text.startswith("Building"):
            with open(None, name="ocelot_ocelot_tune", create=False) as copy:
                assert copy.count() == 200 and not copy.known("old")

    assert list(measure_copies(collection, trial, ["HNSW"], open, others))


def test_an_unknown_index_is_told_before_rows_are_copied(local):
    collection, open = local
    trial, said = draw_trial(collection, 10, quiet), []
    with pytest.raises(ConfigurationError, match=r"IVF_RABITQ.*it has FLAT, HNSW"):
        list(measure_copies(collection, trial, ["HNSW", "IVF_RABITQ"], open, said.append))
    assert said == [] and collection.others() == ()


def test_measuring_leaves_the_kept_parameters(local):
    collection, open = local
    collection.keep_search_params({})
    with open(None, index="HNSW") as graph:
        graph.keep_search_params({"ef": 64})
        measure(graph, draw_trial(graph, 10, quiet), quiet)
        assert graph.search_params == {"ef": 64}


def test_too_few_rows(tmp_path):
    with Collection.open(tmp_path / "a.db", encoder=ENCODER) as collection:
        fill(collection, drawn(19))
        with pytest.raises(InputError, match="holds 19 pictures: at least 20"):
            draw_trial(collection, 10, quiet)


def test_queries_lie_near_a_stored_vector_and_on_none(local):
    collection, _ = local
    trial = draw_trial(collection, 30, quiet)
    closest = (trial.queries @ drawn(200).T).max(axis=1)
    assert ((closest > 0.9) & (closest < 0.995)).all()
    same = draw_trial(collection, 30, quiet)
    np.testing.assert_array_equal(same.queries, trial.queries)


def test_rows_as_near_as_the_last_count_as_near():
    corner = np.eye(3, dtype=np.float32)
    matrix = np.repeat(corner, [6, 5, 4], axis=0)  # the query is nearest to the first 6 rows
    query = np.array([[0.8, 0.6, 0]], np.float32)
    blocks = [([f"r{n}" for n in part], matrix[part]) for part in (range(0, 7), range(7, 15))]
    assert exact(query, iter(blocks), [frozenset()]) == [{f"r{n}" for n in range(11)}]
    nearest = exact(query, iter(blocks), [frozenset({"r0", "r7"})])
    assert nearest == [{f"r{n}" for n in range(11)} - {"r0", "r7"}]


def test_the_fastest_that_is_good_enough():
    one = partial(Measured, p95=1, build=None, memory=None)
    exact_, graph, wide = (
        one("FLAT", {}, 1, 0.0105),
        one("HNSW", {"ef": 16}, 0.9, 0.001),
        one("HNSW", {"ef": 64}, 0.99, 0.010),
    )
    assert best_of([exact_, graph, wide], 0.9) is graph
    assert best_of([exact_, graph, wide], 0.99) is exact_  # a tenth is noise: the first
    assert best_of([graph, wide], 0.995) is None
    assert str(wide) == "HNSW with ef=64" and str(exact_) == "FLAT"


def test_tuned_candidates_grow_with_the_hits_that_are_wanted():
    ef = partial(search_params, "HNSW", "lite")
    assert ef(9, False) == {"ef": 128} and ef(200, False) == {"ef": 200}
    assert ef(11, False, {"ef": 32}) == {"ef": 32}  # as it was measured
    assert ef(160, False, {"ef": 32}) == {"ef": 320}
    assert ef(16_384, False, {"ef": 1024}) == ef(9, True, {"ef": 32}) == {"ef": 16_384}
    assert search_params("FLAT", "lite", 9, True) == {}
    wide = search_params("IVF_RABITQ", "server", 9, True, {"nprobe": 4, "refine_k": 1})
    assert wide == {"nprobe": 65_536, "refine_k": 1}


@pytest.mark.parametrize("place", ["lite", "server", "zilliz"])
def test_measured_parameters_are_used_as_they_are(place):
    for index in names(place):
        for params in steps(index, place):
            used = search_params(index, place, 11, False, params)
            assert used.items() >= params.items()
