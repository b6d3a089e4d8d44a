"""Made photographs and what training prepares of them, once for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ocelot.encoders.weights import locate
from ocelot.model.checkpoint import Checkpoint, read_folder
from recipes.ocelot_tiny import photo_benchmark
from recipes.ocelot_tiny.photographs import SIDE, PhotoSet, read_photo_set
from recipes.ocelot_tiny.pools import StencilPool
from recipes.ocelot_tiny.tests import made
from tests.conftest import bare_environment
from tests.training.conftest import one_thread

__all__ = ["bare_environment", "one_thread"]


@pytest.fixture(scope="session")
def bundled() -> Checkpoint:
    return read_folder(locate("ocelot-tiny").weights.parent)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of made photographs."""
    folder = tmp_path_factory.mktemp("photographs") / "photographs"
    made.write_photographs(folder)
    return folder


@pytest.fixture(scope="session")
def photos(photographs: Path) -> PhotoSet:
    """The made photographs, prepared in `prepared.npy` beside their folder."""
    cache = photographs.parent / "prepared.npy"
    return read_photo_set(photographs, cache, articles="clothing/", workers=1)


@pytest.fixture(scope="session")
def stencils_of_benchmarks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StencilPool]:
    """The empty products of evaluation sets, drawn once for all of them: it takes seconds."""
    file = tmp_path_factory.mktemp("stencils") / "stencils.npy"
    pool = StencilPool(file, size=SIDE, views=1, seed=1 << 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(photo_benchmark, "StencilPool", lambda *args, **options: pool)
        yield pool


@pytest.fixture(scope="session")
def stencils(photographs: Path) -> StencilPool:
    """One empty product of every style, in `stencils.npy` beside the photographs' folder."""
    return StencilPool(photographs.parent / "stencils.npy", size=32, views=1, seed=3, workers=1)
