from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from ocelot.rerankers.llm.cache import RankingCache, cache_key
from ocelot.types import Ranking, Usage

RANKING = Ranking(
    (2, 0, 1), "Spots: 豹.", "gpt-4o", "repaired", "1 repeat was dropped", True, Usage(1, 5, 6)
)


def test_a_ranking_comes_back_as_it_was_but_free(tmp_path: Path) -> None:
    cache = RankingCache(tmp_path / "new" / "folder")
    assert cache.get("k", 3) is None
    cache.put("k", RANKING)
    assert cache.get("k", 3) == replace(RANKING, usage=Usage(), cached=True)
    assert [path.name for path in cache.directory.iterdir()] == ["k.json"]


@pytest.mark.parametrize(
    "change",
    [
        {"order": [0, 1]},
        {"order": [0, 1, 1]},
        {"order": [0, True, 2]},
        {"order": [0.0, 1, 2]},
        {"order": "012"},
        {"order": None},
        {"reason": 3},
        {"status": "fallback"},
        {"match": "yes"},
    ],
)
def test_a_file_that_does_not_fit_counts_as_none(tmp_path: Path, change: dict[str, object]) -> None:
    cache = RankingCache(tmp_path)
    cache.put("k", RANKING)
    path = tmp_path / "k.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert cache.get("k", 3) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 9999, b"{}"])
def test_a_damaged_file_counts_as_none_and_is_replaced(tmp_path: Path, data: bytes) -> None:
    cache = RankingCache(tmp_path)
    (tmp_path / "k.json").write_bytes(data)
    assert cache.get("k", 3) is None
    cache.put("k", RANKING)
    assert cache.get("k", 3) is not None


def test_another_number_of_hits_is_another_question(tmp_path: Path) -> None:
    cache = RankingCache(tmp_path)
    cache.put("k", RANKING)
    assert cache.get("k", 4) is None


def test_a_folder_that_cannot_be_made_is_only_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    RankingCache(tmp_path / "file").put("k", RANKING)
    assert str(tmp_path / "file") in caplog.text


def test_others_cannot_read_it(tmp_path: Path) -> None:
    RankingCache(tmp_path).put("k", RANKING)
    assert stat.S_IMODE((tmp_path / "k.json").stat().st_mode) & 0o077 == 0


def test_keys_tell_values_apart() -> None:
    parts = [(1,), ("1",), (None,), ([1],), (1, 1), (1, None), ({"a": 1},), ({"b": 1},)]
    assert len({cache_key(*part) for part in parts}) == len(parts)
    assert cache_key("\ud800", float("nan")) == cache_key("\ud800", float("nan"))
    assert cache_key({"a": 1, "b": 2}) == cache_key({"b": 2, "a": 1})
