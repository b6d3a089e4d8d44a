from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ocelot.encoders.catalog import known_dimension
from ocelot.encoders.weights import locate
from ocelot.errors import DownloadError

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "tiny-base"


def test_lengths_of_vectors_are_known_without_weights(tmp_path: Path) -> None:
    assert known_dimension("bge-visualized-base") == 768
    assert known_dimension("bge-visualized-m3") == 1024
    assert known_dimension("ocelot-tiny") == 320
    (tmp_path / "w.pth").write_bytes(b"")
    assert known_dimension(tmp_path / "w.pth", GOLDEN) == 64
    assert known_dimension(tmp_path / "w.pth") is None
    assert known_dimension(tmp_path) is None
    assert known_dimension("no-such") is None


def test_a_hub_that_does_not_answer_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/config.json"
        monkeypatch.setattr("huggingface_hub.hf_hub_url", lambda *_: address)
        monkeypatch.setattr("huggingface_hub.hf_hub_download", None)  # this one would try again
        weights = tmp_path / "w.pth"
        weights.touch()
        with pytest.raises(DownloadError, match="cannot be reached from here"):
            locate(weights, "nobody/nothing")
