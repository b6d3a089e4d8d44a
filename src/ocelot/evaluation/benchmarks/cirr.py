"""CIRR: composed image retrieval on real-life images (Liu et al., ICCV 2021, arXiv 2108.04024).

Files, in the layout of the repository Cuberick-Orion/CIRR, branch `cirr_dataset`::

    captions/cap.rc2.val.json       [{"pairid", "reference", "target_hard", "caption", "img_set"}]
    image_splits/split.rc2.val.json {name: path below the folder of pictures}
    img_raw/                        the pictures of NLVR2

The split `test1` has no targets: its rankings go to the evaluation server of the authors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ocelot.evaluation.benchmarks import base

__all__ = ["TEMPLATES", "read_cirr"]

TEMPLATES = {
    "plain": "{text}",
    "but": "the same picture, but {text}",
    "photo": "a photo that shows this change: {text}",
}


class _Set(BaseModel):
    members: list[str]


class _TestRecord(BaseModel):
    pairid: int
    reference: str
    caption: base.Text
    img_set: _Set


class _Record(_TestRecord):
    target_hard: str


def read_cirr(
    folder: Path, *, split: str = "val", images: Path | None = None, template: str = "plain"
) -> base.Benchmark:
    """Read a split of CIRR, version rc2.

    Args:
        split: "val" or "test1".
        images: The folder that the paths of `image_splits` start from; by default `img_raw`.

    Raises:
        MetadataError: A file cannot be read, or a record (named) is wrong.
        InputError: There is no such template.
    """
    wording = base.template_of(template, TEMPLATES, ["text"])
    root = images or folder / "img_raw"
    paths = base.read_json(folder / "image_splits" / f"split.rc2.{split}.json", dict[str, str])
    pictures = {name: base.Picture(root / path) for name, path in paths.items()}
    gallery = tuple(pictures)
    kind: Any = list[_TestRecord] if split == "test1" else list[_Record]
    queries = tuple(
        base.BenchmarkQuery(
            str(record.pairid),
            record.reference,
            wording.format(text=record.caption),
            (record.target_hard,) if isinstance(record, _Record) else (),
            gallery,
            tuple(name for name in record.img_set.members if name != record.reference),
        )
        for record in base.read_json(folder / "captions" / f"cap.rc2.{split}.json", kind)
    )
    return base.Benchmark(
        f"cirr {split}",
        "CIRR rc2: all pictures of the split are ranked without the reference; R@k on "
        "target_hard, Rs@k among the other members of the query's set.",
        wording,
        pictures,
        queries,
        ("R@1", "R@5", "R@10", "R@50", "Rs@1", "Rs@2", "Rs@3", "mean(R@5,Rs@1)"),
        ranks_reference=False,
        strict=split == "test1",
    )
