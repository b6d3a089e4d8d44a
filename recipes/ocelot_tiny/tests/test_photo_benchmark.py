"""Evaluation sets of photographs: galleries and answers, looked at."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocelot.errors import ConfigurationError, InputError
from recipes.ocelot_tiny.colours import FAMILIES, SHADES, to_lab
from recipes.ocelot_tiny.photo_benchmark import (
    PHOTO_TASKS,
    read_photographs,
    write_photo_benchmark,
)
from recipes.ocelot_tiny.photographs import SIDE, PhotoSet

FOLDER = Path(__file__).parents[3] / "tests" / "data" / "photographs"


@dataclass(frozen=True)
class Line:
    reference: str | None
    text: str | None
    targets: list[str]
    task: str


def lines_of(file: Path) -> list[Line]:
    return [Line(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file), float)


def named(category: str, count: int) -> list[str]:
    with open(FOLDER / "metadata.csv", newline="", encoding="utf-8") as stream:
        names = [r["file_name"] for r in csv.DictReader(stream) if r["category"] == category]
    return names[:count]


pytestmark = pytest.mark.usefixtures("stencils_of_benchmarks")

HELD_OUT = frozenset(named("Longsleeve", 3) + named("Dress", 3) + named("Kiwi", 11))
OTHERS = frozenset(named("Milk", 4) + named("Shorts", 2))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> PhotoSet:
    """The held-out photographs, and those with which the gallery of views is filled."""
    copy = tmp_path_factory.mktemp("photographs")
    with open(copy / "metadata.csv", "w", encoding="utf-8") as stream:
        stream.write("file_name,category\n")
        with open(FOLDER / "metadata.csv", newline="", encoding="utf-8") as metadata:
            for row in csv.DictReader(metadata):
                if row["file_name"] in HELD_OUT | OTHERS:
                    stream.write(f"{row['file_name']},{row['category']}\n")
    for name in HELD_OUT | OTHERS:
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_bytes((FOLDER / name).read_bytes())
    return read_photographs(
        copy, copy / "cache.npy", "view", held_out=HELD_OUT, articles="clothing/", workers=1
    )


def articles(photos: PhotoSet) -> int:
    return sum(one.article and one.file_name in HELD_OUT for one in photos.photographs)


def gallery(file: Path) -> set[str]:
    return {f"images/{picture.name}" for picture in (file.parent / "images").iterdir()}


@pytest.mark.parametrize("task", PHOTO_TASKS)
def test_queries_name_pictures_of_the_gallery(photos: PhotoSet, task: str, tmp_path: Path) -> None:
    file = write_photo_benchmark(tmp_path, photos, task, held_out=HELD_OUT, queries=4)
    lines = lines_of(file)
    assert 0 < len(lines) <= 4
    for line in lines:
        assert line.task == task and line.targets
        assert line.reference not in line.targets
        assert {line.reference or line.targets[0], *line.targets} <= gallery(file)


def test_recolour(photos: PhotoSet, tmp_path: Path) -> None:
    file = write_photo_benchmark(tmp_path, photos, "recolour", held_out=HELD_OUT, seed=3)
    lines = lines_of(file)
    assert articles(photos) >= 5
    assert len(lines) == 2 * articles(photos)
    assert len(gallery(file)) == (1 + len(FAMILIES)) * articles(photos)
    assert (
        sum(line.text.startswith("same item in ") for line in lines if line.text) >= len(lines) // 2
    )
    anchors = to_lab(np.array([SHADES[family][family] for family in FAMILIES], float))
    shown = [one for one in photos.photographs if one.article and one.file_name in HELD_OUT]
    for line, photograph in zip(lines[::2], shown, strict=True):
        before, after = (pixels(tmp_path / str(n)) for n in (line.reference, line.targets[0]))
        left, top, right, bottom = (round(SIDE * edge) for edge in photograph.box)
        assert before.shape == after.shape == (bottom - top, right - left, 3)
        mask = photos.pixels[photos.photographs.index(photograph), 3, top:bottom, left:right]
        # Away from the article only the compression differs.
        assert np.abs(before - after)[mask == 0].mean() < 6
        # Where the article changed most it is now nearest to the colour asked for.
        change = np.abs(before - after).sum(axis=2)
        changed = after[(mask > 200) & (change >= np.median(change[mask > 200]))]
        distances = np.linalg.norm(anchors - to_lab(np.median(changed, axis=0)), axis=1)
        asked = str(line.text).removeprefix("same item in ")
        assert asked != photograph.colour
        assert asked in [FAMILIES[place] for place in np.argsort(distances)[:2]]


def test_print(photos: PhotoSet, tmp_path: Path) -> None:
    file = write_photo_benchmark(tmp_path, photos, "print", held_out=HELD_OUT)
    lines = lines_of(file)
    assert len(lines) == len(HELD_OUT)
    assert len(gallery(file)) == 4 * len(lines)
    literal = [line for line in lines if str(line.text).endswith(" with this image theme")]
    assert len(literal) >= len(lines) // 2
    # A product has the colours of the photograph that it was asked for with.
    colours = {
        line.reference: pixels(tmp_path / str(line.reference)).mean((0, 1)) for line in lines
    }
    centres = [pixels(tmp_path / line.targets[0])[36:-36, 36:-36].mean((0, 1)) for line in lines]
    own = [
        np.linalg.norm(colours[line.reference] - centre)
        for line, centre in zip(lines, centres, strict=True)
    ]
    any_other = [np.linalg.norm(c - centre) for c in colours.values() for centre in centres]
    assert np.mean(own) < 0.9 * np.mean(any_other)


def test_view_fills_the_gallery_with_others(photos: PhotoSet, tmp_path: Path) -> None:
    file = write_photo_benchmark(tmp_path, photos, "view", held_out=HELD_OUT)
    lines = lines_of(file)
    assert len(lines) == len(HELD_OUT) and {line.text for line in lines} == {None}
    assert len(gallery(file)) == 2 * len(HELD_OUT) + len(OTHERS)
    asked_for = {name for line in lines for name in line.targets}
    assert len(asked_for) == len(HELD_OUT)
    assert len(gallery(file) - asked_for - {str(line.reference) for line in lines}) == len(OTHERS)


def test_words(photos: PhotoSet, tmp_path: Path) -> None:
    file = write_photo_benchmark(tmp_path, photos, "words", held_out=HELD_OUT)
    lines = lines_of(file)
    # Of the held-out categories only kiwis are ten.
    assert [line.text for line in lines] == ["kiwi", "kiwis", "a photo of a kiwi"]
    assert {line.reference for line in lines} == {None}
    assert len(gallery(file)) == len(HELD_OUT)
    kiwis = [one for one in photos.photographs if one.kind == "kiwi"]
    for name, photograph in zip(lines[0].targets, kiwis, strict=True):
        source = Image.open(FOLDER / photograph.file_name).convert("RGB")
        source.thumbnail((SIDE, SIDE))
        assert np.abs(pixels(tmp_path / name) - np.asarray(source, float)).mean() < 6


def test_the_seed_decides(photos: PhotoSet, tmp_path: Path) -> None:
    files = [
        write_photo_benchmark(
            tmp_path / name, photos, "print", held_out=HELD_OUT, queries=2, seed=seed
        )
        for name, seed in (("one", 1), ("same", 1), ("other", 2))
    ]
    one, same, other = (
        [file.read_bytes()] + [(file.parent / name).read_bytes() for name in sorted(gallery(file))]
        for file in files
    )
    assert one == same and one != other


def test_what_cannot_be_used(photos: PhotoSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="task must be one of recolour"):
        write_photo_benchmark(tmp_path, photos, "sounds", held_out=HELD_OUT)
    with pytest.raises(InputError, match="No held-out photograph can be used"):
        write_photo_benchmark(tmp_path / "a", photos, "view", held_out=frozenset({"x.jpg"}))
    write_photo_benchmark(tmp_path / "b", photos, "words", held_out=HELD_OUT)
    with pytest.raises(InputError, match="has pictures already"):
        write_photo_benchmark(tmp_path / "b", photos, "words", held_out=HELD_OUT)
    cache = tmp_path / "cache.npy"
    with pytest.raises(ConfigurationError, match=r"metadata\.csv"):
        read_photographs(tmp_path, cache, "words", held_out=HELD_OUT)
    with pytest.raises(InputError, match="None of the held-out"):
        read_photographs(FOLDER, cache, "words", held_out=frozenset({"x.jpg"}))
