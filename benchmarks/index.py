"""`ocelot index` and the tutorial's loop: the same files, the same model, from start to end.

    python benchmarks/index.py [--pictures DIR] [--encoder base --device cuda] [--quick]

Two comparisons, in turns: within one process with the model loaded, and as whole processes from
start to end. The loop embeds one picture at a time and inserts the vectors and names into Milvus
Lite with plain pymilvus, as the tutorial does. The encoder "base" has the geometry of the published
model and random weights.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path

from models import checkpoint_folder
from turns import Side, compared, in_turns, report
from tutorial import Tutorial


def loop(tutorial: Tutorial, files: list[Path], db: str) -> None:
    """Embed one by one, then insert all."""
    from pymilvus import MilvusClient

    client = MilvusClient(uri=db)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, help="a folder; drawn ones by default")
    parser.add_argument("--count", type=int, default=900, help="of drawn pictures")
    parser.add_argument("--encoder", default="ocelot-tiny")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loop", help=argparse.SUPPRESS)  # the loop's own process
    parser.add_argument("--quick", action="store_true", help="fewer pictures and rounds")
    args = parser.parse_args()
    if args.quick:
        args.count, args.rounds = 200, 2
    from ocelot.encoders.weights import load_checkpoint

    if args.loop:
        files = pictures_in(args.pictures)
        loop(Tutorial(load_checkpoint(args.encoder), args.device), files, args.loop)
        return
    from shop import write_catalogue

    import ocelot
    from ocelot.build import build_encoder
    from ocelot.settings import load_settings

    with tempfile.TemporaryDirectory() as temporary:
        databases = (f"{temporary}/{number}.db" for number in count())
        folder = args.pictures
        if folder is None:
            folder = write_catalogue(Path(temporary, "shop"), args.count).directory / "images"
        files = pictures_in(folder)
        model = checkpoint_folder(args.encoder, Path(temporary))
        tutorial = Tutorial(load_checkpoint(model), args.device)
        encoder = build_encoder(load_settings(encoder=model, device=args.device))

        def index() -> None:
            with ocelot.open(next(databases), encoder=encoder, reranker=None) as engine:
                done = engine.index(folder)
            assert done.encoded + done.relocated == len(files), done

        def process(*command: str) -> None:
            subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)

        given = ["--encoder", model, "--device", args.device]
        script = [__file__, "--pictures", str(folder), *given]
        command = ["-m", "ocelot", "index", str(folder), *given]
        sides = [
            Side("tutorial's loop", lambda: loop(tutorial, files, next(databases))),
            Side("`engine.index`", index),
        ]
        whole = [
            Side("tutorial's loop", lambda: process(*script, "--loop", next(databases))),
            Side("`ocelot index`", lambda: process(*command, "--db", next(databases))),
        ]
        for what, compare in (("model loaded", sides), ("whole process", whole)):
            rows = compared(in_turns(compare, args.rounds), len(files))
            place = "" if args.device == "cpu" else f" on {args.device}"
            title = f"Indexing, {args.encoder}{place}, {what}"
            report(title, rows, {"pictures": len(files), "ours": encoder.runtime})


if __name__ == "__main__":
    main()
