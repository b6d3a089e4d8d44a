"""CIRR: composed image retrieval on real-life images (Liu et al., ICCV 2021, arXiv 2108.04024).

Files, in the layout of the repository Cuberick-Orion/CIRR, branch `cirr_dataset`::

    captions/cap.rc2.val.json       [{"pairid", "reference", "target_hard", "caption", "img_set"}]
    image_splits/split.rc2.val.json {name: path below the folder of pictures}
    img_raw/                        the pictures of NLVR2

The split `test1` has no targets: its rankings go to the evaluation server of the authors.
"""

from __future__ import annotations

from pathlib import Path

from ocelot.errors import MetadataError
from ocelot.evaluation.benchmarks.base import (
    Benchmark,
    BenchmarkQuery,
    Picture,
    Record,
    filled,
    first_folder,
    read_json,
    read_records,
    template_of,
)

__all__ = ["TEMPLATES", "read_cirr"]

TEMPLATES = {
    "plain": "{text}",
    "but": "the same picture, but {text}",
    "photo": "a photo that shows this change: {text}",
}


def read_cirr(
    folder: Path, *, split: str = "val", images: Path | None = None, template: str = "plain"
) -> Benchmark:
    """Read a split of CIRR, version rc2.

    Args:
        split: "val" or "test1".
        images: The folder that the paths of `image_splits` start from; by default `img_raw`.

    Raises:
        MetadataError: A file cannot be read, or a record (named) is wrong.
        InputError: There is no such template.
    """
    wording = template_of(template, TEMPLATES, ["text"])
    root = images or first_folder(folder / "img_raw", folder)
    index = folder / "image_splits" / f"split.rc2.{split}.json"
    paths = read_json(index)
    if not isinstance(paths, dict) or not all(isinstance(path, str) for path in paths.values()):
        raise MetadataError(f"{index} is not a JSON object of names and paths.")
    pictures = {name: Picture(root / path) for name, path in paths.items()}
    gallery = tuple(pictures)

    def query(record: Record) -> BenchmarkQuery:
        reference = record.known("reference", record.text("reference"), pictures)
        members = record.part("img_set").items("members", str)
        for member in members:
            record.known("img_set", member, pictures)
        targets: tuple[str, ...] = ()
        if split != "test1":
            targets = (record.known("target_hard", record.text("target_hard"), pictures),)
            if targets == (reference,):
                raise MetadataError(f"{record.where}: the target is the reference itself.")
        return BenchmarkQuery(
            str(record.integer("pairid")),
            reference,
            filled(wording, {"text": record.text("caption")}),
            targets,
            gallery,
            tuple(member for member in members if member != reference),
        )

    return Benchmark(
        f"cirr {split}",
        "CIRR rc2: all pictures of the split are ranked without the reference; R@k on "
        "target_hard, Rs@k among the other members of the query's set.",
        wording,
        pictures,
        tuple(map(query, read_records(folder / "captions" / f"cap.rc2.{split}.json"))),
        ("R@1", "R@5", "R@10", "R@50", "Rs@1", "Rs@2", "Rs@3", "mean(R@5,Rs@1)"),
        ranks_reference=False,
        strict=split == "test1",
    )
