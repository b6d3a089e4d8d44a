"""Training speed: queries a second in the second half of a short run, by model and device.

    python benchmarks/training.py [--models tiny base] [--devices cpu cuda] [--quick]

"base" has the published model's geometry with random weights, "tiny" is the bundled encoder. A
query is a drawn picture with a text, and another picture is its target; all weights are trained, in
bf16 where the device has it. Decoding, augmentation and the step itself are included.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import torch
from models import named_checkpoint
from shop import write_catalogue
from turns import Row, report

from ocelot.encoders.runtime import choose_device, choose_dtype
from ocelot.model.checkpoint import Checkpoint
from ocelot.training.config import DataConfig, OptimiserConfig, TrainConfig
from ocelot.training.loop import train
from ocelot.training.report import StepReport
from ocelot.training.source import TripletSource

WORDS = ("in blue", "the same with stripes", "as a mug", "with a cat on it, in red and white")


def write_triplets(folder: Path, count: int) -> Path:
    """Draw a catalogue and write triplets of its pictures, in which there is nothing to learn."""
    images = write_catalogue(folder, count).directory / "images"
    pictures = sorted(str(file.relative_to(folder)) for file in images.iterdir())
    lines = [
        {"reference": one, "text": WORDS[n % len(WORDS)], "target": pictures[n - 1]}
        for n, one in enumerate(pictures)
    ]
    file = folder / "triplets.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def measure(checkpoint: Checkpoint, triplets: Path, device: str, steps: int, batch: int) -> float:
    """Train; returns queries a second without the start."""
    reports: list[StepReport] = []
    has_bf16 = choose_dtype(None, choose_device(device)) == torch.bfloat16
    config = TrainConfig(
        name="speed",
        data=DataConfig(triplets=str(triplets), batch_size=batch),
        optimiser=OptimiserConfig(
            steps=2 * steps, evaluate_every=0, save_every=10 * steps, bf16=has_bf16
        ),
    )
    with tempfile.TemporaryDirectory() as run:
        source = TripletSource(config)
        progress = reports.append
        train(config, source, Path(run), initial=checkpoint, device=device, progress=progress)
    half = [report for report in reports if report.step > steps]
    return sum(report.rate for report in half) / len(half)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=["tiny", "base"], default=["tiny"])
    parser.add_argument("--devices", nargs="+", default=["cpu"])
    parser.add_argument("--steps", type=int, default=40, help="in each half; a multiple of 20")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--quick", action="store_true", help="fewer and smaller steps")
    args = parser.parse_args()
    if args.quick:
        args.steps, args.batch = 20, 4
    with tempfile.TemporaryDirectory() as folder:
        triplets = write_triplets(Path(folder), 4 * args.batch)
        for model in args.models:
            checkpoint = named_checkpoint(model)
            rows: list[Row] = []
            for device in args.devices:
                rate = measure(checkpoint, triplets, device, args.steps, args.batch)
                rows.append({"": device, "queries/s": round(rate, 1)})
            where = " and ".join(args.devices)
            report(f"Training {model} on {where}", rows, {"batch": args.batch})


if __name__ == "__main__":
    main()
