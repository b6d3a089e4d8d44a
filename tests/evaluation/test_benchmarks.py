"""The official formats, read unchanged; rankings that can be worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ocelot.errors import InputError, MetadataError
from ocelot.evaluation import evaluate, rank
from ocelot.evaluation.benchmarks.base import Benchmark, Picture
from ocelot.evaluation.benchmarks.circo import read_circo
from ocelot.evaluation.benchmarks.cirr import read_cirr
from ocelot.evaluation.benchmarks.fashioniq import read_fashioniq
from ocelot.evaluation.benchmarks.genecis import read_genecis
from ocelot.evaluation.report import submissions
from tests.evaluation import official
from tests.evaluation.official import ENCODER


def test_cirr(tmp_path: Path) -> None:
    run = rank(ENCODER, read_cirr(official.cirr(tmp_path)))
    # Red + blue: magenta, white, indigo, …; red + green: yellow, white, green, … without red.
    first, second = run.kinds["composed"].values()
    assert first.names[:3] == ("magenta", "white", "indigo") and "red" not in first.names
    assert second.names[:3] == ("yellow", "white", "green") and len(second.names) == 5
    found = evaluate(run)
    assert found.queries == 2 and found.gallery == 6
    assert found.composed == {
        "R@1": 0.5, "R@5": 1.0, "R@10": 1.0, "R@50": 1.0,
        "Rs@1": 0.5, "Rs@2": 0.5, "Rs@3": 1.0, "mean(R@5,Rs@1)": 0.75,
    }  # fmt: skip
    assert found.composition_gap is not None
    assert (found.composition_gap.metric, found.composition_gap.queries) == ("R@10", 2)
    assert found.text_only["queries"] == 2 and found.tasks == {}


def test_the_subset_is_ranked_without_the_pictures_around_it(tmp_path: Path) -> None:
    folder = official.cirr(tmp_path)
    file = folder / "captions" / "cap.rc2.val.json"
    records = json.loads(file.read_text())
    records[1]["img_set"]["members"] = ["red", "green", "indigo"]
    official.write(file, records)
    run = rank(ENCODER, read_cirr(folder))
    second = run.kinds["composed"][1]
    assert second.subset[0] == "green" and second.places.subset == 1
    assert second.places.first == 3  # among all


def test_submissions_to_cirr_byte_for_byte(tmp_path: Path) -> None:
    run = rank(ENCODER, read_cirr(official.cirr(tmp_path, "test1"), split="test1"))
    assert evaluate(run).composed == {}  # there are no answers
    one = '"magenta", "white", "indigo", "yellow", "green"'
    two = '"yellow", "white", "green", "magenta", "indigo"'
    start = '{"version": "rc2", "metric": '
    assert submissions(run) == {
        "recall": f'{start}"recall", "12060": [{one}], "12062": [{two}]}}',
        "recall_subset": f'{start}"recall_subset", "12060": ["magenta", "white", "indigo"], '
        '"12062": ["yellow", "white", "green"]}',
    }


def test_fashioniq(tmp_path: Path) -> None:
    benchmark = read_fashioniq(official.fashioniq(tmp_path))
    assert benchmark.queries[0].text == "is long and is blue"
    assert len(benchmark.queries[0].gallery) == 15
    found = evaluate(rank(ENCODER, benchmark))
    # Of the three categories one fails at 10: five queries, but the mean is over categories.
    assert {task: figures.composed["R@10"] for task, figures in found.tasks.items()} == {
        "dress": 1.0, "shirt": 0.0, "toptee": 1.0,
    }  # fmt: skip
    assert found.composed["R@10"] == pytest.approx(2 / 3, abs=1e-4)
    assert found.composed["R@50"] == 1.0 and found.queries == 5
    assert "original" in benchmark.protocol


def test_the_easier_gallery_of_fashioniq(tmp_path: Path) -> None:
    benchmark = read_fashioniq(official.fashioniq(tmp_path), gallery="captions")
    assert benchmark.queries[0].gallery == ("dress-red", "dress-magenta")
    assert evaluate(rank(ENCODER, benchmark)).composed["R@10"] == 1.0
    assert "captions" in benchmark.protocol


def test_circo(tmp_path: Path) -> None:
    run = rank(ENCODER, read_circo(official.circo(tmp_path)))
    assert run.kinds["composed"][0].names == ("3", "5", "2", "1", "4")  # the reference, too
    found = evaluate(run)
    # Query 0: answers at 1 and 3 of two; query 1 (white + red): 5, 3 before 1.
    assert run.kinds["composed"][1].places.targets == (3,)
    assert found.composed["mAP@5"] == pytest.approx(((1 + 2 / 3) / 2 + 1 / 3) / 2, abs=1e-4)
    assert found.composed["Rt@5"] == 1.0  # on the picture that the text was written for
    assert found.tasks["direct_addressing"].composed["mAP@10"] == pytest.approx(5 / 6, abs=1e-4)
    assert found.tasks["addition"].queries == 2


def test_a_submission_to_circo_byte_for_byte(tmp_path: Path) -> None:
    run = rank(ENCODER, read_circo(official.circo(tmp_path, "test"), split="test"))
    (text,) = submissions(run).values()
    assert text == '{"0": [3, 5, 2, 1, 4], "1": [5, 3, 1, 2, 4]}'


def test_genecis(tmp_path: Path) -> None:
    benchmark = read_genecis(official.genecis(tmp_path))
    first, second = benchmark.queries
    assert first.gallery == ("7@80,20,20,20", "7@0,0,10,30")  # the target, then its gallery
    assert second.gallery == ("000000000003", "000000000002", "000000000004")
    found = evaluate(rank(ENCODER, benchmark))
    assert found.tasks["focus_attribute"].composed == {"R@1": 1.0, "R@2": 1.0, "R@3": 1.0}
    # Red + green is yellow, and then white.
    assert found.tasks["change_object"].composed == {"R@1": 0.0, "R@2": 1.0, "R@3": 1.0}
    assert found.composed["R@1"] == 0.5
    assert found.composition_gap is not None and found.composition_gap.metric == "R@1"


def test_a_box_is_cropped_with_a_margin_and_squared(tmp_path: Path) -> None:
    path = official.genecis(tmp_path) / "VG_100K_all" / "7.jpg"
    # 0.7 of the box on the left and above, but within the picture: 66 to 100, 6 to 40.
    blue = Picture(path, (80, 20, 20, 20)).file().rgb()
    assert blue.size == (34, 34)
    assert np.asarray(blue).mean((0, 1)) == pytest.approx((0, 0, 255), abs=4)
    # 0 to 17, 0 to 51: black on both sides makes it square.
    tall = np.asarray(Picture(path, (0, 0, 10, 30)).file().rgb())
    assert tall.shape == (51, 51, 3)
    assert tall[25, 5].max() < 5 and tall[25, 45].max() < 5 and tall[25, 25, 0] > 250


@pytest.mark.parametrize(
    ("read", "template", "text"),
    [
        (lambda f, t: read_cirr(official.cirr(f), template=t), "but", "the same picture, but blue"),
        (lambda f, t: read_cirr(official.cirr(f), template=t), "{text}, please", "blue, please"),
        (lambda f, t: read_circo(official.circo(f), template=t), "concept",
         "a square that is blue"),
        (lambda f, t: read_fashioniq(official.fashioniq(f), template=t), "sentences",
         "is long. is blue."),
        (lambda f, t: read_genecis(official.genecis(f), template=t), "task", "the same blue"),
    ],
)  # fmt: skip
def test_templates(
    tmp_path: Path, read: Callable[[Path, str], Benchmark], template: str, text: str
) -> None:
    benchmark = read(tmp_path, template)
    assert benchmark.queries[0].text == text
    with pytest.raises(InputError, match=r"no template 'x'.*\{"):
        read(tmp_path / "again", "x")
    with pytest.raises(InputError, match="no template"):
        read(tmp_path / "third", "{nothing}")


def changed(file: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(file.read_text())
    change(content)
    official.write(file, content)


@pytest.mark.parametrize(
    ("name", "file", "change", "message"),
    [
        ("cirr", "captions/cap.rc2.val.json", lambda c: c[1].pop("caption"),
         r"cap\.rc2\.val\.json, record 2: caption: Field required"),
        ("cirr", "captions/cap.rc2.val.json", lambda c: c[1].update(pairid="x"),
         "record 2: pairid: Input should be a valid integer"),
        ("cirr", "captions/cap.rc2.val.json", lambda c: c[0].update(target_hard="grey"),
         "query 12060 names grey, which is not in the gallery"),
        ("cirr", "captions/cap.rc2.val.json", lambda c: c[0].update(target_hard="red"),
         "query 12060: the only target is the reference"),
        ("cirr", "captions/cap.rc2.val.json", lambda c: c[0].update(img_set=[]),
         "record 1: img_set: Input should be a valid dict"),
        ("cirr", "captions/cap.rc2.val.json", lambda c: c[1].update(pairid=12060),
         "query 12060: there are two with this id"),
        ("cirr", "captions/cap.rc2.val.json", lambda c: c.clear(), "no queries"),
        ("cirr", "image_splits/split.rc2.val.json", lambda c: c.update(red=3),
         r"split\.rc2\.val\.json: red: Input should be a valid string, was: 3"),
        ("fashioniq", "captions/cap.shirt.val.json", lambda c: c[0].update(captions=["a"]),
         r"cap\.shirt\.val\.json, record 1: captions: List should have at least 2 items"),
        ("fashioniq", "image_splits/split.dress.val.json", lambda c: c.remove("dress-red"),
         "query dress-0 names dress-red, which is not in the gallery"),
        ("circo", "annotations/val.json", lambda c: c[1].update(gt_img_ids=[1, "x"]),
         r"val\.json, record 2: gt_img_ids 2: Input should be a valid integer"),
        ("circo", "annotations/val.json", lambda c: c[1].update(gt_img_ids=[1, 9]),
         "query 1 names 9, which is not in the gallery"),
        ("circo", "COCO2017_unlabeled/annotations/image_info_unlabeled2017.json",
         lambda c: c["images"][2].pop("file_name"), "images 3: file_name: Field required"),
        ("genecis", "focus_attribute.json",
         lambda c: c[0]["target"].update(instance_bbox=[1, 2, 0, 4]),
         "record 1: target: instance_bbox 3: Input should be greater than 0, was: 0"),
        ("genecis", "change_object.json", lambda c: c[0].update(gallery=[]),
         r"change_object\.json, record 1: gallery: List should have at least 1 item"),
    ],
)  # fmt: skip
def test_a_wrong_record_is_named(
    tmp_path: Path, name: str, file: str, change: Callable[[Any], None], message: str
) -> None:
    readers = {
        "cirr": read_cirr, "fashioniq": read_fashioniq, "circo": read_circo,
        "genecis": read_genecis,
    }  # fmt: skip
    folder = getattr(official, name)(tmp_path)
    readers[name](folder)
    changed(folder / file, change)
    with pytest.raises(MetadataError, match=message):
        readers[name](folder)


def test_a_missing_file_and_one_that_is_not_json(tmp_path: Path) -> None:
    with pytest.raises(MetadataError, match=r"Cannot read .*split\.rc2\.val\.json: No such file"):
        read_cirr(tmp_path)
    with pytest.raises(MetadataError, match=r"has no file of GeneCIS: focus_attribute\.json"):
        read_genecis(tmp_path)
    folder = official.cirr(tmp_path)
    (folder / "captions" / "cap.rc2.val.json").write_text("{")
    with pytest.raises(MetadataError, match=r"cap\.rc2\.val\.json is not JSON"):
        read_cirr(folder)


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_missing_pictures_are_counted_and_their_queries_are_misses(
    tmp_path: Path, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ENCODER, "batch_size", batch_size)
    folder = official.circo(tmp_path)
    pictures = folder / "COCO2017_unlabeled" / "unlabeled2017"
    (pictures / "000000000005.jpg").unlink()  # the reference of query 1
    (pictures / "000000000003.jpg").write_text("no picture")  # an answer of query 0
    run = rank(ENCODER, read_circo(folder))
    assert run.gallery == 3 and run.unasked == ("1",)
    assert [(Path(one.path).name, one.reason) for one in run.failures] == [
        ("000000000003.jpg", "it is not an image in a format that can be read"),
        ("000000000005.jpg", "there is no such file"),
    ]
    found = evaluate(run)
    # Query 0 finds one of its two answers, first; query 1 finds none.
    assert found.queries == 2 and found.composed["mAP@5"] == 0.25
    assert found.composed["Rt@5"] == 0.5 and found.image_only["queries"] == 2


def test_a_submission_needs_every_reference(tmp_path: Path) -> None:
    folder = official.circo(tmp_path, "test")
    pictures = folder / "COCO2017_unlabeled" / "unlabeled2017"
    (pictures / "000000000003.jpg").unlink()  # of the gallery only
    (text,) = submissions(rank(ENCODER, read_circo(folder, split="test"))).values()
    assert text == '{"0": [5, 2, 1, 4], "1": [5, 1, 2, 4]}'
    (pictures / "000000000005.jpg").write_text("no picture")
    with pytest.raises(MetadataError, match="name 5, which cannot be used: it is not an image"):
        rank(ENCODER, read_circo(folder, split="test"))
    (pictures / "000000000005.jpg").unlink()
    with pytest.raises(MetadataError, match="name 5, which cannot be used: there is no such file"):
        rank(ENCODER, read_circo(folder, split="test"))


def test_without_any_picture(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the folder that was named"):
        rank(ENCODER, read_cirr(official.cirr(tmp_path), images=tmp_path / "elsewhere"))
