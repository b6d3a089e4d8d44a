"""An encoder that adds a share of the picture's own vector, against the sum by hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ocelot.assets import demo_shop
from ocelot.encoders.openvino.encoder import OpenVINOEncoder
from ocelot.encoders.vista import VistaEncoder
from ocelot.encoders.visualized_bge import VisualizedBGE
from ocelot.encoders.weights import locate

TEXTS = ("in blue", "phone case with this image theme", "a longer text, of several more words")


def load(kind: type[VistaEncoder], folder: Path) -> VistaEncoder:
    if kind is OpenVINOEncoder:
        return OpenVINOEncoder.load(folder, precision="fp32")
    return VisualizedBGE.load(folder, device="cpu", dtype="fp32")


def with_share(folder: Path, share: float) -> Path:
    """A copy of the bundled encoder with this share."""
    shutil.copytree(locate("ocelot-tiny").weights.parent, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"picture_share": share}))
    return folder


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
