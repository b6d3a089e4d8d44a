"""Completion as a shell asks for it, through the script that `--install-completion` writes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ocelot.encoders.catalog import CATALOG

HEAVY = ("torch", "pymilvus", "numpy", "openai", "rich.progress")
SHIM = f"""#!{sys.executable}
import sys
from ocelot.cli.main import run
try:
    run()
finally:
    sys.stderr.write(" ".join({set(HEAVY)!r} & sys.modules.keys()))
"""
Shell = Callable[..., str]


@pytest.fixture
def shell(tmp_path: Path, bare_environment: None) -> Shell:
    """Run a script in bash, where `ocelot` is a command and the home folder is new."""
    command = tmp_path / "bin" / "ocelot"
    command.parent.mkdir()
    command.write_text(SHIM)
    command.chmod(0o755)

    def run(script: str, **variables: str) -> str:
        environment = {
            **os.environ,
            "HOME": str(tmp_path),
            "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
            **variables,
        }
        bash = shutil.which("bash")
        if bash is None:
            pytest.skip("there is no bash")
        done = subprocess.run(
            [bash, "--norc", "-c", script], capture_output=True, text=True, env=environment
        )
        assert (done.returncode, done.stderr) == (0, "")  # and nothing heavy was imported
        return done.stdout

    return run


def test_bash_completes_after_its_installation(shell: Shell, tmp_path: Path) -> None:
    assert "bash completion installed" in shell("ocelot --install-completion; true")
    offered = shell(
        """
        source ~/.bashrc
        ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ocelot_completion ocelot
                echo "${COMPREPLY[@]}"; }
        ask ocelot ind; ask ocelot config s; ask ocelot search --encoder bge-vis
        ask ocelot serve --reranker ''; ask ocelot index --prec; ask ocelot index pict
        """
    )
    assert offered.splitlines() == [
        "index",
        "show",
        "bge-visualized-base bge-visualized-m3",
        "auto llm fusion none",
        "--precision",
        "",  # bash goes on with names of files
    ]
    assert "complete -o default" in (tmp_path / ".bash_completions" / "ocelot.sh").read_text()


def test_zsh_gets_names_with_their_summaries(shell: Shell) -> None:
    asking = {"_OCELOT_COMPLETE": "complete_zsh"}
    offered = shell("ocelot", **asking, _TYPER_COMPLETE_ARGS="ocelot ind")
    assert '"index":"Index a folder of pictures."' in offered
    offered = shell("ocelot", **asking, _TYPER_COMPLETE_ARGS="ocelot search --encoder ")
    assert all(f'"{name}"' in offered for name in CATALOG)
    assert shell("ocelot", **asking, _TYPER_COMPLETE_ARGS="ocelot index a").strip() == "_files"
    assert "#compdef ocelot" in shell("ocelot", _OCELOT_COMPLETE="source_zsh")
