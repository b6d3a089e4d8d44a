"""Bring pages from outside of docs/ into the documentation site (a hook of MkDocs)."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
SHARED = {  # page of the site: file of the repository
    "index.md": "README.md",
    **{
        name: name
        for name in (
            "CHANGELOG.md",
            "CONTRIBUTING.md",
            "SECURITY.md",
            "recipes/ocelot_tiny/README.md",
            "src/ocelot/assets/ocelot-tiny/README.md",
        )
    },
}
_LINK = re.compile(r"\[([^\[\]]*)\]\((?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the shared pages."""
    for page, name in SHARED.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to the pages of the site; a link to any other file becomes its text."""
    here = SHARED.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    pages = {name: page for page, name in SHARED.items()}

    def linked(found: re.Match[str]) -> str:
        text, path, anchor = found.groups()
        name = posixpath.normpath(posixpath.join(posixpath.dirname(here), path))
        target = pages.get(name, name.removeprefix("docs/"))
        if files.get_file_from_path(target) is None and (ROOT / name).exists():
            return text
        relative = posixpath.relpath(target, posixpath.dirname(page.file.src_uri) or ".")
        return f"[{text}]({relative}{anchor or ''})"

    return _LINK.sub(linked, markdown)
