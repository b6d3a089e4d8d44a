from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from ocelot.errors import MetadataError
from ocelot.training.triplets import Triplet, cut_texts, read_triplet_file
from ocelot.training.vocabulary import build_tokenizer
from tests.training.made import triplet, write_triplets


def test_reading(tmp_path: Path) -> None:
    file = write_triplets(
        tmp_path,
        triplet("a", " in blue ", "b", "c", "d"),
        "",
        {"reference": None, "text": "a mug", "target": "./b.png", "size": 3},
        {"reference": "b.png", "text": None, "target": str(tmp_path / "a.png")},
    )
    read = read_triplet_file(file)
    assert [path.name for path in read.pictures] == ["a.png", "b.png", "c.png", "d.png"]
    assert read.triplets == (
        Triplet(0, "in blue", 1, (2, 3)),
        Triplet(None, "a mug", 1, ()),
        Triplet(1, None, 0, ()),
    )
    before = read.fingerprint
    file.write_text(json.dumps(triplet("a", "x", "b")))
    assert read_triplet_file(file).fingerprint != before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"line 2 is not JSON\.$"),
        ('{"target": "a.png", "text": "\\ud83d"}', r"line 2 is not JSON\.$"),  # half an emoji
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
    file = write_triplets(tmp_path, triplet("a", "in blue", "b"), line)
    with pytest.raises(MetadataError, match=message) as caught:
        read_triplet_file(file)
    assert str(file) in str(caught.value)


def test_long_texts_are_cut_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tokenizer = build_tokenizer(["the same bag in blue leather"], 900)
    long = "the same bag in unfathomable blue"
    read = read_triplet_file(
        write_triplets(tmp_path, triplet("a", long, "b"), triplet("a", "the bag", "b"))
    )
    with caplog.at_level(logging.WARNING, "ocelot"):
        cut = cut_texts(read, tokenizer, 7)
        assert len(caplog.records) == 1 and "first 7 tokens: 1." in caplog.text
        for line in cut.triplets:
            assert len(tokenizer(line.text, 7)) <= 7
    assert len(caplog.records) == 1
    first, second = (line.text for line in cut.triplets)
    assert first is not None and long.startswith(first) and first.startswith("the same bag in")
    assert second == "the bag"
    assert cut_texts(cut, tokenizer, 7) == cut


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MetadataError, match=r"Cannot read .*none\.jsonl"):
        read_triplet_file(tmp_path / "none.jsonl")
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(MetadataError, match=r"binary\.jsonl: it is not UTF-8"):
        read_triplet_file(tmp_path / "binary.jsonl")
    with pytest.raises(MetadataError, match="holds no triplets"):
        read_triplet_file(write_triplets(tmp_path, "", " "))
