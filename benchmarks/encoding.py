"""How many pictures an encoder takes in a second, from files: one at a time, and in batches.

    python benchmarks/encoding.py --threads 1 2 --pictures 128

The pictures are drawn beforehand into a temporary folder. Decoding and resizing are part of the
time, as in indexing; each figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from ocelot.build import build_encoder
from ocelot.catalogue.write import write_catalogue
from ocelot.records import Item
from ocelot.settings import load_settings


def rate(encode: Callable[[], object], pictures: int, rounds: int) -> float:
    """Pictures a second: the median of some rounds, after one that does not count."""
    encode()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        encode()
        seconds.append(time.perf_counter() - start)
    return pictures / statistics.median(seconds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw, measure, print."""
    parser = argparse.ArgumentParser(description="Pictures a second.")
    parser.add_argument("--encoder", help="as of `ocelot index`; the settings' by default")
    parser.add_argument("--threads", type=int, nargs="+", default=[torch.get_num_threads()])
    parser.add_argument("--pictures", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args(arguments)
    settings = load_settings(encoder=asked.encoder, batch_size=asked.batch_size)
    encoder = build_encoder(settings)
    with tempfile.TemporaryDirectory() as folder:
        write_catalogue(Path(folder), asked.pictures, seed=0)
        items = [Item(file) for file in sorted(Path(folder, "images").iterdir())]
        print(f"{settings.encoder}, {len(items)} pictures, batches of {encoder.batch_size}")
        print(f"{'threads':>7}{'single/s':>10}{'batched/s':>11}{'ratio':>7}")
        for threads in asked.threads:
            torch.set_num_threads(threads)
            single, batched = (
                rate(partial(encoder.encode, items, batch_size=size), len(items), asked.rounds)
                for size in (1, None)
            )
            print(f"{threads:>7}{single:>10.1f}{batched:>11.1f}{batched / single:>7.2f}")


if __name__ == "__main__":
    main()
