"""A service over the drawn shop, and what the official client makes of its answers."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.types import CallToolResult, ImageContent, TextContent
from PIL import Image

from ocelot.build import build_service
from ocelot.mcp import create_server
from ocelot.service import Service
from ocelot.settings import load_settings
from tests.shop import write_shop


@dataclass(frozen=True)
class Answer:
    """What a tool answered: its facts, its pictures by what is said before each, or its error."""

    facts: dict[str, Any]
    pictures: dict[str, bytes]
    error: str = ""

    @property
    def ids(self) -> list[str]:
        return [hit["id"] for hit in self.facts["hits"]]

    def image(self, label: str = "") -> Image.Image:
        return Image.open(io.BytesIO(self.pictures[label]))


def read(result: CallToolResult) -> Answer:
    """Read what a tool answered."""
    first, *rest = result.content
    assert isinstance(first, TextContent)
    if result.is_error:
        assert not rest
        return Answer({}, {}, first.text)
    pictures, label = {}, ""
    for part in rest:
        if isinstance(part, ImageContent):
            assert part.mime_type == "image/jpeg" and label not in pictures
            pictures[label] = base64.b64decode(part.data, validate=True)
        else:
            assert isinstance(part, TextContent)
            label = part.text
    return Answer(json.loads(first.text), pictures)


Call = Callable[..., Answer]


def caller_of(service: Service) -> Call:
    """Calls a tool of a server in this process."""

    async def call(tool: str, arguments: dict[str, Any]) -> Answer:
        async with Client(create_server(service)) as client:
            return read(await client.call_tool(tool, arguments))

    return lambda tool, **arguments: asyncio.run(call(tool, arguments))


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of 60 pictures; read-only."""
    return write_shop(tmp_path_factory.mktemp("mcp-shop"))


@pytest.fixture(scope="session")
def leopard(shop: Path) -> str:
    """A picture that is not in the shop, in base64."""
    return base64.b64encode((shop / "leopard.jpg").read_bytes()).decode()


@pytest.fixture(scope="session")
def db(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the shop, which nobody has open; copy it."""
    folder = tmp_path_factory.mktemp("mcp") / "shop.db"
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("OCELOT_", "OPENAI_", "AZURE_", "LLM_")):
                patch.delenv(name)
        service = build_service(load_settings(db=str(folder), reranker="fusion"))
    service._engine.index(shop / "images", metadata=shop / "metadata.csv")
    service.close()
    return folder


@pytest.fixture(scope="session")
def warm(db: Path) -> Iterator[Service]:
    """A service with the shop; for reading only."""
    service = build_service(load_settings(db=str(db), reranker="fusion", read_only=True))
    yield service
    service.close()


@pytest.fixture(scope="session")
def call(warm: Service) -> Call:
    """Calls a tool of the shop."""
    return caller_of(warm)
