"""Quality of each backend and precision, compared with torch in fp32 and the same weights.

Draws held-out pictures and composed queries, calibrates int8 on the pictures, and prints for each
runtime the cosine of its vectors with those of torch fp32, and R@1 in three cases: collection and
queries in this runtime, only the queries, and only the collection (the other in torch fp32).

    python benchmarks/precision.py [--quick]
    python benchmarks/precision.py --encoder runs/7/encoder --queries SET/queries.jsonl --images SET
    python benchmarks/precision.py --cosines-only 64 --encoder FILE.pth --text-model DIR \\
        --images DIR
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from shop import write_benchmark
from turns import machine

from ocelot.encoders.base import Encoder, Matrix
from ocelot.encoders.openvino.calibration import TEXTS
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


def load(runtime: str, args: argparse.Namespace, pictures: Sequence[Path]) -> Encoder:
    backend, precision = runtime.split()
    if backend == "torch":
        return VisualizedBGE.load(
            args.encoder,
            text_model=args.text_model,
            dtype=precision,
            device="cpu",
            reduced_decoding=False,
        )
    return OpenVINOEncoder.load(
        args.encoder,
        text_model=args.text_model,
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
    parser.add_argument("--text-model")
    parser.add_argument("--queries", type=Path, help="see `ocelot evaluate triplets`")
    parser.add_argument("--images", type=Path, help="folder of --queries or --cosines-only")
    parser.add_argument("--seed", type=int, default=1, help="for drawing the set")
    parser.add_argument("--calibrate", type=Path, help="a folder of pictures; else the gallery")
    parser.add_argument("--cosines-only", type=int, metavar="N", help="for N pictures of --images")
    parser.add_argument(
        "--runtimes", nargs="+", default=RUNTIMES, help="the first is the reference"
    )
    parser.add_argument("--quick", action="store_true", help="only torch, fewer pictures")
    args = parser.parse_args()
    count, queries = 900, 300
    if args.quick:
        args.runtimes = RUNTIMES[:2]
        count, queries = 400, 100
    with tempfile.TemporaryDirectory() as folder:
        if args.cosines_only:
            print_cosines(args)
            return
        images = args.images or Path(folder)
        file = args.queries or write_benchmark(images, count=count, queries=queries, seed=args.seed)
        print_quality(args, Queries(file, images))


def print_cosines(args: argparse.Namespace) -> None:
    """Print cosines only: for weights that were never trained, recall means nothing."""
    pictures = sorted(path for path in args.images.iterdir() if path.is_file())
    shown = pictures[:: max(1, len(pictures) // args.cosines_only)][: args.cosines_only]
    kinds = {
        "pictures": [Input(path) for path in shown],
        "composed": [Input(path, TEXTS[n % len(TEXTS)]) for n, path in enumerate(shown)],
        "texts": [Input(text=text) for text in TEXTS],
    }
    print("cosines with the first runtime: median, 5 %, lowest")
    theirs: dict[str, Matrix] = {}
    for runtime in args.runtimes:
        encoder = load(runtime, args, calibration_of(args, pictures))
        for kind, items in kinds.items():
            ours = encoder.encode(items, batch_size=8)
            print(
                f"{encoder.runtime:<20} {kind:<10} {cosines(ours, theirs.setdefault(kind, ours))}"
            )


def print_quality(args: argparse.Namespace, queries: Queries) -> None:
    title = f"{args.encoder}: {len(queries.items)} queries over {len(queries.pictures)} pictures"
    print(title)
    print(
        f"{'':<20} {'cosine of pictures':^26} {'cosine of queries':^26} "
        f"{'R@1':>6} {'gallery fp32':>12} {'queries fp32':>12} {'same first 9':>13}"
    )
    rows = []
    gallery_fp32 = queries_fp32 = None
    for runtime in args.runtimes:
        encoder = load(runtime, args, calibration_of(args, queries.pictures))
        gallery = encoder.encode([Input(path) for path in queries.pictures])
        vectors = encoder.encode(queries.items)
        if gallery_fp32 is None or queries_fp32 is None:
            gallery_fp32, queries_fp32 = gallery, vectors
            reference = queries.first(vectors, gallery)
        ranked = queries.first(vectors, gallery_fp32)
        shared = [len(set(a) & set(b)) / len(b) for a, b in zip(ranked, reference, strict=True)]
        row = {
            "runtime": encoder.runtime or runtime,
            "cosine_pictures": cosines(gallery, gallery_fp32),
            "cosine_queries": cosines(vectors, queries_fp32),
            "R@1": queries.recall(queries.first(vectors, gallery)),
            "R@1_gallery_fp32": queries.recall(ranked),
            "R@1_queries_fp32": queries.recall(queries.first(queries_fp32, gallery)),
            "same_first_9": float(np.mean(shared)),
        }
        rows.append(row)
        print(
            f"{row['runtime']:<20} {row['cosine_pictures']:^26} {row['cosine_queries']:^26} "
            f"{row['R@1']:>6.3f} {row['R@1_gallery_fp32']:>12.3f} {row['R@1_queries_fp32']:>12.3f} "
            f"{row['same_first_9']:>13.3f}",
            flush=True,
        )
    print("cosines: median, 5 %, lowest; same first 9: queries in this runtime, gallery in fp32")
    print(json.dumps({"benchmark": title, "machine": machine(), "rows": rows}))


def calibration_of(args: argparse.Namespace, pictures: Sequence[Path]) -> Sequence[Path]:
    if args.calibrate is None:
        return pictures
    return sorted(path for path in args.calibrate.iterdir() if path.is_file())


if __name__ == "__main__":
    main()
