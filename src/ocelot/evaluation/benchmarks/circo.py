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

__all__ = ["TEMPLATES", "read_circo"]

TEMPLATES = {
    "plain": "{text}",
    "photo": "a photo that {text}",
    "concept": "{concept} that {text}",
}
_INFO = Path("annotations", "image_info_unlabeled2017.json")


def read_circo(
    folder: Path, *, split: str = "val", images: Path | None = None, template: str = "plain"
) -> Benchmark:
    """Read a split of CIRCO.

    Args:
        split: "val" or "test".
        images: The folder of COCO's unlabeled pictures; by default
            `COCO2017_unlabeled/unlabeled2017`.

    Raises:
        MetadataError: A file cannot be read, or a record (named) is wrong.
        InputError: There is no such template.
    """
    wording = template_of(template, TEMPLATES, ["text", "concept"])
    coco = folder / "COCO2017_unlabeled"
    root = images or first_folder(coco / "unlabeled2017", folder / "unlabeled2017")
    near = (coco / _INFO, root.parent / _INFO)
    info = next((file for file in near if file.is_file()), near[0])
    listed = Record(read_json(info), str(info)).items("images", dict)
    pictures = {}
    for number, entry in enumerate(listed, 1):
        record = Record(entry, f"{info}, image {number}")
        pictures[str(record.integer("id"))] = Picture(root / record.text("file_name"))
    gallery = tuple(pictures)

    def query(record: Record) -> BenchmarkQuery:
        targets: list[str] = []
        groups: list[str] = []
        if split != "test":
            first, answers = record.integer("target_img_id"), record.items("gt_img_ids", int)
            targets = [str(id) for id in dict.fromkeys([first, *answers])]
            for target in targets:
                record.known("gt_img_ids", target, pictures)
            if "semantic_aspects" in record.fields:
                groups = record.items("semantic_aspects", str, least=0)
        reference = str(record.integer("reference_img_id"))
        fields = {key: record.text(name) for key, name in _FIELDS.items()}
        return BenchmarkQuery(
            str(record.integer("id")),
            record.known("reference_img_id", reference, pictures),
            filled(wording, fields),
            tuple(targets),
            gallery,
            groups=tuple(groups),
        )

    return Benchmark(
        f"circo {split}",
        "CIRCO over all of COCO unlabeled2017, the reference ranked too; mAP@k divides by "
        "min(answers, k), Rt@k is the recall of the picture that the text was written for.",
        wording,
        pictures,
        tuple(map(query, read_records(folder / "annotations" / f"{split}.json"))),
        tuple(f"{name}@{k}" for name in ("mAP", "Rt") for k in (5, 10, 25, 50)),
        gap="Rt@10",
        strict=split == "test",
    )


_FIELDS = {"text": "relative_caption", "concept": "shared_concept"}
