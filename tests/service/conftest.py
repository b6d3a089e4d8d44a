"""A service over real Milvus Lite with the drawn shop and the bundled encoder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocelot.build import build_service
from ocelot.service import Service
from ocelot.settings import load_settings
from tests.shop import write_shop


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of 60 pictures; read-only."""
    folder = tmp_path_factory.mktemp("service-shop")
    write_shop(folder)
    return folder


@pytest.fixture(scope="session")
def filled(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with the shop; for reading only."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("OCELOT_", "OPENAI_", "AZURE_", "LLM_")):
                patch.delenv(name)
        made = build_service(load_settings(db=str(tmp_path_factory.mktemp("filled") / "shop.db")))
    made._engine.index(shop / "images", metadata=shop / "metadata.csv")
    yield made
    made.close()


@pytest.fixture
def service(bare_environment: None, tmp_path: Path) -> Iterator[Service]:
    """An empty one."""
    made = build_service(load_settings(db=str(tmp_path / "shop.db")))
    yield made
    made.close()
