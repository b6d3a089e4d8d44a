"""A service over real Milvus Lite with the drawn shop and the bundled encoder."""

from __future__ import annotations

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


@pytest.fixture
def service(bare_environment: None, tmp_path: Path) -> Iterator[Service]:
    """An empty one."""
    made = build_service(load_settings(db=str(tmp_path / "shop.db")))
    yield made
    made.close()
