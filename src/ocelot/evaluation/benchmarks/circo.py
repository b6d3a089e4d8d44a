"""CIRCO: composed retrieval with several answers (Baldrati et al., ICCV 2023, arXiv 2303.15247).

Files, in the layout of the repository miccunifi/CIRCO::

    annotations/val.json      [{"id", "reference_img_id", "relative_caption", "shared_concept",
                                "target_img_id", "gt_img_ids", "semantic_aspects"}]
    COCO2017_unlabeled/annotations/image_info_unlabeled2017.json
    COCO2017_unlabeled/unlabeled2017/          the 123,403 pictures, all of them ranked

The split `test` has no targets: its rankings go to the evaluation server of the authors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ocelot.evaluation.benchmarks import base

__all__ = ["TEMPLATES", "read_circo"]

TEMPLATES = {
    "plain": "{text}",
    "photo": "a photo that {text}",
    "concept": "{concept} that {text}",
}
_INFO = Path("annotations", "image_info_unlabeled2017.json")


class _TestRecord(BaseModel):
    id: int
    reference_img_id: int
    relative_caption: base.Text
    shared_concept: base.Text


class _Record(_TestRecord):
    target_img_id: int
    gt_img_ids: list[int]
    semantic_aspects: list[str] = []


class _CocoImage(BaseModel):
    id: int
    file_name: base.Text


class _Coco(BaseModel):
    images: list[_CocoImage]


def read_circo(
    folder: Path, *, split: str = "val", images: Path | None = None, template: str = "plain"
) -> base.Benchmark:
    """Read a split of CIRCO.

    Args:
        split: "val" or "test".
        images: The folder of COCO's unlabeled pictures; by default
            `COCO2017_unlabeled/unlabeled2017`.

    Raises:
        MetadataError: A file cannot be read, or a record (named) is wrong.
        InputError: There is no such template.
    """
    wording = base.template_of(template, TEMPLATES, ["text", "concept"])
    coco = folder / "COCO2017_unlabeled"
    root = images or coco / "unlabeled2017"
    info = base.first_file([coco / _INFO, root.parent / _INFO])
    listed = base.read_json(info, _Coco).images
    pictures = {str(image.id): base.Picture(root / image.file_name) for image in listed}
    gallery = tuple(pictures)
    kind: Any = list[_TestRecord] if split == "test" else list[_Record]
    queries = []
    for record in base.read_json(folder / "annotations" / f"{split}.json", kind):
        targets: tuple[str, ...] = ()
        groups: tuple[str, ...] = ()
        if isinstance(record, _Record):
            answers = dict.fromkeys([record.target_img_id, *record.gt_img_ids])
            targets, groups = tuple(map(str, answers)), tuple(record.semantic_aspects)
        queries.append(
            base.BenchmarkQuery(
                str(record.id),
                str(record.reference_img_id),
                wording.format(text=record.relative_caption, concept=record.shared_concept),
                targets,
                gallery,
                groups=groups,
            )
        )
    return base.Benchmark(
        f"circo {split}",
        "CIRCO over all of COCO unlabeled2017, the reference ranked too; mAP@k divides by "
        "min(answers, k), Rt@k is the recall of the picture that the text was written for.",
        wording,
        pictures,
        tuple(queries),
        tuple(f"{name}@{k}" for name in ("mAP", "Rt") for k in (5, 10, 25, 50)),
        gap="Rt@10",
        strict=split == "test",
    )
