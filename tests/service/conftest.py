"""A service over real Milvus Lite with the drawn shop and the bundled encoder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ocelot.build import build_service
from ocelot.catalogue.write import write_catalogue
from ocelot.service import Service
from ocelot.settings import load_settings


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn shop of 60 pictures; read-only."""
    folder = tmp_path_factory.mktemp("service-shop")
    write_catalogue(folder, 60, 5)
    return folder


@pytest.fixture
def service(bare_environment: None, tmp_path: Path) -> Iterator[Service]:
    """An empty one."""
    made = build_service(load_settings(db=str(tmp_path / "shop.db")))
    yield made
    made.close()
