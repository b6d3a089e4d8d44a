"""GeneCIS: general conditional image similarity (Vaze et al., CVPR 2023, arXiv 2306.07969).

Files, in the layout of the repository facebookresearch/genecis::

    focus_attribute.json   [{"reference", "target", "gallery": […], "condition": "colour"}]
    change_attribute.json  a picture is {"image_id", "instance_bbox": [left, top, width, height]}
    focus_object.json, change_object.json      a picture is {"val_image_id"}

Attributes use crops of Visual Genome 1.2, objects whole pictures of COCO val2017.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from ocelot.errors import MetadataError
from ocelot.evaluation.benchmarks import base

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

Side = Annotated[float, Field(gt=0)]


class _Named(BaseModel):
    image_id: int | str | None = None
    instance_bbox: tuple[float, float, Side, Side] | None = None
    val_image_id: int | str | None = None


class _Record(BaseModel):
    reference: _Named
    target: _Named
    gallery: Annotated[list[_Named], Field(min_length=1)]
    condition: base.Text


def read_genecis(
    folder: Path, *, images: Path | None = None, template: str = "plain"
) -> base.Benchmark:
    """Read those of the four tasks whose files are there.

    Args:
        images: The folder with the pictures, or with the folders `VG_100K_all` (or `VG_100K` and
            `VG_100K_2`) and `val2017`; by default `folder`.

    Raises:
        MetadataError: There is no task, or a record (named) is wrong.
        InputError: There is no such template.
    """
    wording = base.template_of(template, TEMPLATES, ["text", "sentence"])
    root = images or folder
    pictures: dict[str, base.Picture] = {}

    def name_of(one: _Named) -> str:
        """The name of a picture, which is added to `pictures`."""
        if one.val_image_id is not None:
            file, box = str(one.val_image_id).zfill(12), None
        else:
            file, box = str(one.image_id), one.instance_bbox
        name = file if box is None else f"{file}@" + ",".join(f"{number:g}" for number in box)
        if name not in pictures:
            path = base.first_file(root / place / f"{file}.jpg" for place in _FOLDERS)
            pictures[name] = base.Picture(path, box)
        return name

    queries = []
    for task in TASKS:
        file = folder / f"{task}.json"
        if not file.is_file():
            continue
        for number, record in enumerate(base.read_json(file, list[_Record])):
            sentence = _SENTENCES[task].format(text=record.condition)
            target = name_of(record.target)
            ranked = dict.fromkeys([target, *map(name_of, record.gallery)])
            queries.append(
                base.BenchmarkQuery(
                    f"{task}-{number}",
                    name_of(record.reference),
                    wording.format(text=record.condition, sentence=sentence),
                    (target,),
                    tuple(ranked),
                    groups=(task,),
                )
            )
    if not queries:
        raise MetadataError(
            f"{folder} has no file of GeneCIS: {', '.join(f'{task}.json' for task in TASKS)}."
        )
    return base.Benchmark(
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
