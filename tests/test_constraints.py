"""The locked versions: each has hashes, and every dependency is among them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "constraints.txt").read_text()
PINS = re.findall(r"(?m)^([a-z0-9-]+)==\S+[^\n]*((?:\\\n    --hash=sha256:[0-9a-f]{64} ?)+)$", LOCK)


def test_every_version_has_hashes() -> None:
    lines = [line for line in LOCK.splitlines() if re.match(r"\w", line)]
    assert len(PINS) == len(lines) > 150


def test_the_cpu_build_of_torch_is_allowed_beside_those_of_pypi() -> None:
    makefile = (ROOT / "Makefile").read_text()
    found = re.search(r"(?m)^TORCH := torch==(\S+)\nTORCH_CPU := (sha256:\w+)$", makefile)
    assert found is not None and f"\ntorch=={found[1]} " in LOCK
    hashes = dict(PINS)["torch"]
    assert found[2] in hashes and hashes.count("sha256") > 20


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib came with Python 3.11")
def test_every_dependency_is_locked() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = {re.split(r"[^\w-]", one)[0] for one in sum(extras, project["dependencies"])}
    assert wanted - {"ocelot-search"} <= {name for name, _ in PINS} >= {"pip", "hatchling"}
