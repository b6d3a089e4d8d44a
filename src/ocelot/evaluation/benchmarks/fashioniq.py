"""FashionIQ: retrieval with relative captions (Wu et al., CVPR 2021, arXiv 1905.12794).

Files, in the layout of the repository XiaoxiaoGuo/fashion-iq, for dress, shirt and toptee::

    captions/cap.dress.val.json        [{"target", "candidate", "captions": [two texts]}]
    image_splits/split.dress.val.json  [names of the gallery]
    images/                            NAME.jpg or NAME.png
"""

from __future__ import annotations

from pathlib import Path

from ocelot.errors import MetadataError
from ocelot.evaluation.benchmarks.base import (
    Benchmark,
    BenchmarkQuery,
    Picture,
    Record,
    files_by_name,
    filled,
    first_folder,
    read_json,
    read_records,
    template_of,
)

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


def read_fashioniq(
    folder: Path,
    *,
    split: str = "val",
    images: Path | None = None,
    gallery: str = "original",
    template: str = "and",
) -> Benchmark:
    """Read a split of FashionIQ.

    Args:
        images: The folder of the pictures; by default `images`.
        gallery: A key of `GALLERIES`.
        template: How the two captions become one text.

    Raises:
        MetadataError: A file cannot be read, or a record (named) is wrong.
        InputError: There is no such template.
    """
    wording = template_of(template, TEMPLATES, ["first", "second"])
    files = files_by_name([root := images or first_folder(folder / "images", folder)])
    pictures: dict[str, Picture] = {}
    queries: list[BenchmarkQuery] = []
    for category in CATEGORIES:
        records = read_records(folder / "captions" / f"cap.{category}.{split}.json")
        names = _names(folder, category, split)
        if gallery == "captions":
            named = {record.text(key) for record in records for key in ("candidate", "target")}
            names = [name for name in names if name in named]
        ranked, known = tuple(names), set(names)
        for name in ranked:
            found = (files[name + end] for end in _SUFFIXES if name + end in files)
            pictures[name] = Picture(next(found, root / f"{name}.jpg"))
        queries += [
            _query(record, f"{category}-{number}", ranked, known, wording, category)
            for number, record in enumerate(records)
        ]
    return Benchmark(
        f"fashioniq {split}",
        f"FashionIQ with the gallery {gallery!r} ({GALLERIES[gallery]}), the reference ranked "
        "too; R@k in each category, and their unweighted mean.",
        wording,
        pictures,
        tuple(queries),
        ("R@10", "R@50", "mean(R@10,R@50)"),
        averages_groups=True,
    )


def _names(folder: Path, category: str, split: str) -> list[str]:
    file = folder / "image_splits" / f"split.{category}.{split}.json"
    names = read_json(file)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise MetadataError(f"{file} is not a JSON list of names.")
    return list(dict.fromkeys(names))


def _query(
    record: Record, id: str, ranked: tuple[str, ...], known: set[str], wording: str, category: str
) -> BenchmarkQuery:
    first, second = (text.strip(_ENDS) for text in record.items("captions", str, least=2)[:2])
    return BenchmarkQuery(
        id,
        record.known("candidate", record.text("candidate"), known),
        filled(wording, {"first": first, "second": second}),
        (record.known("target", record.text("target"), known),),
        ranked,
        groups=(category,),
    )
