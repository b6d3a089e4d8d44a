"""FashionIQ: retrieval with relative captions (Wu et al., CVPR 2021, arXiv 1905.12794).

Files, in the layout of the repository XiaoxiaoGuo/fashion-iq, for dress, shirt and toptee::

    captions/cap.dress.val.json        [{"target", "candidate", "captions": [two texts]}]
    image_splits/split.dress.val.json  [names of the gallery]
    images/                            NAME.jpg or NAME.png
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from ocelot.evaluation.benchmarks import base

__all__ = ["CATEGORIES", "GALLERIES", "TEMPLATES", "read_fashioniq"]

CATEGORIES = ("dress", "shirt", "toptee")
GALLERIES = {
    "original": "all pictures of the category's split",
    "captions": "only the pictures that the captions name, which is easier",
}
TEMPLATES = {
    "and": "{first} and {second}",
    "comma": "{first}, {second}",
    "sentences": "{first}. {second}.",
    "first": "{first}",
}
_SUFFIXES = (".jpg", ".png", ".jpeg")
_ENDS = ".?, "  # signs at the ends of captions, which the templates set anew


class _Record(BaseModel):
    candidate: str
    target: str
    captions: Annotated[list[str], Field(min_length=2)]


def read_fashioniq(
    folder: Path,
    *,
    split: str = "val",
    images: Path | None = None,
    gallery: str = "original",
    template: str = "and",
) -> base.Benchmark:
    """Read a split of FashionIQ.

    Args:
        images: The folder of the pictures; by default `images`.
        gallery: A key of `GALLERIES`.
        template: How the two captions become one text.

    Raises:
        MetadataError: A file cannot be read, or a record (named) is wrong.
        InputError: There is no such template.
    """
    wording = base.template_of(template, TEMPLATES, ["first", "second"])
    root = images or folder / "images"
    pictures: dict[str, base.Picture] = {}
    queries: list[base.BenchmarkQuery] = []
    for category in CATEGORIES:
        captions = folder / "captions" / f"cap.{category}.{split}.json"
        splits = folder / "image_splits" / f"split.{category}.{split}.json"
        records, names = base.read_json(captions, list[_Record]), base.read_json(splits, list[str])
        if gallery == "captions":
            named = {name for record in records for name in (record.candidate, record.target)}
            names = [name for name in names if name in named]
        ranked = tuple(dict.fromkeys(names))
        for name in ranked:
            file = base.first_file(root / f"{name}{suffix}" for suffix in _SUFFIXES)
            pictures[name] = base.Picture(file)
        for number, record in enumerate(records):
            first, second = (caption.strip(_ENDS) for caption in record.captions[:2])
            queries.append(
                base.BenchmarkQuery(
                    f"{category}-{number}",
                    record.candidate,
                    wording.format(first=first, second=second),
                    (record.target,),
                    ranked,
                    groups=(category,),
                )
            )
    return base.Benchmark(
        f"fashioniq {split}",
        f"FashionIQ with the gallery {gallery!r} ({GALLERIES[gallery]}), the reference ranked "
        "too; R@k in each category, and their unweighted mean.",
        wording,
        pictures,
        tuple(queries),
        ("R@10", "R@50", "mean(R@10,R@50)"),
        averages_groups=True,
    )
