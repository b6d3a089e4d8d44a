"""Services over real Milvus Lite with the drawn shop and the bundled encoder, and clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from ocelot.build import build_collection, build_encoder
from ocelot.encoders.base import Encoder
from ocelot.encoders.batching import BatchingEncoder
from ocelot.engine import Engine
from ocelot.images.store import ImageStore
from ocelot.rerankers.fusion import FusionReranker
from ocelot.service import Service
from ocelot.settings import Settings
from ocelot.web import create_app
from tests.shop import write_shop

MakeClient = Callable[..., TestClient]
MakeService = Callable[..., Service]


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of 60 pictures; read-only."""
    folder = tmp_path_factory.mktemp("server-shop")
    write_shop(folder)
    return folder


@pytest.fixture(scope="session")
def leopard(shop: Path) -> bytes:
    """A picture that is not in the shop."""
    return (shop / "leopard.jpg").read_bytes()


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    """The bundled one, loaded once for all services."""
    return build_encoder(Settings.model_construct(precision="fp32"))  # exact in any batch


def service_in(folder: Path, encoder: Encoder, **options: Any) -> Service:
    """A service as `build_service` makes it, unless options say otherwise."""
    batching = BatchingEncoder(options.pop("encoder", encoder))
    collection = build_collection(Settings.model_construct(db=str(folder / "shop.db")), batching)
    parts: dict[str, Any] = {
        "rerankers": {"fusion": FusionReranker(batching)},
        "default": "fusion",
    }
    engine = Engine(batching, collection, images=ImageStore(uploads=folder / "uploads"))
    return Service(engine, **(parts | options))


def index(service: Service, shop: Path) -> None:
    """Index the drawn shop."""
    service._engine.index(shop / "images", metadata=shop / "metadata.csv")


@pytest.fixture(scope="session")
def warm(
    shop: Path, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service with the shop indexed; for reading only."""
    service = service_in(tmp_path_factory.mktemp("server"), encoder)
    index(service, shop)
    yield service
    service.close()


@pytest.fixture(scope="session")
def refusing(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An empty service, for what must not get in."""
    service = service_in(tmp_path_factory.mktemp("empty"), encoder)
    yield service
    assert service._engine.count() == 0
    service.close()


@pytest.fixture
def make_service(encoder: Encoder, tmp_path: Path) -> Iterator[MakeService]:
    """Makes an empty service of one's own."""
    made: list[Service] = []

    def make(**options: Any) -> Service:
        made.append(service_in(tmp_path, encoder, **options))
        return made[-1]

    yield make
    for service in made:
        service.close()


@pytest.fixture
def beside(warm: Service, tmp_path: Path) -> Iterator[MakeService]:
    """Makes a further service over the indexed shop, with options of its own."""
    made: list[Service] = []

    def make(*, encoder: Encoder | None = None, **options: Any) -> Service:
        engine = Engine(
            encoder or warm._engine.encoder,
            warm._engine.collection,
            images=ImageStore(uploads=tmp_path),
        )
        parts = {"rerankers": warm._rerankers, "default": "fusion"}
        made.append(Service(engine, **(parts | options)))
        return made[-1]

    yield make
    for service in made:
        for pool in (service._search, service._items, service._reranking):
            pool.close()


@pytest.fixture
def service(make_service: MakeService) -> Service:
    """An empty one of one's own."""
    return make_service()


def app_of(
    service: Service,
    *,
    page: bool = False,
    hosts: tuple[str, ...] | None = None,
    **settings: Any,
) -> FastAPI:
    """An application; settings are those of `Settings`."""
    return create_app(service, Settings.model_construct(**settings), page=page, hosts=hosts)


def client_of(app: FastAPI) -> TestClient:
    """In one process with the application; follows no redirects, as tests want to see them."""
    return TestClient(app, follow_redirects=False)


@pytest.fixture(scope="session")
def client(warm: Service) -> TestClient:
    """Speaks to the indexed shop."""
    return client_of(app_of(warm))


@pytest.fixture
def own(service: Service) -> TestClient:
    """Speaks to the empty service."""
    return client_of(app_of(service))


@pytest.fixture
def make_client(warm: Service) -> MakeClient:
    """Clients of applications over the indexed shop, with settings of their own."""
    return lambda **options: client_of(app_of(warm, **options))
