"""Groups of near duplicates, against their definition by brute force."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.errors import InputError
from ocelot.maintenance import duplicates as module
from ocelot.maintenance.duplicates import duplicate_groups, duplicates


def clustered(count: int, seed: int = 0) -> np.ndarray:
    """Unit vectors, many of which are close to each other, in chains, too."""
    drawn = np.random.default_rng(seed)
    centres = drawn.normal(size=(count // 8, 16))
    vectors = centres[drawn.integers(len(centres), size=count)]
    vectors = vectors + drawn.normal(size=vectors.shape) * drawn.uniform(0, 0.4, (count, 1))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def by_brute_force(vectors: np.ndarray, threshold: float) -> list[set[int]]:
    """The definition: each free row takes all later free rows that are close to it."""
    free, groups = list(range(len(vectors))), []
    while free:
        head, *rest = free
        group = {row for row in rest if float(vectors[head] @ vectors[row]) >= threshold}
        if group:
            groups.append({head, *group})
        free = [row for row in rest if row not in group]
    return groups


@pytest.mark.parametrize("block", [1, 100_000, 64 * 2**20])  # bytes
@pytest.mark.parametrize("threshold", [0.5, 0.9, 0.97])
def test_groups(block: int, threshold: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK_BYTES", block)
    vectors = clustered(400)
    groups = list(duplicate_groups(vectors, threshold))
    assert [set(rows) for rows, _ in groups] == by_brute_force(vectors, threshold)
    for rows, scores in groups:
        np.testing.assert_allclose(scores, vectors[rows] @ vectors[rows[0]], atol=1e-6)
        assert rows[0] == min(rows) and scores[1:] == sorted(scores[1:], reverse=True)
    left_out = {row for rows, _ in groups for row in rows[1:]}
    kept = vectors[[row for row in range(400) if row not in left_out]]
    assert (kept @ kept.T - 2 * np.eye(len(kept)) < threshold).all()


def test_a_chain_is_no_group() -> None:
    angles = np.radians(np.arange(0, 90, 10))  # each close to the next, the ends at right angles
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    groups = [rows for rows, _ in duplicate_groups(vectors, float(np.cos(np.radians(10.1))))]
    assert groups == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_none() -> None:
    assert list(duplicate_groups(np.empty((0, 4), np.float32), 0.9)) == []
    assert list(duplicate_groups(np.eye(4, dtype=np.float32), 0.9)) == []


def test_duplicates_of_a_collection(tmp_path: Path) -> None:
    vectors = np.array([[1, 0], [0.99, 0.1], [0, 1], [0.98, 0.15], [0.1, 1]], np.float32) * 3
    with Collection.open(tmp_path / "a.db", encoder=EncoderIdentity("e", "f", 2)) as collection:
        collection.upsert(
            Row(f"p{n}", {f"/{n}": 1, f"/{n}-copy": 1}, 1, 10 * n, 10, {"n": n}, vector)
            for n, vector in enumerate(vectors)
        )
        groups = duplicates(collection, 0.97)
        assert [[hit.id for hit in group] for group in groups] == [["p3", "p1", "p0"], ["p4", "p2"]]
        first = groups[0]
        assert [hit.rank for hit in first] == [1, 2, 3] and first[0].score == 1
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        assert first[2].score == pytest.approx(unit[3] @ unit[0])
        assert first[0].paths == ("/3", "/3-copy") and first[0].metadata == {"n": 3}
        few = duplicates(collection, 0.97, filter="n > 1")
        assert [[hit.id for hit in group] for group in few] == [["p4", "p2"]]
        for threshold in (0, 1.1, float("nan")):
            with pytest.raises(InputError, match="threshold"):
                duplicates(collection, threshold)


def test_ten_thousand(tmp_path: Path) -> None:
    """All of them are found among ten thousand, of which each has one near duplicate."""
    drawn = np.random.default_rng(1).normal(size=(5_000, 64)).astype(np.float32)
    near = drawn + np.random.default_rng(2).normal(size=drawn.shape).astype(np.float32) / 20
    vectors = np.concatenate([drawn, near])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    groups = list(duplicate_groups(vectors, 0.97))
    assert [rows for rows, _ in groups] == [[row, row + 5_000] for row in range(5_000)]
