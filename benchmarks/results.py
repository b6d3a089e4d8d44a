"""Results of the benchmarks, one line of JSON each, and their tables in the pages of docs/.

    python benchmarks/results.py

writes the newest result of each title into the pages, between the marks that name it. Older results
stay in benchmarks/results/. In a row, a list of three numbers is a median and its span.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

__all__ = ["PAGES", "page", "record", "shown", "table"]

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGES = [ROOT / "docs" / name for name in ("adapt.md", "performance.md", "scale.md")]
_BLOCK = re.compile(r"(<!-- (results|machines)(?:: (.+?))? -->\n).*?(<!-- end -->)", re.S)


def record(
    benchmark: str,
    title: str,
    machine: Mapping[str, object],
    rows: Sequence[Mapping[str, object]],
    notes: Mapping[str, object],
    folder: Path = RESULTS,
) -> None:
    """Append a result to the file of its benchmark."""
    described = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    commit = subprocess.run(described, cwd=ROOT, capture_output=True, text=True, check=False)
    line = {
        "title": title,
        "date": datetime.now(timezone.utc).date().isoformat(),
        "commit": commit.stdout.strip() or None,
        "machine": machine,
        "rows": rows,
        "notes": notes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{benchmark}.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(line, default=str) + "\n")


def newest(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the last result of each title."""
    lines = [
        json.loads(line)
        for file in sorted(folder.glob("*.jsonl"))
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    return {line["title"]: line for line in sorted(lines, key=lambda line: line["date"])}


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Write rows as a table in Markdown; each has the columns of the first."""
    columns = list(rows[0])
    cells = [columns, ["---"] * len(columns)]
    cells += [[shown(row[column]) for column in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def shown(value: object) -> str:
    """Write a value as a cell has it."""
    if isinstance(value, (list, tuple)):
        median, low, high = map(shown, value)
        return f"{median} ({low}-{high})"
    if isinstance(value, float):
        return f"{value:,.6g}"
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else str(value)


def page(text: str, folder: Path = RESULTS) -> str:
    """Return a page with the newest results between its marks.

    Raises:
        KeyError: No result has a title that the page names.
    """
    results = newest(folder)
    named = [results[found[3]] for found in _BLOCK.finditer(text) if found[2] == "results"]
    machines: list[dict[str, Any]] = []
    for result in named:
        if result["machine"] not in machines:
            machines.append(result["machine"])

    def written(found: re.Match[str]) -> str:
        if found[2] == "machines":
            lines = (f"- Machine {n}: {_described(one)}." for n, one in enumerate(machines, 1))
            body = "\n".join(lines)
        else:
            result = results[found[3]]
            body = f"{table(result['rows'])}\n\n{_origin(result, machines)}"
        return f"{found[1]}\n{body}\n\n{found[4]}"

    return _BLOCK.sub(written, text)


def _described(machine: Mapping[str, Any]) -> str:
    hardware = "{processor}, {cores} cores, {system}, Python {python}".format(**machine)
    others = [key for key in machine if key not in ("processor", "cores", "system", "python")]
    return ", ".join([hardware, *(f"{key} {machine[key]}" for key in others if machine[key])])


def _origin(result: Mapping[str, Any], machines: Sequence[Mapping[str, Any]]) -> str:
    facts = [f"{name}: {shown(value)}" for name, value in result["notes"].items()]
    day = date.fromisoformat(result["date"])
    where = machines.index(result["machine"]) + 1
    facts.append(f"machine {where}, {day.day} {day:%B %Y}, commit {result['commit'] or 'unknown'}")
    return f"*{'; '.join(facts)}.*"


if __name__ == "__main__":
    for file in PAGES:
        file.write_text(page(file.read_text(encoding="utf-8")), encoding="utf-8")
