from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ocelot.images.decode import hash_bytes
from ocelot.types import Hit
from tests.rerankers.chat_server import ChatServer

MakeHits = Callable[..., list[Hit]]


@pytest.fixture
def server() -> Iterator[ChatServer]:
    """A chat server; the test fails when it was sent a request that it cannot accept."""
    with ChatServer() as server:
        yield server
        assert not server.complaints


@pytest.fixture
def make_hits(tmp_path: Path) -> MakeHits:
    """Hits with real picture files, one for each colour, in retrieval order."""

    def make(colours: list[Any], **metadata: Any) -> list[Hit]:
        hits = []
        for place, colour in enumerate(colours):
            path = tmp_path / f"picture{place}.png"
            Image.new("RGB", (60, 40), colour).save(path)
            hits.append(
                Hit(
                    hash_bytes(path.read_bytes()),
                    (str(path),),
                    60,
                    40,
                    {"title": f"Item {place}", **metadata},
                    score=0.9 - place / 100,
                    rank=place + 1,
                )
            )
        return hits

    return make
