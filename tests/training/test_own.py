from __future__ import annotations

import json
import logging
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ocelot.errors import ConfigurationError, MetadataError
from ocelot.training.loss import accepts
from ocelot.training.own import (
    Files,
    Line,
    OwnTriplets,
    add_lines,
    cut_texts,
    draw_lines,
    read_own,
    usable_lines,
)
from ocelot.training.studio import Studio
from ocelot.training.triplets import ANY, Draft, Traits
from ocelot.training.vocabulary import build_tokenizer

SIZE = 8


def own_file(folder: Path, *entries: Any, pictures: str = "abcdefgh") -> Path:
    """A file of triplets beside pictures a.png, b.png, … of different greys."""
    for number, name in enumerate(pictures):
        Image.new("RGB", (SIZE, SIZE), (20 * number,) * 3).save(folder / f"{name}.png")
    file = folder / "triplets.jsonl"
    lines = [entry if isinstance(entry, str) else json.dumps(entry) for entry in entries]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def triplet(reference: str | None, text: str | None, target: str, *negatives: str) -> Any:
    names = {"reference": reference and f"{reference}.png", "target": f"{target}.png"}
    return {"text": text, "negatives": [f"{name}.png" for name in negatives], **names}


def draw(own: OwnTriplets, files: Files, step: int, count: int = 2, **place: int) -> list[Line]:
    place = {"seed": 1, "rank": 0, "size": 1} | place
    return draw_lines(own, files, count, step=step, **place)


def test_reading(tmp_path: Path) -> None:
    file = own_file(
        tmp_path,
        triplet("a", " in blue ", "b", "c", "d"),
        "",
        {"reference": None, "text": "a mug", "target": "./b.png", "size": 3},
        {"reference": "b.png", "text": None, "target": str(tmp_path / "a.png")},
    )
    own = read_own(file)
    assert [path.name for path in own.files] == ["a.png", "b.png", "c.png", "d.png"]
    assert own.lines == (
        Line(0, "in blue", 1, (2, 3)),
        Line(None, "a mug", 1, ()),
        Line(1, None, 0, ()),
    )
    before = own.fingerprint
    file.write_text(json.dumps(triplet("a", "x", "b")))
    assert read_own(file).fingerprint != before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"line 2 is not JSON\.$"),
        ("[1]", "line 2 is not a JSON object"),
        ({"text": "a"}, "line 2: target must be a file name, was: None"),
        ({"target": "a.png"}, "line 2 has neither a reference nor a text"),
        ({"target": "a.png", "text": " "}, "line 2 has neither"),
        ({"target": "a.png", "text": 3}, "line 2: text must be text or null, was: 3"),
        ({"target": "a.png", "reference": ["a.png"]}, "line 2: reference must be text"),
        ({"target": ["a.png"], "text": "x"}, "line 2: target must be a file name"),
        ({"target": "a.png", "text": "x", "negatives": "b.png"}, "line 2: negatives must be"),
        ({"target": "a.png", "text": "x", "negatives": [1]}, "line 2: negatives must be"),
        ({"target": "no.png", "text": "x"}, r"line 2: there is no picture .*no\.png\.$"),
        ({"target": "a.png", "reference": "no.png"}, "line 2: there is no picture"),
        ({"target": "a.png", "text": "x", "negatives": ["no.png"]}, "line 2: there is no"),
        ({"target": "a\0.png", "text": "x"}, "line 2: there is no picture"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: Any, message: str) -> None:
    file = own_file(tmp_path, triplet("a", "in blue", "b"), line)
    with pytest.raises(MetadataError, match=message) as caught:
        read_own(file)
    assert str(file) in str(caught.value)


def test_long_texts_are_cut_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tokenizer = build_tokenizer(["the same bag in blue leather"], 900)
    long = "the same bag in unfathomable blue"
    own = read_own(own_file(tmp_path, triplet("a", long, "b"), triplet("a", "the bag", "b")))
    with caplog.at_level(logging.WARNING, "ocelot"):
        cut = cut_texts(own, tokenizer, 7)
        assert len(caplog.records) == 1 and "first 7 tokens: 1." in caplog.text
        for line in cut.lines:
            assert len(tokenizer(line.text, 7)) <= 7
    assert len(caplog.records) == 1
    first, second = (line.text for line in cut.lines)
    assert first is not None and long.startswith(first) and first.startswith("the same bag in")
    assert second == "the bag"
    assert cut_texts(cut, tokenizer, 7) == cut


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MetadataError, match=r"Cannot read .*none\.jsonl"):
        read_own(tmp_path / "none.jsonl")
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(MetadataError, match=r"binary\.jsonl: it is not UTF-8"):
        read_own(tmp_path / "binary.jsonl")
    with pytest.raises(MetadataError, match="holds no triplets"):
        read_own(own_file(tmp_path, "", " "))


@pytest.fixture
def seven(tmp_path: Path) -> OwnTriplets:
    return read_own(own_file(tmp_path, *(triplet("h", "x", name) for name in "abcdefg")))


def test_each_epoch_takes_every_line_in_another_order(seven: OwnTriplets) -> None:
    files = Files(seven.files, SIZE)
    drawn = [line.target for step in range(7) for line in draw(seven, files, step)]
    first, second = drawn[:7], drawn[7:]
    assert sorted(first) == sorted(second) == sorted(line.target for line in seven.lines)
    assert first != second
    assert drawn != [line.target for step in range(7) for line in draw(seven, files, step, seed=2)]


