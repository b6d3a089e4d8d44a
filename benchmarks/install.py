"""Installing: size, packages and time of fresh environments, and what a start costs in them.

    python benchmarks/install.py [--extras "" bge] [--quick]

Environments are made by `make install`, with the versions of constraints.txt and without
`--editable`: once to fill pip's cache, once more to be timed. `--quick` makes one, once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from turns import Row, Side, in_turns, report, spread

ROOT = Path(__file__).parents[1]
IMPORTS = ("ocelot", "ocelot.engine", "ocelot.cli.main")


def install(venv: Path, package: str) -> float:
    """Make an environment; returns the seconds."""
    started = time.perf_counter()
    command = ["make", "--silent", "install", f"VENV={venv}", f"PACKAGE='{package}'"]
    subprocess.run(command, cwd=ROOT, check=True)
    return time.perf_counter() - started


def measure(venv: Path, package: str, seconds: float | None, rounds: int) -> Row:
    """Return a row of the table."""
    python = str(venv / "bin" / "python")
    files = [path.lstat().st_size for path in venv.rglob("*") if not path.is_dir()]
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "json"], check=True, capture_output=True
    )
    # Not from the repository, whose benchmarks' folder or sources would be found first.
    alone = {**os.environ, "PYTHONPATH": ""}

    def start(*command: str) -> None:
        subprocess.run([python, *command], check=True, capture_output=True, cwd=venv, env=alone)

    sides = [Side("Python alone", lambda: start("-c", ""))]
    sides += [Side(f"import {name}", lambda n=name: start("-c", f"import {n}")) for name in IMPORTS]
    sides.append(Side("ocelot --help", lambda: start("-m", "ocelot", "--help")))
    started = {f"{name}, s": spread(spent) for name, spent in in_turns(sides, rounds).items()}
    return {
        "": f"`pip install {package}`",
        "MB": round(sum(files) / 1e6),
        "packages": len(json.loads(listed.stdout)),
        "seconds, warm cache": None if seconds is None else round(seconds, 1),
        **started,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--extras", nargs="+", default=[""], help="an environment for each")
    parser.add_argument("--rounds", type=int, default=7, help="of starts")
    parser.add_argument("--quick", action="store_true", help="one environment, not timed")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.extras, arguments.rounds = arguments.extras[:1], 2
    rows = []
    for extra in arguments.extras:
        package = f".[{extra}]" if extra else "."
        with tempfile.TemporaryDirectory() as folder:
            venv = Path(folder, "first")
            install(venv, package)
            seconds = None
            if not arguments.quick:
                venv = Path(folder, "second")
                seconds = install(venv, package)
            rows.append(measure(venv, package, seconds, arguments.rounds))
    report("Installing", rows)


if __name__ == "__main__":
    main()
