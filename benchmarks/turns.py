"""Measure several things in turns in one run, so that other load on the machine affects all.

Each round runs every side once, every other round in reverse, and sides are compared within a
round. Absolute figures are those of one machine; ratios can be compared between machines.

Importing this module gives the benchmark its own cache, which is removed at the end, so that it
neither uses nor changes the user's cache. BENCH_CACHE names a folder to keep instead.
"""

from __future__ import annotations

import atexit
import json
import os
import platform
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["Side", "in_turns", "machine", "ratios", "report"]

if not os.environ.get("BENCH_CACHE"):  # else named by the user, or set by the parent process
    os.environ["BENCH_CACHE"] = tempfile.mkdtemp(prefix="ocelot-bench-")
    atexit.register(shutil.rmtree, os.environ["BENCH_CACHE"], ignore_errors=True)
os.environ["OCELOT_CACHE"] = os.environ["BENCH_CACHE"]

_PACKAGES = ("torch", "openvino", "numpy", "pillow", "pymilvus", "milvus-lite")


@dataclass(frozen=True)
class Side:
    """One of the things to compare; `run` does it once."""

    name: str
    run: Callable[[], object]


def in_turns(sides: Sequence[Side], rounds: int = 5) -> dict[str, list[float]]:
    """Return the seconds of each round by side; an extra first round does not count."""
    seconds: dict[str, list[float]] = {side.name: [] for side in sides}
    for number in range(rounds + 1):
        for side in sides if number % 2 else reversed(sides):
            started = time.perf_counter()
            side.run()
            took = time.perf_counter() - started
            if number:
                seconds[side.name].append(took)
    return seconds


def ratios(baseline: Sequence[float], other: Sequence[float]) -> list[float]:
    """Return for each round how many times as fast as the baseline `other` was."""
    return [before / after for before, after in zip(baseline, other, strict=True)]


def report(
    title: str,
    seconds: Mapping[str, Sequence[float]],
    *,
    items: int = 1,
    what: str = "pictures",
    notes: Mapping[str, object] | None = None,
) -> None:
    """Print the results as a table and as one line of JSON.

    Args:
        seconds: For each round, by side; the first side is the baseline.
        items: The number of items in one round.
        what: What an item is called.
        notes: Other results, printed below.
    """
    baseline = next(iter(seconds.values()))
    rows = []
    for name, spent in seconds.items():
        times = ratios(baseline, spent)
        rows.append(
            {
                "side": name,
                "median_s": round(statistics.median(spent), 4),
                "min_s": round(min(spent), 4),
                "max_s": round(max(spent), 4),
                f"{what}_per_s": round(items / statistics.median(spent), 2),
                "ratio": round(statistics.median(times), 2),
                "ratio_min": round(min(times), 2),
                "ratio_max": round(max(times), 2),
            }
        )
    here = machine()
    wide = max(len(str(row["side"])) for row in rows)
    print(f"\n{title}")
    print(
        f"{here['processor']}, {here['cores']} cores, {len(baseline)} rounds, {items} {what} each"
    )
    print(f"{'':{wide}} {'median s':>10}{'min - max s':>20}{what + '/s':>14}{'ratio':>8}  spread")
    for row in rows:
        span = f"{row['min_s']:.3f} - {row['max_s']:.3f}"
        spread = f"{row['ratio_min']:.2f} - {row['ratio_max']:.2f}"
        rate = row[f"{what}_per_s"]
        print(
            f"{row['side']:{wide}} {row['median_s']:>10.3f}{span:>20}{rate:>14}"
            f"{row['ratio']:>8.2f}  {spread}"
        )
    for name, value in (notes or {}).items():
        print(f"{name}: {value}")
    line = {"benchmark": title, "machine": here, "rounds": len(baseline), "sides": rows}
    print(json.dumps({**line, "notes": dict(notes or {})}, default=str), flush=True)


def machine() -> dict[str, object]:
    """Return what the figures were measured on."""
    found = None
    info = Path("/proc/cpuinfo")
    if info.is_file():
        found = re.search(r"model name\s*: (.+)", info.read_text())
    return {
        "processor": found[1] if found else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
