"""All faults by name, and where their table is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.faults import disks, inputs, kills, load
from tests.faults.finding import Finding, table

REPORT = Path(__file__).parents[2] / "docs" / "reliability.md"

# A fault gets an empty folder and whether to be short; None says that it cannot be done here.
FAULTS: dict[str, Callable[[Path, bool], Finding | None]] = {
    "indexer": kills.indexer,
    "server": kills.server,
    "milvus": kills.database,
    "full-disk": disks.full,
    "read-only-disk": disks.read_only,
    "damage": disks.damaged,
    "changing-folder": inputs.changing_folder,
    "files": inputs.hostile_files,
    "filters": inputs.hostile_filters,
    "metadata": inputs.hostile_metadata,
    "load": load.busy_server,
}


def run(name: str, folder: Path, *, short: bool) -> Finding | None:
    """Do one fault in a new folder."""
    folder.mkdir(parents=True)
    return FAULTS[name](folder, short)


def write(findings: Sequence[Finding]) -> None:
    """Put the table into the report, between its two marks."""
    text = REPORT.read_text(encoding="utf-8")
    marks = re.compile(r"(<!-- table -->\n).*?(<!-- end -->)", re.DOTALL)
    REPORT.write_text(marks.sub(lambda m: f"{m[1]}{table(findings)}\n{m[2]}", text), "utf-8")
