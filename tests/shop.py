"""A small shop for tests: the first pictures of the demo shop."""

from __future__ import annotations

import shutil
from pathlib import Path

from ocelot.assets import demo_shop


def write_shop(folder: Path, count: int = 60) -> Path:
    """Copy the first pictures of the demo shop, their metadata, and `leopard.jpg`."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    lines = (demo_shop() / "metadata.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    for line in lines[1 : count + 1]:
        name = line.partition(",")[0]
        shutil.copy(demo_shop() / name, folder / name)
    (folder / "metadata.csv").write_text("".join(lines[: count + 1]), encoding="utf-8")
    shutil.copy(demo_shop() / "leopard.jpg", folder)
    return folder
