"""Fixtures that several folders of tests share."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ocelot.collection import Collection
from tests import milvus_server as server

OpenCollection = Callable[..., Collection]
_numbers = itertools.count(1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a file in one process, and in one all tests of the only Milvus server."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file, _, test = nodeid.partition("::")
            return "server" if "server" in re.split(r"[-\[\]]", test) else file

    return Scheduling(config, log)


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine has set for Ocelot or a language model, the test starts without."""
    for name in list(os.environ):
        if name.startswith(("OCELOT_", "OPENAI_", "AZURE_", "LLM_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def server_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not server.is_installed():
        pytest.skip("the package milvus, which carries a server, is not installed")
    with server.milvus_server(tmp_path_factory.mktemp("milvus")) as uri:
        yield uri


@pytest.fixture(scope="session", params=["server"])  # so that names of tests tell who needs it
def milvus(server_uri: str) -> str:
    """The address of a real Milvus server; its token is `tests.milvus_server.TOKEN`."""
    return server_uri


@pytest.fixture(scope="session", params=["lite", "server"])
def deployment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Where to open collections: once in Milvus Lite, once on a server."""
    if request.param == "lite":
        return {"uri": tmp_path_factory.mktemp("lite") / "test.db"}
    return {"uri": request.getfixturevalue("server_uri"), "token": server.TOKEN}


@pytest.fixture
def open_collection(deployment: dict[str, Any]) -> Iterator[OpenCollection]:
    """Opens a collection of a new name, the same at each call of one test."""
    place = deployment | {"name": f"test_{next(_numbers)}"}
    opened: list[Collection] = []

    def open(**options: Any) -> Collection:
        collection = Collection.open(**(place | options))
        opened.append(collection)
        return collection

    yield open
    for collection in opened:
        collection.close()
