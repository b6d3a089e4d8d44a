"""Fixtures that several folders of tests share."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ocelot.collection import Collection
from tests import milvus_server as server

OpenCollection = Callable[..., Collection]
_numbers = itertools.count(1)
_running_server = ExitStack()


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Import what only tests use when it is used: it has no doctests, and some of it is heavy."""
    name = collection_path.name
    helps = name.endswith(".py") and not name.startswith(("test_", "conftest", "__init__"))
    return True if helps else None


# Started first, so that no process works on one of these while the others have nothing left.
_LONG = (
    "tests/indexing/test_cluster.py", "recipes/ocelot_tiny/tests/test_bundled.py",
    "tests/faults/test_short.py", "tests/encoders/test_openvino.py",
    "tests/web/page/test_browser.py", "tests/web/page/test_accessibility.py",
    "tests/test_record.py", "tests/adapting/test_adapt.py", "tests/web/test_openapi_fuzz.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        file = item.nodeid.partition("::")[0]
        return 0 if _needs_server(item.nodeid) else 1 if file in _LONG else 2

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a file in one process, and in one all tests of the only Milvus server."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "server" if _needs_server(nodeid) else nodeid.partition("::")[0]

    return Scheduling(config, log)


def _needs_server(nodeid: str) -> bool:
    return "server" in re.split(r"[-\[\]]", nodeid.partition("::")[2])


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End the server after its last test: it takes a third of a core while it waits."""
    in_turn = "PYTEST_XDIST_WORKER" in os.environ  # the tests of the server, one after the other
    last = nextitem is None or not _needs_server(nextitem.nodeid)
    if in_turn and last and _needs_server(item.nodeid):
        _running_server.close()


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
    with _running_server:
        yield _running_server.enter_context(server.milvus_server(tmp_path_factory.mktemp("milvus")))


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
