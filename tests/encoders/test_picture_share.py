"""An encoder that adds a share of the picture's own vector, against the sum by hand.

All of it, or as much of it as the text asks for.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from ocelot.assets import demo_shop
from ocelot.encoders.openvino.encoder import OpenVINOEncoder
from ocelot.encoders.vista import VistaEncoder
from ocelot.encoders.visualized_bge import VisualizedBGE
from ocelot.encoders.weights import locate
from ocelot.errors import CheckpointError
from ocelot.model.checkpoint import read_folder
from ocelot.model.tokenizer import TextTokenizer
from tests.encoders.copies import load, readings_alone

TEXTS = ("in blue", "phone case with this image theme", "a longer text, of several more words")


def with_share(folder: Path, share: float) -> Path:
    """With this share, the same for every text."""
    return readings_alone(folder, picture_share=share, share_by_words=False)


@pytest.mark.parametrize("kind", [VisualizedBGE, OpenVINOEncoder])
def test_it_is_added_to_pictures_with_a_text_only(
    kind: type[VistaEncoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "cache"))
    pictures = sorted((demo_shop() / "images").iterdir())[:3]
    plain = load(kind, with_share(tmp_path / "plain", 0.0))
    shared = load(kind, with_share(tmp_path / "shared", 0.6))
    assert shared.geometry.picture_share == 0.6 and plain.fingerprint != shared.fingerprint
    both = [(picture, text) for picture, text in zip(pictures, TEXTS, strict=True)]
    others = [(pictures[0], None), (pictures[1], " "), (None, TEXTS[0])]
    expected = plain.encode(both) + 0.6 * plain.encode([(picture, None) for picture in pictures])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    # Mixed, as a queue of searches and uploads would be.
    found = shared.encode([others[0], both[0], others[1], both[1], others[2], both[2]])
    np.testing.assert_allclose(found[1::2], expected, atol=2e-6)
    np.testing.assert_allclose(found[::2], plain.encode(others), atol=2e-6)


@pytest.mark.parametrize("kind", [VisualizedBGE, OpenVINOEncoder])
def test_the_words_say_how_much_of_it_is_added(
    kind: type[VistaEncoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "cache"))
    vocabulary = TextTokenizer.load(locate("ocelot-tiny").weights.parent).tokenizer.get_vocab()
    logits = np.zeros(len(vocabulary), np.float32)
    logits[vocabulary["blue"]], logits[vocabulary["phone"]] = 3, -5
    picture = next((demo_shop() / "images").iterdir())
    plain = load(kind, with_share(tmp_path / "plain", 0.0))
    folder = readings_alone(tmp_path / "worded", logits, picture_share=0.8, share_by_words=True)
    worded = load(kind, folder)
    own = plain.encode([(picture, None)])[0]
    # "in blue" has a mean of 1.5, "phone case in blue" of -0.5, "in" of 0.
    for text, mean in (("in blue", 1.5), ("phone case in blue", -0.5), ("in", 0.0)):
        expected = plain.encode([(picture, text)])[0] + 0.8 / (1 + math.exp(-mean)) * own
        expected /= np.linalg.norm(expected)
        np.testing.assert_allclose(worded.encode([(picture, text)])[0], expected, atol=2e-6)


@pytest.mark.parametrize(
    "logits", [None, np.zeros(5, np.float32), np.full(10_000, np.nan, np.float32)]
)
def test_numbers_that_do_not_fit_the_words_are_refused(
    logits: np.ndarray | None, tmp_path: Path
) -> None:
    folder = readings_alone(tmp_path / "worded", logits, picture_share=0.8, share_by_words=True)
    with pytest.raises(CheckpointError, match="have no share_logits"):
        read_folder(folder)
