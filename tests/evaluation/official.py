"""Benchmarks of a few pictures of one colour each, in the layout of the official files.

The encoder adds the colour of a picture to the colour that the last word of a text names, so that
every ranking can be worked out by hand: red and "blue" is nearest to magenta.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ocelot.encoders import FunctionEncoder

COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "indigo": (40, 0, 255),
    "magenta": (255, 0, 255),
    "white": (255, 255, 255),
    "yellow": (255, 255, 0),
}


def _added(image: Image.Image | None, text: str | None) -> Any:
    vector = np.ones(3)
    if image is not None:
        vector += np.asarray(image).mean((0, 1))
    if text is not None:
        vector += COLOURS.get(text.split()[-1].strip("."), (9, 9, 9))
    return vector


ENCODER = FunctionEncoder(_added, dimension=3)


def paint(path: Path, colour: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), COLOURS[colour]).save(path)


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def cirr(folder: Path, split: str = "val") -> Path:
    """Red + "blue" is magenta, first of all; red + "green" asks for green, third of all."""
    names = ["red", "green", "indigo", "magenta", "white", "yellow"]
    for name in names:
        paint(folder / "img_raw" / "dev" / f"{name}.png", name)
    write(
        folder / "image_splits" / f"split.rc2.{split}.json",
        {name: f"./dev/{name}.png" for name in names},
    )
    records = [
        {
            "pairid": pairid,
            "reference": "red",
            "target_hard": target,
            "target_soft": {target: 1.0},
            "caption": caption,
            "img_set": {"id": 1, "members": names, "reference_rank": 0, "target_rank": 1},
        }
        for pairid, caption, target in ((12060, "blue", "magenta"), (12062, "green", "green"))
    ]
    if split == "test1":
        for record in records:
            del record["target_hard"], record["target_soft"], record["img_set"]["target_rank"]
    write(folder / "captions" / f"cap.rc2.{split}.json", records)
    return folder


def fashioniq(folder: Path) -> Path:
    """The shirt's target stands behind twelve white pictures; the other targets are first."""
    for category, queries in (("dress", 1), ("shirt", 1), ("toptee", 3)):
        whites = [f"{category}W{number}" for number in range(12)]
        for name in whites:
            paint(folder / "images" / f"{name}.jpg", "white")
        for colour in ("red", "magenta", "green"):
            paint(folder / "images" / f"{category}-{colour}.png", colour)
        names = [f"{category}-{colour}" for colour in ("red", "magenta", "green")]
        write(folder / "image_splits" / f"split.{category}.val.json", [*names, *whites])
        target = names[2] if category == "shirt" else names[1]
        record = {"candidate": names[0], "target": target, "captions": ["is long. ", "is blue?"]}
        write(folder / "captions" / f"cap.{category}.val.json", [record] * queries)
    return folder


def circo(folder: Path, split: str = "val") -> Path:
    """Red + "blue" finds 3 magenta, 5 white, 2 indigo, 1 red, 4 green, in this order."""
    ids = {1: "red", 2: "indigo", 3: "magenta", 4: "green", 5: "white"}
    coco = folder / "COCO2017_unlabeled"
    for id, colour in ids.items():
        paint(coco / "unlabeled2017" / f"{id:012d}.jpg", colour)
    write(
        coco / "annotations" / "image_info_unlabeled2017.json",
        {"images": [{"id": id, "file_name": f"{id:012d}.jpg", "width": 8} for id in ids]},
    )
    records: list[dict[str, Any]] = [
        {
            "id": 0,
            "reference_img_id": 1,
            "target_img_id": 2,
            "gt_img_ids": [2, 3],
            "relative_caption": "is blue",
            "shared_concept": "a square",
            "semantic_aspects": ["direct_addressing", "addition"],
        },
        {
            "id": 1,
            "reference_img_id": 5,
            "target_img_id": 1,
            "gt_img_ids": [1],
            "relative_caption": "is red",
            "shared_concept": "a square",
            "semantic_aspects": ["addition"],
        },
    ]
    if split == "test":
        for record in records:
            for key in ("target_img_id", "gt_img_ids", "semantic_aspects"):
                del record[key]
    write(folder / "annotations" / f"{split}.json", records)
    return folder


def genecis(folder: Path) -> Path:
    """A task of crops, whose target is the blue half of a picture, and one of whole pictures."""
    halves = Image.new("RGB", (100, 60), COLOURS["red"])
    halves.paste(COLOURS["blue"], (50, 0, 100, 60))
    (folder / "VG_100K_all").mkdir(parents=True)
    halves.save(folder / "VG_100K_all" / "7.jpg", quality=100, subsampling=0)
    red = {"image_id": 7, "instance_bbox": [0, 0, 10, 30]}
    blue = {"image_id": 7, "instance_bbox": [80, 20, 20, 20]}
    write(
        folder / "focus_attribute.json",
        [{"reference": red, "target": blue, "gallery": [red], "condition": "blue"}],
    )
    for number, colour in enumerate(("red", "green", "white", "yellow"), 1):
        paint(folder / "val2017" / f"{number:012d}.jpg", colour)
    pictures = [{"val_image_id": number} for number in range(1, 5)]
    write(
        folder / "change_object.json",
        [
            {
                "reference": pictures[0],
                "target": pictures[2],
                "gallery": [pictures[1], pictures[3]],
                "condition": "green",
            }
        ],
    )
    return folder
