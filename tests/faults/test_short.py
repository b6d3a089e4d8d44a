"""The short form of every fault: nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.suite import FAULTS, run


@pytest.mark.parametrize("name", FAULTS)
def test_nothing_is_lost(name: str, tmp_path: Path) -> None:
    found = run(name, tmp_path / name, short=True)
    if found is None:
        pytest.skip("this fault needs more time, or root on Linux")
    assert found.lost == ()
    assert found.seen
