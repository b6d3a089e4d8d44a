"""Adapt an encoder to a shop that it was not trained on: before and after.

    python benchmarks/adapt.py [--minutes 10] [--encoder ocelot-tiny] [--keep FOLDER] [--quick]

The shop is that of `pottery.py`; nothing is said about its columns.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from pottery import draw
from turns import Row, report

import ocelot
from ocelot.adapting.measure import Figure


def row(figure: Figure) -> Row:
    """One kind of question, with intervals of 95 %."""
    return {
        "question": f"{figure.task}, {figure.metric}",
        "questions": figure.questions,
        "before": [figure.before, *figure.before_interval],
        "after": [figure.after, *figure.after_interval],
        "gain": [figure.gain, *figure.gain_interval],
    }


def main() -> None:
    """Draw, adapt, report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10, help="of training")
    parser.add_argument("--encoder", default="ocelot-tiny", help="what is adapted")
    parser.add_argument("--keep", type=Path, help="folder for the shop and the encoder")
    parser.add_argument("--quick", action="store_true", help="a small shop, two steps")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch)
        draw(folder / "shop", 60 if args.quick else 170)
        found = ocelot.adapt(
            folder / "shop",
            encoder=args.encoder,
            minutes=args.minutes,
            steps=2 if args.quick else None,
            output=folder / "encoder",
            say=print,
        )
    print(found.reason)
    notes = {"encoder": args.encoder, "minutes": found.minutes}
    report("Adapting to a shop of pottery", [row(one) for one in found.figures], notes)


if __name__ == "__main__":
    main()
