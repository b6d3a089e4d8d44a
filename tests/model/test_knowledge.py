"""Words that an encoder has seen in training, and those that it has not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocelot.errors import CheckpointError
from ocelot.model.knowledge import read_words, unknown_words, words_of, write_words

SEEN = frozenset(words_of("a phone case with this image theme in navy blue; shoes, dress, t-shirt"))


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("Phone case with this image theme!", ()),
        ("phone cases, blue dresses and a shoe", ("and",)),
        ("BLORF case, fnord blorf", ("blorf", "fnord")),
        ("size 42, 3/4, 13.3-inch", ("size", "inch")),
        ("手机壳 in blue", ("手机壳",)),
        ("чехол", ("чехол",)),
        ("l'été", ("ete",)),
        ("e\u0301te\u0301", ("ete",)),
        ("लाल कपड़े", ("लाल", "कपड")),
        ("İSTANBUL", ("istanbul",)),
        ("blorf's", ("blorf",)),
        ("42 !? 🐆", ()),
        ("", ()),
    ],
)
def test_unknown_words(text: str, unknown: tuple[str, ...]) -> None:
    assert unknown_words(text, SEEN) == unknown


def test_nothing_is_unknown_where_nothing_is_known() -> None:
    assert unknown_words("blorf", frozenset()) == ()


def test_words_are_kept_beside_the_weights(tmp_path: Path) -> None:
    assert read_words(tmp_path) == frozenset()
    write_words(tmp_path, ["Red shoes, size 42", "red été"], before=["mug"])
    assert read_words(tmp_path) == {"red", "shoes", "size", "ete", "mug"}
    assert (tmp_path / "words.txt").read_text(encoding="utf-8").split() == sorted(
        ["red", "shoes", "size", "ete", "mug"]
    )


def test_a_damaged_list_is_named(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CheckpointError, match=r"words\.txt: it is not UTF-8"):
        read_words(tmp_path)
