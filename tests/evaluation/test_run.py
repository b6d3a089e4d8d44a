"""Evaluation from end to end, with an encoder whose scores are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ocelot.encoders import FunctionEncoder
from ocelot.errors import InputError, MetadataError
from ocelot.evaluation import TripletQuery, evaluate_triplets, read_triplets

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "grey": (99, 99, 120)}


def by_colour(image: Image.Image | None, text: str | None) -> Any:
    """A vector in the direction of the mean colour, or of the colour that the text names."""
    if text in COLOURS:
        return np.array(COLOURS[text]) + 1.0
    return np.array([1.0, 1, 1]) if image is None else np.asarray(image).mean((0, 1)) + 1.0


ENCODER = FunctionEncoder(by_colour, dimension=3)


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    for name, colour in COLOURS.items():
        Image.new("RGB", (8, 8), colour).save(tmp_path / f"{name}.png")
    return tmp_path


def pictures(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.png"))


def test_worked_example(gallery: Path) -> None:
    queries = [
        TripletQuery("red.png", "blue", ("blue.png",)),  # the text finds it
        TripletQuery(None, "green", ("green.png",)),  # no picture: not in image_only
        TripletQuery("grey.png", None, ("green.png", "red.png")),  # no text
    ]
    result = evaluate_triplets(ENCODER, queries, gallery, pictures(gallery)).to_dict()
    assert (result["queries"], result["gallery"]) == (3, 4)
    assert set(result["composed"]) == {
        "R@1", "R@5", "R@9", "R@10", "MRR", "P@10", "mAP@10", "nDCG@10",
    }  # fmt: skip
    # The last misses at first: this grey is nearest to blue.
    assert result["composed"]["R@1"] == pytest.approx(2 / 3, abs=1e-4)
    assert result["composed"]["R@5"] == 1.0
    assert result["text_only"]["R@1"] == 1.0
    assert result["text_only"]["queries"] == 2
    assert result["image_only"]["queries"] == 2
    assert result["image_only"]["R@1"] == 0.0
    # One of 3 ranked, one of 4, two of 3.
    assert result["chance"]["R@1"] == pytest.approx((1 / 3 + 1 / 4 + 2 / 3) / 3, abs=1e-4)
    assert result["chance"]["P@10"] == result["composed"]["P@10"]  # fewer than ten are ranked
    assert "tasks" not in result
    json.dumps(result)


def test_the_figures_of_each_task(gallery: Path) -> None:
    queries = [
        TripletQuery("red.png", "blue", ("blue.png",), "colour"),
        TripletQuery("blue.png", "green", ("green.png",), "colour"),
        TripletQuery("grey.png", None, ("red.png",), "view"),
        TripletQuery(None, "green", ("green.png",)),
    ]
    result = evaluate_triplets(ENCODER, queries, gallery, pictures(gallery))
    assert {task: figures.queries for task, figures in result.tasks.items()} == {
        "colour": 2, "view": 1, "other": 1,
    }  # fmt: skip
    assert result.composed["R@1"] == 0.75
    assert result.tasks["colour"].composed["R@1"] == 1.0
    assert result.tasks["colour"].image_only["queries"] == 2
    assert result.tasks["view"].composed["R@1"] == 0.0
    assert result.tasks["view"].text_only["queries"] == 0
    assert result.tasks["other"].chance["R@1"] == 0.25
    only = evaluate_triplets(ENCODER, queries[:2], gallery, pictures(gallery))
    assert only.tasks == {} and only.composed == result.tasks["colour"].composed
    assert json.loads(json.dumps(result.to_dict()))["tasks"]["view"]["queries"] == 1


def test_the_reference_is_left_out_of_its_own_ranking(gallery: Path) -> None:
    query = TripletQuery("red.png", None, ("grey.png",))
    result = evaluate_triplets(ENCODER, [query], gallery, pictures(gallery))
    assert result.composed["R@1"] == 1.0


def test_a_bad_picture_is_reported_and_not_ranked(gallery: Path) -> None:
    (gallery / "bad.png").write_text("no picture")
    query = TripletQuery(None, "red", ("red.png",))
    result = evaluate_triplets(ENCODER, [query], gallery, pictures(gallery))
    assert result.gallery == 4
    (failure,) = result.failures
    assert failure.path.endswith("bad.png")


def test_names_that_are_not_in_the_gallery(gallery: Path, tmp_path: Path) -> None:
    query = TripletQuery(None, "red", ("nowhere.png",))
    with pytest.raises(MetadataError, match=r"nowhere\.png"):
        evaluate_triplets(ENCODER, [query], gallery, pictures(gallery))
    twice = TripletQuery("red.png", None, ("./red.png",))
    with pytest.raises(MetadataError, match="the only target is the reference"):
        evaluate_triplets(ENCODER, [twice], gallery, pictures(gallery))
    (gallery / "bad.png").write_text("no picture")
    bad = TripletQuery(None, "red", ("bad.png",))
    with pytest.raises(MetadataError, match=r"bad\.png.*not an image"):
        evaluate_triplets(ENCODER, [bad], gallery, pictures(gallery))
    with pytest.raises(InputError, match="no picture"):
        evaluate_triplets(ENCODER, [bad], gallery, [gallery / "bad.png"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2 is not JSON"),
        ("[1]", "line 2: Input should be a dictionary"),
        ('{"reference": null, "text": " ", "targets": ["a"]}', "neither a reference nor a text"),
        ('{"reference": "a", "text": "b"}', "line 2 has no targets"),
        ('{"reference": "a", "text": "b", "targets": [1]}', "line 2: targets 1: Input"),
        ('{"reference": 3, "text": "b", "targets": ["a"]}', "reference: Input should be a"),
        ('{"text": "b", "targets": ["a"], "task": 1}', "task: Input should be a"),
        ('{"reference": "a", "text": "b", "targets": ["a"]}', "the only target is the reference"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "queries.jsonl"
    good = '{"reference": "a", "text": null, "targets": ["b"], "note": "further keys are fine"}'
    file.write_text(f"{good}\n{line}\n")
    with pytest.raises(MetadataError, match=message):
        read_triplets(file)
    file.write_text(good + "\n\n")
    assert read_triplets(file) == [TripletQuery("a", None, ("b",))]
    file.write_text('{"reference": "a", "text": " ", "targets": ["b"], "task": "view"}\n')
    assert read_triplets(file) == [TripletQuery("a", None, ("b",), "view")]


def test_unreadable_and_empty_files(tmp_path: Path) -> None:
    with pytest.raises(MetadataError, match="Cannot read"):
        read_triplets(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(MetadataError, match="no queries"):
        read_triplets(tmp_path / "empty.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b'{"text": "caf\xe9"}')
    with pytest.raises(MetadataError, match="UTF-8"):
        read_triplets(tmp_path / "latin.jsonl")


def test_a_picture_that_is_given_twice_is_ranked_once(gallery: Path) -> None:
    query = TripletQuery(None, "blue", ("blue.png",))
    twice = [gallery / "red.png", *pictures(gallery), *pictures(gallery)]
    result = evaluate_triplets(ENCODER, [query], gallery, twice)
    assert result.gallery == 4 and result.composed["R@1"] == 1.0
