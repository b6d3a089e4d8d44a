"""The documentation site builds without a warning, holds every page, and loads nothing foreign."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import ocelot

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0 and not done.stdout + done.stderr, done.stdout + done.stderr
    return folder


def pages(entry: Any) -> Iterator[str]:
    """The pages that a part of the navigation names."""
    if isinstance(entry, str):
        yield entry
    else:
        for part in entry.values() if isinstance(entry, dict) else entry:
            yield from pages(part)


def test_the_navigation_names_every_page() -> None:
    named = list(pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))
    written = {file.name for file in (ROOT / "docs").glob("*.md")}
    assert len(named) == len(set(named))
    assert written <= set(named) and "index.md" in named


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    loaded = r"<(?:script|img|link|iframe|source)\b[^>]*?\b(?:src|href)=[\"']?(?:https?:)?//[^\s>]+"
    for file in [*site.rglob("*.html"), *site.rglob("*.css")]:
        text = file.read_text(encoding="utf-8")
        assert not re.findall(loaded + r"|@import[^;]*//|url\([\"']?(?:https?:)?//", text), file


def test_the_python_reference_has_every_public_name(site: Path) -> None:
    page = (site / "python.html").read_text(encoding="utf-8")
    assert [name for name in ocelot.__all__ if not re.search(rf'id="[\w.]+\.{name}"', page)] == []


def test_links_to_other_files_of_the_repository_keep_their_text_only(site: Path) -> None:
    page = (site / "evaluation.html").read_text(encoding="utf-8")
    assert 'href="recipes/ocelot_tiny/index.html#evaluation-sets"' in page
    page = (site / "performance.html").read_text(encoding="utf-8")
    assert "tutorial.py" in page and 'tutorial.py"' not in page
