"""Start-up: the time of whole processes, in turns.

    python benchmarks/startup.py [--rounds 7] [--quick]

`ocelot --help`, and a composed `ocelot search` with the bundled encoder in Milvus Lite, beside
Python alone and `import ocelot`. The first round only fills the disk cache and does not count.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from shop import write_catalogue
from turns import Side, in_turns, report, spread

import ocelot


def process(name: str, *arguments: str) -> Side:
    """A Python process that must succeed."""
    plain = {name: value for name, value in os.environ.items() if "_API_KEY" not in name}

    def run() -> None:
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=plain)

    return Side(name, run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shop = write_catalogue(folder / "shop", 30 if arguments.quick else arguments.pictures)
        db = str(folder / "shop.db")
        with ocelot.open(db, reranker=None) as engine:
            engine.index(shop.directory / "images", metadata=shop.metadata)
        query = ["-i", str(shop.query), "-t", "phone case with this image theme", "--db", db]
        seconds = in_turns(
            [
                process("`python -c ''`", "-c", ""),
                process("`import ocelot`", "-c", "import ocelot"),
                process("`ocelot --help`", "-m", "ocelot", "--help"),
                process("`ocelot search`", "-m", "ocelot", "search", *query),
            ],
            3 if arguments.quick else arguments.rounds,
        )
    report("Start-up", [{"": name, "seconds": spread(spent)} for name, spent in seconds.items()])


if __name__ == "__main__":
    main()
