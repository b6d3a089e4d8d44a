"""The share of a picture's own vector that an adapted encoder's texts take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ocelot.adapting.columns import Columns
from ocelot.adapting.questions import Asker
from ocelot.adapting.share import fit_share
from ocelot.adapting.understand import understand
from ocelot.model.checkpoint import Checkpoint, read_folder


def share(encoder: Checkpoint, text: str) -> float:
    """The part of the share that a text takes, from 0 to 1."""
    logits = encoder.state["share_logits"][list(encoder.tokenizer(text, 64))[1:-1]]
    return float(1 / (1 + np.exp(-logits.mean())))


def test_a_text_that_asks_for_another_kind_takes_less(micro: Path) -> None:
    before = read_folder(micro)
    fit_share(micro, before.geometry, Asker(understand(Path("shop"))))
    after = read_folder(micro)
    assert after.geometry.share_by_words and after.geometry.picture_share == 0.5
    assert share(after, "the same thing in green") > 0.6 > 0.4 > share(after, "bags of this colour")
    for name, value in before.state.items():
        assert (after.state[name] == value).all()
    fit_share(micro, replace(after.geometry, picture_share=0.3), Asker(understand(Path("shop"))))
    kept = read_folder(micro)
    assert kept.geometry.picture_share == 0.3
    assert (kept.state["share_logits"] == after.state["share_logits"]).all()


def test_without_attributes_the_share_stays(micro: Path) -> None:
    before = read_folder(micro).geometry
    columns = Columns("title", (), "kind", None)
    fit_share(
        micro, replace(before, picture_share=0.2), Asker(understand(Path("shop"), None, columns))
    )
    after = read_folder(micro).geometry
    assert (after.picture_share, after.share_by_words) == (0.2, False)