def test_processes_take_different_lines(seven: OwnTriplets) -> None:
    files = Files(seven.files, SIZE)
    drawn = [line.target for rank in range(3) for line in draw(seven, files, 0, rank=rank, size=3)]
    assert len(set(drawn)) == len(drawn) == 6


def test_a_step_depends_on_its_place_alone(seven: OwnTriplets) -> None:
    files = Files(seven.files, SIZE)
    once = [draw(seven, files, step) for step in range(5)]
    resumed = Files(seven.files, SIZE)
    assert [draw(seven, resumed, step) for step in (4, 3)] == [once[4], once[3]]


def test_a_broken_picture_is_told_once_and_replaced(
    seven: OwnTriplets, caplog: pytest.LogCaptureFixture
) -> None:
    broken = seven.files[seven.lines[2].target]
    broken.write_bytes(broken.read_bytes()[:30])
    files = Files(seven.files, SIZE)
    with caplog.at_level(logging.WARNING):
        drawn = [draw(seven, files, step) for step in range(7)]
    assert seven.lines[2] not in [line for lines in drawn for line in lines]
    assert [len(lines) for lines in drawn] == [2] * 7
    assert [str(broken) in record.getMessage() for record in caplog.records] == [True]
    fresh = Files(seven.files, SIZE)
    assert [draw(seven, fresh, step) for step in reversed(range(7))] == drawn[::-1]
    assert len(usable_lines(seven, files)) == 6


def test_nothing_but_broken_pictures(seven: OwnTriplets) -> None:
    (seven.file.parent / "h.png").write_bytes(b"broken")  # the reference of all
    files = Files(seven.files, SIZE)
    for call in (lambda: draw(seven, files, 0), lambda: usable_lines(seven, files)):
        with pytest.raises(ConfigurationError, match=r"triplets\.jsonl has a picture that cannot"):
            call()


def test_more_pictures_than_memory_holds(
    seven: OwnTriplets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocelot.training.own._KEPT_BYTES", 3 * SIZE * SIZE * 2)
    files = Files(seven.files, SIZE)
    for _ in range(2):
        found = files.read(range(8))
        for number, path in enumerate(seven.files):
            grey = "abcdefgh".index(path.stem) * 20
            assert (found[number] == grey).all()


def test_who_answers_whom(tmp_path: Path) -> None:
    own = read_own(
        own_file(
            tmp_path,
            triplet("a", "in blue", "b", "e"),
            triplet("c", "in blue", "b"),
            triplet("b", "in red", "d"),
            triplet("f", None, "f"),
            triplet(None, "a mug", "a"),
        )
    )
    draft = Draft()
    add_lines(draft, own.lines)
    shown = [own.files[shot.subject].stem for shot in draft.shots]
    # Every file once, but for the second view of f.
    assert sorted(shown) == list("abcdeff")
    asked = [query.wanted for query in draft.queries]
    fits = accepts(torch.tensor(asked), torch.tensor([shot.traits for shot in draft.shots]))
    answers = [{shown[n] for n in row.nonzero().flatten().tolist()} for row in fits]
    assert answers == [{"b"}, {"b"}, {"d"}, {"f"}, {"a"}]
    targets = [shown[query.target] for query in draft.queries]
    assert targets == ["b", "b", "d", "f", "a"]
    references = [None if q.reference is None else shown[q.reference] for q in draft.queries]
    assert references == ["a", "c", "b", "f", None]
    view = draft.queries[3]
    assert view.reference != view.target


def test_what_a_file_shows_besides_is_left_open(tmp_path: Path) -> None:
    """A query of another maker, such as "shoes", neither wants it nor counts it as a negative."""
    draft = Draft()
    add_lines(draft, read_own(own_file(tmp_path, triplet("a", "x", "b"))).lines)
    shown = torch.tensor([draft.shots[0].traits])
    kind_asked = Traits(*[ANY] * len(Traits._fields))._replace(kind=3)
    assert accepts(torch.tensor([kind_asked]), shown).all()
    assert not accepts(torch.tensor([kind_asked._replace(item=1001)]), shown).any()


def test_the_studio_shows_files_as_they_are_at_strength_0(tmp_path: Path) -> None:
    own = read_own(own_file(tmp_path, triplet("a", "x", "b")))
    noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    Image.fromarray(noise).save(own.files[1])
    draft = Draft()
    add_lines(draft, own.lines)
    target = draft.queries[0].target
    files = Files(own.files, SIZE)
    still = Studio(SIZE, files=files, strength=0.0).develop(draft.shots, random.Random(0))
    expected = torch.from_numpy(noise).permute(2, 0, 1).float()
    torch.testing.assert_close(still[target], expected, atol=0.01, rtol=0)
    moved = [
        Studio(SIZE, files=files).develop(draft.shots, random.Random(seed)) for seed in (1, 1, 2)
    ]
    assert torch.equal(moved[0], moved[1]) and not torch.equal(moved[0], moved[2])
    assert (moved[0][target] - expected).abs().mean() > 1
    assert moved[0].min() >= 0 and moved[0].max() <= 255
