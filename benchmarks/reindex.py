"""A second `ocelot index` over many unchanged files: seconds and memory of the whole process.

    python benchmarks/reindex.py [--files 100000] [--quick]

The files are tiny pictures made here. Their rows are written with random vectors, which such a
run does not read. Each run is a process of its own: with the stamp that the run before left, and
without it, when the database must be opened and all rows read.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from turns import Side, compared, in_turns, report

from ocelot.build import build_encoder
from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.settings import cache_folder, load_settings

FOLDER = 1_000  # files in one


def tiny(number: int) -> bytes:
    """A PNG of one pixel, whose colour is the number."""
    file = io.BytesIO()
    Image.new("RGB", (1, 1), tuple(number.to_bytes(3, "big"))).save(file, "PNG")
    return file.getvalue()


def fill(folder: Path, db: Path, files: int) -> None:
    """Write the files, and the rows that indexing them would have written."""
    identity = EncoderIdentity.of(build_encoder(load_settings()))
    drawn = np.random.default_rng(0)
    with Collection.open(db, encoder=identity) as collection:
        for first in range(0, files, FOLDER):
            below = folder / f"{first // FOLDER:04}"
            below.mkdir(parents=True)
            rows = []
            for number in range(first, min(first + FOLDER, files)):
                path, data = below / f"{number:07}.png", tiny(number)
                path.write_bytes(data)
                id = hashlib.sha256(data).hexdigest()
                vector = drawn.normal(size=identity.dimension).astype(np.float32)
                paths = {str(path): os.stat(path).st_mtime_ns}
                rows.append(Row(id, paths, len(data), 1, 1, {}, vector))
            collection.upsert(rows, fresh=True)
        collection.flush()


def command(folder: Path, db: Path) -> list[str]:
    return [sys.executable, "-m", "ocelot", "index", str(folder), "--db", str(db)]


def index(folder: Path, db: Path, peaks: list[int]) -> None:
    """One run; adds its peak of resident memory in MB."""
    process = subprocess.Popen(command(folder, db), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit("ocelot index failed.")
    peaks.append(usage.ru_maxrss // 1024)


def check(folder: Path, db: Path, files: int) -> None:
    """Check that a run finds all files, all of them unchanged."""
    asked = [*command(folder, db), "--json"]
    said = json.loads(subprocess.run(asked, stdout=subprocess.PIPE, check=True).stdout)
    assert said["found"] == said["unchanged"] == said["total"] == files, said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="10,000 files")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.files, arguments.rounds = 10_000, 2
    with tempfile.TemporaryDirectory() as temporary:
        folder, db = Path(temporary) / "files", Path(temporary) / "many.db"
        # In a process of its own, as a child's peak counts what its parent held at the start.
        filling = multiprocessing.get_context("spawn").Process(
            target=fill, args=(folder, db, arguments.files)
        )
        filling.start()
        filling.join()
        whole: list[int] = []
        quick: list[int] = []

        def without() -> None:
            shutil.rmtree(cache_folder() / "runs", ignore_errors=True)
            index(folder, db, whole)

        for _ in range(2):  # the first leaves a stamp
            check(folder, db, arguments.files)
        sides = [
            Side("reads all rows", without),
            Side("as the last run left it", lambda: index(folder, db, quick)),
        ]
        seconds = in_turns(sides, arguments.rounds)
        rows = compared(seconds, arguments.files, "files")
        for row, peaks in zip(rows, (whole, quick), strict=True):
            row["peak MB"] = statistics.median(peaks)
        report("Nothing new to index", rows, {"files": arguments.files})


if __name__ == "__main__":
    main()
