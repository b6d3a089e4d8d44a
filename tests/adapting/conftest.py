from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ocelot.adapting import adapt as adapting
from tests.adapting.made import write_encoder, write_shop


@pytest.fixture
def micro(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The encoder, which learns fast; a shop lies beside it, in the working folder."""
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    monkeypatch.chdir(work)
    write_shop(work / "shop")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(adapting, "_PICTURES_PER_CORE", (24, 8))
    monkeypatch.setattr(adapting, "_LEARNING_RATES", (5e-3, 1e-5))
    monkeypatch.setattr(adapting, "_CHECK_EVERY", 10)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    yield write_encoder(work / "micro")
    torch.set_num_threads(threads)
