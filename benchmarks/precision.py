"""Quality of each backend and precision, compared with torch in fp32 and the same weights.

Draws held-out pictures and composed queries, calibrates int8 on the pictures, and prints for each
runtime the cosine of its vectors with those of torch fp32, and R@1 in three cases: collection and
queries in this runtime, only the queries, and only the collection (the other in torch fp32).

    python benchmarks/precision.py [--quick]
    python benchmarks/precision.py --encoder runs/7/encoder --queries SET/queries.jsonl --images SET
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from shop import write_benchmark
from turns import Row, report

from ocelot.encoders.base import Encoder, Matrix
from ocelot.encoders.openvino.encoder import Calibration, OpenVINOEncoder
from ocelot.encoders.visualized_bge import VisualizedBGE
from ocelot.evaluation import read_triplets
from ocelot.types import Input

RUNTIMES = ("torch fp32", "torch bf16", "openvino fp32", "openvino bf16", "openvino int8")


class Queries:
    """A gallery, its queries, and their targets."""

    def __init__(self, file: Path, folder: Path) -> None:
        lines = read_triplets(file)
        self.pictures = sorted(path for path in (folder / "images").iterdir() if path.is_file())
        place = {path: number for number, path in enumerate(self.pictures)}
        self.items = [
            Input(None if one.reference is None else folder / one.reference, one.text)
            for one in lines
        ]
        self.own = [None if not one.reference else place[folder / one.reference] for one in lines]
        self.targets = [{place[folder / name] for name in one.targets} for one in lines]

    def first(self, queries: Matrix, gallery: Matrix, count: int = 9) -> list[list[int]]:
        """Return the first pictures for each query, without its own reference."""
        scores = queries @ gallery.T
        for row, own in enumerate(self.own):
            if own is not None:
                scores[row, own] = -np.inf
        return [list(row) for row in np.argsort(-scores, axis=1)[:, :count]]

    def recall(self, first: Sequence[Sequence[int]]) -> float:
        """Return R@1."""
        return float(
            np.mean([row[0] in right for row, right in zip(first, self.targets, strict=True)])
        )


def load(runtime: str, name: str, pictures: Sequence[Path]) -> Encoder:
    backend, precision = runtime.split()
    if backend == "torch":
        return VisualizedBGE.load(
            name,
            dtype=precision,
            device="cpu",
            reduced_decoding=False,
        )
    return OpenVINOEncoder.load(
        name,
        precision=precision,
        calibration=Calibration(lambda: pictures, chosen=True),
        reduced_decoding=False,
    )


def cosines(ours: Matrix, theirs: Matrix) -> str:
    values = (ours * theirs).sum(axis=1)
    return f"{np.median(values):.5f} {np.quantile(values, 0.05):.5f} {values.min():.5f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", default="ocelot-tiny")
    parser.add_argument("--queries", type=Path, help="see `ocelot evaluate triplets`")
    parser.add_argument("--images", type=Path, help="folder of --queries")
    parser.add_argument("--seed", type=int, default=1, help="for drawing the set")
    parser.add_argument(
        "--runtimes", nargs="+", default=RUNTIMES, help="the first is the reference"
    )
    parser.add_argument("--quick", action="store_true", help="only torch, fewer pictures")
    args = parser.parse_args()
    count, number = 900, 300
    if args.quick:
        args.runtimes = RUNTIMES[:2]
        count, number = 400, 100
    with tempfile.TemporaryDirectory() as folder:
        images = args.images or Path(folder)
        file = args.queries or write_benchmark(images, count=count, queries=number, seed=args.seed)
        queries = Queries(file, images)
        rows = list(quality(args, queries))
    notes = {"queries": len(queries.items), "pictures": len(queries.pictures)}
    report(f"Precision of {args.encoder}", rows, {**notes, "cosines": "median, 5 %, lowest"})


def quality(args: argparse.Namespace, queries: Queries) -> Iterator[Row]:
    """Yield the row of each runtime."""
    gallery_fp32 = queries_fp32 = None
    for runtime in args.runtimes:
        encoder = load(runtime, args.encoder, queries.pictures)
        gallery = encoder.encode([Input(path) for path in queries.pictures])
        vectors = encoder.encode(queries.items)
        if gallery_fp32 is None or queries_fp32 is None:
            gallery_fp32, queries_fp32 = gallery, vectors
            reference = queries.first(vectors, gallery)
        ranked = queries.first(vectors, gallery_fp32)
        shared = [len(set(a) & set(b)) / len(b) for a, b in zip(ranked, reference, strict=True)]
        yield {
            "": encoder.runtime or runtime,
            "cosine of pictures": cosines(gallery, gallery_fp32),
            "cosine of queries": cosines(vectors, queries_fp32),
            "R@1": round(queries.recall(queries.first(vectors, gallery)), 3),
            "collection fp32": round(queries.recall(ranked), 3),
            "queries fp32": round(queries.recall(queries.first(queries_fp32, gallery)), 3),
            "same first 9": round(float(np.mean(shared)), 3),
        }


if __name__ == "__main__":
    main()
