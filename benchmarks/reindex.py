"""A second `ocelot index` over many unchanged files: seconds and memory of the whole process.

    python benchmarks/reindex.py [--files 100000] [--quick]

The files are tiny pictures made here. Their rows are written with random vectors, which such a
run does not read. Each run is a process of its own: with the stamp that the run before left, and
without it, when the database must be opened and all rows read.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
from turns import Side, in_turns, report

from ocelot.build import build_encoder
from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.settings import cache_folder, load_settings

FOLDER = 1_000  # files in one


def tiny(number: int) -> bytes:
    """A PNG of one pixel, whose colour is the number."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(b"\0" + number.to_bytes(3, "big"))
    parts = (("IHDR", head), ("IDAT", pixel), ("IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind.encode(), data) for kind, data in parts)


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


def index(folder: Path, db: Path, peaks: list[int]) -> None:
    """One run; adds its peak of resident memory in MB."""
    command = [sys.executable, "-m", "ocelot", "index", str(folder), "--db", str(db)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit("ocelot index failed.")
    peaks.append(usage.ru_maxrss // 1024)


def check(folder: Path, db: Path, files: int) -> None:
    """Check that a run finds all files, all of them unchanged."""
    command = [sys.executable, "-m", "ocelot", "index", str(folder), "--db", str(db), "--json"]
    said = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
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
        notes = {
            "peak MB, reads all rows": statistics.median(whole),
            "peak MB, as the last run left it": statistics.median(quick),
        }
        report("Nothing to index", seconds, items=arguments.files, what="files", notes=notes)


if __name__ == "__main__":
    main()
