"""Where uploads of the page lie while they are needed: a folder of this process alone."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

__all__ = ["use_own_folder"]


@cache
def use_own_folder() -> Path:
    """Make Gradio keep its files in a private folder, which goes when the process ends.

    A folder that `GRADIO_TEMP_DIR` names is used as it is, and kept.
    """
    named = os.environ.get("GRADIO_TEMP_DIR")
    if named:
        return Path(named)
    folder = tempfile.mkdtemp(prefix="ocelot-page-")
    os.environ["GRADIO_TEMP_DIR"] = folder  # Gradio asks for no other
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
