"""The tutorial as a notebook: it runs without network, and has the steps of docs/tutorial.md."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

DOCS = Path(__file__).parents[1] / "docs"
STEP = re.compile(r"^## (\d\. .+)$", re.M)


@pytest.fixture
def notebook() -> nbformat.NotebookNode:
    return nbformat.read(DOCS / "tutorial.ipynb", as_version=4)


def test_the_notebook_has_the_steps_of_the_page(notebook: nbformat.NotebookNode) -> None:
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    steps = STEP.findall((DOCS / "tutorial.md").read_text(encoding="utf-8"))
    assert STEP.findall(prose) == steps and len(steps) == 9


def test_the_notebook_is_kept_without_outputs(notebook: nbformat.NotebookNode) -> None:
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)


def test_the_notebook_runs_and_finds_the_leopard_phone_case(
    notebook: nbformat.NotebookNode, bare_environment: None, tmp_path: Path
) -> None:
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=240, kernel_name="python3", resources=where).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "300 encoded, 0 unchanged, 0 failed." in printed and "Ranked by fusion" in printed
    best = printed.splitlines()[-1]
    assert "Leopard Print" in best and "Phone Case" in best
    shown = [set(output.data) for output in outputs if output.output_type == "execute_result"]
    assert sum("image/png" in kinds for kinds in shown) == 3  # the query, the panorama, the best
    assert any("text/html" in kinds for kinds in shown)
