"""Measure several things in turns in one run, so that other load on the machine affects all.

Each round runs every side once, every other round in reverse, and sides are compared within a
round. Absolute figures are those of one machine; ratios can be compared between machines.

Importing this module gives the benchmark its own cache, which is removed at the end, so that it
neither uses nor changes the user's cache. BENCH_CACHE names a folder to keep instead.
"""

from __future__ import annotations

import atexit
import os
import platform
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from results import record, shown, table

__all__ = ["Row", "Side", "compared", "in_turns", "machine", "report", "spread"]

if not os.environ.get("BENCH_CACHE"):  # else named by the user, or set by the parent process
    os.environ["BENCH_CACHE"] = tempfile.mkdtemp(prefix="ocelot-bench-")
    atexit.register(shutil.rmtree, os.environ["BENCH_CACHE"], ignore_errors=True)
os.environ["OCELOT_CACHE"] = os.environ["BENCH_CACHE"]

_PACKAGES = ("torch", "openvino", "numpy", "pillow", "pymilvus", "milvus-lite", "milvus")

Row = dict[str, object]


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


def spread(values: Sequence[float]) -> list[float]:
    """Return the median, the least and the most, to three digits."""
    return [_short(value) for value in (statistics.median(values), min(values), max(values))]


def _short(value: float) -> float:
    rounded = float(f"{value:.3g}")
    return int(rounded) if rounded >= 100 else rounded


def compared(
    seconds: Mapping[str, Sequence[float]], items: int = 1, what: str = "pictures"
) -> list[Row]:
    """Return a row for each side: seconds a round, items a second, and speed against the first.

    Args:
        seconds: For each round, by side; the first side is the baseline.
        items: The number of items in one round.
        what: What an item is called.
    """
    baseline = next(iter(seconds.values()))
    return [
        {
            "": name,
            "seconds": spread(spent),
            f"{what}/s": _short(items / statistics.median(spent)),
            "ratio": spread([one / other for one, other in zip(baseline, spent, strict=True)]),
        }
        for name, spent in seconds.items()
    ]


def report(title: str, rows: Sequence[Row], notes: Mapping[str, object] | None = None) -> None:
    """Print a result, and add it to benchmarks/results/ unless the run was a quick trial."""
    print(f"\n{title}\n\n{table(rows)}")
    for name, value in (notes or {}).items():
        print(f"{name}: {shown(value)}")
    sys.stdout.flush()
    if "--quick" not in sys.argv:
        record(Path(sys.argv[0]).stem, title, machine(), rows, notes or {})


def machine() -> dict[str, object]:
    """Return what the figures were measured on."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", info.read_text()) if info.is_file() else None
    counted = hasattr(os, "sched_getaffinity")
    return {
        "processor": found[1] if found else platform.processor() or platform.machine(),
        **_gpu(),
        "cores": len(os.sched_getaffinity(0)) if counted else os.cpu_count(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
    }


def _gpu() -> dict[str, object]:
    """The name of the GPU, where the benchmark uses one."""
    torch = sys.modules.get("torch")
    used = torch is not None and torch.cuda.is_initialized()
    return {"gpu": torch.cuda.get_device_name()} if used else {}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
