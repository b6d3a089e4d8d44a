"""The share of a picture's own vector that an adapted encoder's texts take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ocelot.adapting.columns import Columns
from ocelot.adapting.designs import with_designs
from ocelot.adapting.questions import Asker
from ocelot.adapting.share import fit_share, with_share_by_words
from ocelot.adapting.understand import understand
from ocelot.encoders.weights import locate
from ocelot.model.checkpoint import Checkpoint, read_folder, write_folder
from tests.adapting.made import write_metadata, write_shop


def share(encoder: Checkpoint, text: str) -> float:
    """The part of the share that a text takes, from 0 to 1."""
    logits = encoder.state["share_logits"][list(encoder.tokenizer(text, 64))[1:-1]]
    return float(1 / (1 + np.exp(-logits.mean())))


def asker(columns: Columns | None = None) -> Asker:
    return Asker(understand(Path("shop"), None, columns))


def fitted(folder: Path, share: float, asked: Asker | None = None) -> Checkpoint:
    """An encoder that had this share before training."""
    checkpoint = read_folder(folder)
    before = replace(checkpoint.geometry, picture_share=share)
    return read_folder(fit_share(checkpoint, Path("fitted"), before, asked or asker()))


def test_a_text_that_asks_for_another_kind_takes_less(micro: Path) -> None:
    before = read_folder(micro)
    after = fitted(micro, 0)
    assert after.geometry.share_by_words and after.geometry.picture_share == 0.5
    assert share(after, "the same thing in green") > 0.6 > 0.4 > share(after, "bags of this colour")
    assert after.words == before.words
    assert all((after.state[name] == value).all() for name, value in before.state.items())


def test_numbers_that_words_have_are_corrected(micro: Path) -> None:
    """Those of the bundled encoder are of English, and it takes nearly all in Chinese."""
    texts = ["same item in green", "bags in the same colour"]
    said = ["make it red", "in blue", "black instead", *texts, "mugs, same colour", "discs like it"]
    wants = [0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9]
    reversed_ = with_share_by_words(read_folder(micro), said * 9, wants * 9, 0.3)
    write_folder(Path("reversed"), "micro", reversed_, read_folder(micro).tokenizer)
    known = read_folder(Path("reversed"))
    assert share(known, texts[0]) < 0.4 < 0.6 < share(known, texts[1])
    after = fitted(Path("reversed"), 0.3)
    assert after.geometry.picture_share == 0.3
    assert share(after, texts[0]) > share(after, texts[1]) + 0.3


def test_other_texts_of_the_bundled_encoder_take_what_they_took(micro: Path) -> None:
    bundled = locate("ocelot-tiny").weights.parent
    after = fitted(bundled, 0.8)
    assert share(after, "same item in green") > 0.6 > 0.4 > share(after, "bags in the same colour")
    assert after.geometry.picture_share == 0.8
    for text in ("phone case with this image theme", "a mug with this on it", "make it burgundy"):
        assert abs(share(after, text) - share(read_folder(bundled), text)) < 0.15


def test_without_attributes_the_share_stays(micro: Path) -> None:
    columns = Columns("title", (), "kind", None)
    after = fitted(micro, 0.2, asker(columns)).geometry
    assert (after.picture_share, after.share_by_words) == (0.2, False)


@pytest.mark.parametrize(
    ("columns", "share"), [(None, 1.0), (Columns("title", (), "kind", None), 0.5)]
)
def test_the_share_is_another_where_the_instance_part_is_new(
    micro: Path, columns: Columns | None, share: float
) -> None:
    checkpoint = read_folder(micro)
    asked = asker(columns)
    new = with_designs(checkpoint, asked.catalogue.part("train"))
    after = read_folder(fit_share(new, Path("fitted"), checkpoint.geometry, asked)).geometry
    assert (after.picture_share, after.instance) == (share, new.geometry.instance)


def test_a_value_of_marks_alone_ends_nothing(micro: Path) -> None:
    lines = write_shop(Path("marks"))
    write_metadata(
        Path("marks"), [line | {"colour": "\u200b"} for line in lines[::4]] + lines[1::2]
    )
    catalogue = Asker(understand(Path("marks")))
    after = fitted(micro, 0, catalogue)
    assert np.isfinite(after.state["share_logits"]).all()
