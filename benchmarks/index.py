"""`ocelot index` and the tutorial's loop: the same files, the same model, from start to end.

    python benchmarks/index.py [--pictures DIR] [--quick]

Two comparisons, in turns: within one process with the model loaded, and as whole processes from
start to end. The loop embeds one picture at a time and inserts the vectors and names into Milvus
Lite with plain pymilvus, as the tutorial does. Also prints where indexing spends its processor
time: threads' own clocks around the steps, taken here and not in the product.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from turns import Side, in_turns, report
from tutorial import Tutorial

ROUNDS = 5


def loop(tutorial: Tutorial, files: list[Path], db: Path) -> None:
    """Embed one by one, then insert all."""
    from pymilvus import MilvusClient

    client = MilvusClient(uri=str(db))
    rows = [{"vector": tutorial.encode(file), "image_path": str(file)} for file in files]
    client.create_collection(
        "images",
        auto_id=True,
        dimension=len(rows[0]["vector"]),
        enable_dynamic_field=True,
        metric_type="COSINE",
    )
    client.insert("images", rows)
    client.close()


def pictures_in(folder: Path) -> list[Path]:
    from ocelot.indexing import File, scan

    return [Path(found.path) for found in scan(folder) if isinstance(found, File)]


@contextmanager
def clocks() -> Iterator[Counter[str]]:
    """Seconds that threads spend in the steps of indexing: their own processor time, and waits."""
    from ocelot.collection import Collection
    from ocelot.encoders.base import Encoder
    from ocelot.images import file
    from ocelot.indexing import folders, pipeline

    spent: Counter[str] = Counter()
    lock = threading.Lock()
    restore: list[tuple[Any, str, Any]] = []

    def watch(owner: Any, name: str, step: str) -> None:
        inner: Callable[..., Any] = getattr(owner, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            started, wall = time.thread_time(), time.perf_counter()
            try:
                return inner(*arguments, **options)
            finally:
                own, passed = time.thread_time() - started, time.perf_counter() - wall
                with lock:
                    spent[step] += own
                    spent[f"{step}, waited"] += passed

        restore.append((owner, name, inner))
        setattr(owner, name, watched)

    watch(file, "read_file", "read")
    watch(file, "hash_bytes", "read")
    watch(file, "decode", "decode")
    watch(pipeline.Run, "load", "load")
    watch(Encoder, "embed_checked", "encode, this thread")
    watch(Collection, "upsert", "Milvus, client")
    watch(Collection, "flush", "Milvus, flush")
    watch(folders.StoredFiles, "read", "known rows")
    try:
        yield spent
    finally:
        for owner, name, inner in restore:
            setattr(owner, name, inner)


def shares(run: Callable[[], object]) -> dict[str, object]:
    """Percent of the processor time of one run, by step."""
    with clocks() as spent:
        wall, processor = time.perf_counter(), time.process_time()
        run()
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    steps = {
        "read and hash": spent["read"],
        "decode": spent["decode"],
        "prepare": spent["load"] - spent["decode"],
        "encode (calling thread)": spent["encode, this thread"],
        "Milvus (client)": spent["Milvus, client"] + spent["Milvus, flush"],
    }
    steps["encode and Milvus (their own threads), the rest"] = processor - sum(steps.values())
    return {
        "share of processor time, %": {
            name: round(100 * value / processor, 1) for name, value in steps.items()
        },
        "wall s": round(wall, 2),
        "processor s": round(processor, 2),
        "wall s in encode": round(spent["encode, this thread, waited"], 2),
        "wall s in Milvus, beside the encoding": round(spent["Milvus, client, waited"], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, help="a folder; drawn ones by default")
    parser.add_argument("--count", type=int, default=900, help="of drawn pictures")
    parser.add_argument("--encoder", default="ocelot-tiny")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--loop", type=Path, help=argparse.SUPPRESS)  # the loop's own process
    parser.add_argument("--quick", action="store_true", help="fewer pictures and rounds")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.count, arguments.rounds = 200, 2
    from ocelot.encoders.weights import load_checkpoint

    if arguments.loop:
        files = pictures_in(arguments.pictures)
        loop(Tutorial(load_checkpoint(arguments.encoder)), files, arguments.loop)
        return
    from shop import write_catalogue

    import ocelot
    from ocelot.build import build_encoder
    from ocelot.settings import load_settings

    with tempfile.TemporaryDirectory() as temporary:
        place, numbers = Path(temporary), count()
        folder = arguments.pictures
        if folder is None:
            folder = write_catalogue(place / "shop", arguments.count).directory / "images"
        files = pictures_in(folder)
        tutorial = Tutorial(load_checkpoint(arguments.encoder))
        encoder = build_encoder(load_settings(encoder=arguments.encoder))

        def index() -> None:
            with ocelot.open(place / f"{next(numbers)}.db", encoder=encoder, reranker=None) as it:
                done = it.index(folder)
            assert done.encoded + done.relocated == len(files), done

        def process(*command: str) -> None:
            subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)

        sides = [
            Side("tutorial's loop", lambda: loop(tutorial, files, place / f"{next(numbers)}.db")),
            Side("ocelot index", index),
        ]
        notes = shares(index)
        seconds = in_turns(sides, arguments.rounds)
        report(f"Indexing, {arguments.encoder}", seconds, items=len(files), notes=notes)
        script = [__file__, "--pictures", str(folder), "--encoder", arguments.encoder]
        command = ["-m", "ocelot", "index", str(folder), "--encoder", arguments.encoder]
        sides = [
            Side(
                "tutorial's loop", lambda: process(*script, "--loop", f"{place}/{next(numbers)}.db")
            ),
            Side("ocelot index", lambda: process(*command, "--db", f"{place}/{next(numbers)}.db")),
        ]
        seconds = in_turns(sides, arguments.rounds)
        report(f"Indexing, {arguments.encoder}, whole process", seconds, items=len(files))


if __name__ == "__main__":
    main()
