"""The sdist makes the wheel, and the wheel has the package and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata

import ocelot

ROOT = Path(__file__).parents[1]
KINDS = {
    ".css", ".csv", ".html", ".jpg", ".js", ".json", ".md", ".py", ".safetensors", ".toml", ".txt",
    ".typed", "",
}  # fmt: skip


def build(project: Path, target: str, folder: Path) -> Path:
    """Build the sdist or the wheel of a project."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target]
    subprocess.run([*command, "--directory", str(folder)], cwd=project, check=True, timeout=120)
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    return build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made from the sdist, as pip does where it finds no wheel."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    (project,) = unpacked.iterdir()
    return build(project, "wheel", tmp_path_factory.mktemp("wheel"))


def test_the_wheel_has_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    about = f"ocelot_search-{ocelot.__version__}.dist-info/"
    package = {name for name in names if not name.startswith(about)}
    assert names - package == {
        about + name
        for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }
    source = ROOT / "src"
    files = (file for file in (source / "ocelot").rglob("*") if file.is_file())
    tracked = {
        file.relative_to(source).as_posix() for file in files if "__pycache__" not in file.parts
    }
    assert package == tracked
    assert {Path(name).suffix for name in package} <= KINDS
    for name in (
        "py.typed", "assets/ocelot-tiny/model.safetensors", "assets/demo/metadata.csv",
        "web/page/static/page.css", "web/page/texts/it.json",
    ):  # fmt: skip
        assert f"ocelot/{name}" in package


def test_the_wheel_is_small(wheel: Path) -> None:
    assert wheel.name == f"ocelot_search-{ocelot.__version__}-py3-none-any.whl"
    assert wheel.stat().st_size < 28 * 2**20  # 21 of them are the bundled encoder's weights


def test_the_metadata_is_valid(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("dist-info/METADATA"))
        raw = archive.read(name)
    metadata = Metadata.from_email(raw, validate=True)
    assert metadata.name == "ocelot-search" and str(metadata.version) == ocelot.__version__
    assert metadata.license_expression == "Apache-2.0"
    assert metadata.description_content_type == "text/markdown"
    assert metadata.description == (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_sdist_can_be_tested_and_documented(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in (
        "Makefile", "constraints.txt", "mkdocs.yml", "docs/tutorial.ipynb", "tests/conftest.py",
        "deploy/Containerfile", ".github/workflows/ci.yml", "SECURITY.md", "CITATION.cff",
    ):  # fmt: skip
        assert name in names
