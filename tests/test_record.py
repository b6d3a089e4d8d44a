"""The same vectors, ids, rankings and answers as recorded, on fixed inputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.record.answers import RECORDS, Place, prepared
from tests.record.store import EXACT, FOLDER, TOLERANCES, differences, load


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with prepared(tmp_path_factory.mktemp("record").resolve()) as asked:
        yield asked


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return load(FOLDER)


@pytest.mark.parametrize("name", RECORDS)
def test_answers_are_as_recorded(place: Place, stored: dict[str, Any], name: str) -> None:
    if name == "openvino_vectors":
        pytest.importorskip("openvino")
    now = RECORDS[name](place)
    assert not list(differences(stored[name], now, TOLERANCES.get(name, EXACT), name))
