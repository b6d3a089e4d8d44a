"""GeneCIS: general conditional image similarity (Vaze et al., CVPR 2023, arXiv 2306.07969).

Files, in the layout of the repository facebookresearch/genecis::

    focus_attribute.json   [{"reference", "target", "gallery": […], "condition": "colour"}]
    change_attribute.json  a picture is {"image_id", "instance_bbox": [left, top, width, height]}
    focus_object.json, change_object.json      a picture is {"val_image_id"}

Attributes use crops of Visual Genome 1.2, objects whole pictures of COCO val2017.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ocelot.errors import MetadataError
from ocelot.evaluation.benchmarks.base import (
    Benchmark,
    BenchmarkQuery,
    Box,
    Picture,
    Record,
    files_by_name,
    filled,
    first_folder,
    read_records,
    template_of,
)

__all__ = ["TASKS", "TEMPLATES", "read_genecis"]

TASKS = ("focus_attribute", "change_attribute", "focus_object", "change_object")
TEMPLATES = {
    "plain": "{text}",
    "task": "{sentence}",
}
_SENTENCES = {
    "focus_attribute": "the same {text}",
    "change_attribute": "the same object, but {text}",
    "focus_object": "with the same {text}",
    "change_object": "the same scene with {text}",
}
_FOLDERS = ("", "VG_100K_all", "VG_100K", "VG_100K_2", "val2017", "COCO_val2017")


def read_genecis(folder: Path, *, images: Path | None = None, template: str = "plain") -> Benchmark:
    """Read those of the four tasks whose files are there.

    Args:
        images: The folder with the pictures, or with the folders `VG_100K_all` (or `VG_100K` and
            `VG_100K_2`) and `val2017`; by default `folder`.

    Raises:
        MetadataError: There is no task, or a record (named) is wrong.
        InputError: There is no such template.
    """
    wording = template_of(template, TEMPLATES, ["text", "sentence"])
    place = first_folder(folder / "genecis", folder)
    root = images or folder
    files = files_by_name(root / name for name in _FOLDERS)
    pictures: dict[str, Picture] = {}
    queries = []
    for task in TASKS:
        file = place / f"{task}.json"
        if not file.is_file():
            continue
        for number, record in enumerate(read_records(file)):
            condition = record.text("condition")
            sentence = filled(_SENTENCES[task], {"text": condition})
            reference, target = (
                _named(record.part(key), root, files, pictures) for key in ("reference", "target")
            )
            others = [
                _named(Record(one, f"{record.where}, gallery"), root, files, pictures)
                for one in record.items("gallery", dict)
            ]
            queries.append(
                BenchmarkQuery(
                    f"{task}-{number}",
                    reference,
                    filled(wording, {"text": condition, "sentence": sentence}),
                    (target,),
                    tuple(dict.fromkeys([target, *others])),
                    groups=(task,),
                )
            )
    if not queries:
        raise MetadataError(
            f"{place} has no file of GeneCIS: {', '.join(f'{task}.json' for task in TASKS)}."
        )
    return Benchmark(
        "genecis",
        "GeneCIS: the target and its own gallery are ranked; boxes are cropped with a margin and "
        "squared; R@k in each task, and their unweighted mean. The gap is of R@1, as a gallery "
        "has 15 pictures or fewer.",
        wording,
        pictures,
        tuple(queries),
        ("R@1", "R@2", "R@3"),
        gap="R@1",
        averages_groups=True,
    )


def _named(
    record: Record, root: Path, files: Mapping[str, Path], pictures: dict[str, Picture]
) -> str:
    """The name of a picture, which is added to `pictures`."""
    box = None
    key = "val_image_id" if "val_image_id" in record.fields else "image_id"
    name = str(record.fields.get(key))  # a number or its digits
    if not name.isdecimal():
        raise record.wrong(key, "a whole number")
    if key == "val_image_id":
        name = name.zfill(12)
    else:
        value = record.fields.get("instance_bbox")
        numbers = isinstance(value, list) and all(isinstance(one, (int, float)) for one in value)
        if value is not None:
            if not numbers or len(value) != 4 or min(value[2:]) <= 0:
                raise record.wrong("instance_bbox", "left, top, width and height")
            box = Box(*value)
    file = f"{name}.jpg"
    if box is not None:
        name += "@" + ",".join(f"{number:g}" for number in box)
    pictures[name] = Picture(files.get(file, root / file), box)
    return name
