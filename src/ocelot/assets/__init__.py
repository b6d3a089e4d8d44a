"""Files that ship with the package: the bundled encoder, and the demo shop."""

from __future__ import annotations

import filecmp
import shutil
from pathlib import Path

__all__ = ["copy_demo_shop", "demo_shop", "demo_shop_size"]

_DEMO_SHOP = Path(__file__).parent / "demo"


def demo_shop() -> Path:
    """Return the folder with `images/`, `metadata.csv`, and the query picture `leopard.jpg`."""
    return _DEMO_SHOP


def demo_shop_size() -> int:
    """Return the number of pictures in the demo shop."""
    return sum(1 for _ in (_DEMO_SHOP / "images").iterdir())


def copy_demo_shop(folder: Path) -> Path:
    """Copy the demo shop into a folder; files that are there already stay untouched.

    Raises:
        OSError: The folder cannot be written to.
    """
    for name in ("images", "metadata.csv", "leopard.jpg"):
        source = _DEMO_SHOP / name
        for file in sorted(source.iterdir()) if source.is_dir() else [source]:
            target = folder / file.relative_to(_DEMO_SHOP)
            if not (target.is_file() and filecmp.cmp(file, target, shallow=False)):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
    return folder
