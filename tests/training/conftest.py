"""Made photographs and what training prepares of them, once for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ocelot.training.photographs import Album, read_album
from ocelot.training.pictures import StencilPool
from tests.training import made


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums in a fixed order: two runs can be compared to the last bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of made photographs."""
    folder = tmp_path_factory.mktemp("photographs") / "photographs"
    made.write_photographs(folder)
    return folder


@pytest.fixture(scope="session")
def album(photographs: Path) -> Album:
    """The made photographs, prepared in `prepared.npy` beside their folder."""
    cache = photographs.parent / "prepared.npy"
    return read_album(photographs, cache, articles="clothing/", workers=1)


@pytest.fixture(scope="session")
def stencils(photographs: Path) -> StencilPool:
    """One empty product of every style, in `stencils.npy` beside the photographs' folder."""
    return StencilPool(photographs.parent / "stencils.npy", size=32, views=1, seed=3, workers=1)
