"""A panorama of nine pictures: ours, and composed with OpenCV as the Milvus tutorial has it.

    python benchmarks/panorama.py [--pictures DIR] [--rounds 15] [--quick]

The tutorial's way, written anew: each picture decoded whole with Pillow, turned to BGR, resized by
OpenCV to 300 x 300 whatever its shape, a black border and its number on it, three rows of three;
the query with a blue border in a column at the left. Ours reads the same files, or the small
copies that indexing keeps of large ones; both end with pixels in memory. Once with pictures as a
shop has them (450 pixels a side), once as from a camera (4000 x 3000).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from shop import write_catalogue
from turns import Side, compared, in_turns, report

from ocelot.images.decode import hash_bytes
from ocelot.images.file import ImageFile
from ocelot.images.store import ImageStore
from ocelot.images.thumbnails import Thumbnails
from ocelot.rerankers.panorama.compose import panorama_of_hits
from ocelot.types import Hit, Query

COUNT = 9
CELL, BORDER = 300, 2
TEXT = "phone case with this image theme"


def opencv_panorama(query: Path, candidates: list[Path]) -> np.ndarray:
    """The composition of the tutorial; BGR, shape (900, 1200, 3)."""
    side = 3 * CELL
    column = np.full((side, CELL, 3), 255, np.uint8)
    shown = cv2.resize(read(query), (CELL, CELL))
    shown = cv2.copyMakeBorder(shown, 10, 10, 10, 10, cv2.BORDER_CONSTANT, value=(255, 0, 0))
    column[2 * CELL :] = cv2.resize(shown, (CELL, CELL))
    cv2.putText(column, "query", (10, side + 30), cv2.FONT_HERSHEY_SIMPLEX, 1, (255, 0, 0), 2)
    grid = np.full((side, side, 3), 255, np.uint8)
    pictures = [read(path) for path in candidates]
    for number, picture in enumerate(pictures):
        inner = CELL - 2 * BORDER
        tile = cv2.copyMakeBorder(
            cv2.resize(picture, (inner, inner)),
            BORDER, BORDER, BORDER, BORDER, cv2.BORDER_CONSTANT, value=(0, 0, 0),
        )  # fmt: skip
        top, left = number // 3 * CELL, number % 3 * CELL
        grid[top : top + CELL, left : left + CELL] = tile
        (width, height), _ = cv2.getTextSize(str(number), cv2.FONT_HERSHEY_SIMPLEX, 1, 2)
        place = (left + (CELL - width) // 2, top + (CELL + height) // 2)
        cv2.putText(grid, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, 1, (0, 0, 255), 2)
    return np.hstack([column, grid])


def read(path: Path) -> np.ndarray:
    """A picture as the tutorial reads it: decoded by Pillow, channels turned around for OpenCV."""
    with Image.open(path) as file:
        return np.array(file.convert("RGB"))[:, :, ::-1]


def shop_pictures(folder: Path) -> list[Path]:
    """Ten drawn pictures of 450 pixels a side."""
    shop = write_catalogue(folder, 20)
    files = sorted((shop.directory / "images").iterdir())[: COUNT + 1]
    made = []
    for number, file in enumerate(files):
        made.append(folder / f"{number}-450.jpg")
        picture = ImageFile.of(file).rgb().resize((450, 450), Image.Resampling.LANCZOS)
        picture.save(made[-1], "JPEG", quality=90)
    return made


def camera_pictures(folder: Path, files: list[Path]) -> list[Path]:
    """The same pictures as large as a camera makes them, with its grain."""
    grain = np.random.default_rng(0).normal(0, 6, (3000, 4000, 1)).astype(np.float32)
    made = []
    for number, file in enumerate(files):
        pixels = np.asarray(ImageFile.of(file).rgb().resize((4000, 3000), Image.Resampling.BICUBIC))
        noisy = np.clip(pixels + np.roll(grain, 97 * number, 1), 0, 255).astype(np.uint8)
        made.append(folder / f"{number}-camera.jpg")
        Image.fromarray(noisy).save(made[-1], "JPEG", quality=90)
    return made


def hits_of(files: list[Path]) -> list[Hit]:
    return [
        Hit(hash_bytes(file.read_bytes()), (str(file),), score=0.5, rank=rank)
        for rank, file in enumerate(files, 1)
    ]


def compare(title: str, files: list[Path], folder: Path, rounds: int) -> None:
    query, *others = files
    hits, files_only = hits_of(others), ImageStore()
    sides = [
        Side("OpenCV, as the tutorial", lambda: opencv_panorama(query, others)),
        Side("from files", lambda: panorama_of_hits(Query(query, TEXT), hits, files_only)),
    ]
    stored = Thumbnails(folder / "thumbnails.sqlite")
    large = [ImageFile.of(file).rgb() for file in others]
    if all(stored.wants(*picture.size) for picture in large):
        jpegs = [Thumbnails.make(picture) for picture in large]
        stored.put(dict(zip((hit.id for hit in hits), jpegs, strict=True)))
        copies = ImageStore(stored)
        sides.append(
            Side("from small copies", lambda: panorama_of_hits(Query(query, TEXT), hits, copies))
        )
    del large
    report(title, compared(in_turns(sides, rounds), what="panoramas"))
    stored.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, help="a folder of ten or more, as of a shop")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    rounds = 5 if arguments.quick else arguments.rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.pictures is None:
            files = shop_pictures(folder)
        else:
            found = sorted(path for path in arguments.pictures.rglob("*") if path.is_file())
            files = found[: COUNT + 1]
        compare("Panorama of nine pictures of a shop", files, folder, rounds)
        compare(
            "Panorama of nine pictures of a camera", camera_pictures(folder, files), folder, rounds
        )


if __name__ == "__main__":
    main()
