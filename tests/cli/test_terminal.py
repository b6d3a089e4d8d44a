"""Hostile names, odd terminals: what is printed stays a table."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from ocelot.cli.terminal import print_table, waiting
from tests.cli.conftest import Command
from tests.cli.test_train import write_run

SOURCE = str(Path(__file__).parents[2] / "src")


def test_control_characters_do_not_reach_the_terminal(ocelot: Command, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (9, 9), "red").save(folder / "a\x1b[31m\n[red]b.png")
    (folder / "bad\x1b[31m.jpg").write_text("no picture")
    (folder / "metadata.jsonl").write_text(
        '{"file_name": "a\\u001b[31m\\n[red]b.png", "title": "\\u001b[31mred\\nnext [bold]"}\n'
    )
    indexed = ocelot("index", folder, "--db", "a.db")
    assert indexed.code == 0 and "\x1b" not in indexed.out + indexed.err
    found = ocelot("search", "--db", "a.db", "--text", "a")
    assert found.code == 0
    assert "\x1b" not in found.out
    table = found.out.split("\n\n")[0].splitlines()
    assert len(table) == 2  # the head and one hit
    assert "next [bold]" in table[1] and "[red]b.png" in table[1]


def test_columns_are_straight_with_letters_of_two_columns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(["n", "name", "id"], [("9", "手机", "a"), ("10", "a\tb", "b")], right=["n"])
    assert capsys.readouterr().out == " n  name  id\n 9  手机  a\n10  a�b   b\n"


def test_a_link_to_itself_is_one_failure(ocelot: Command, tmp_path: Path) -> None:
    Image.new("RGB", (9, 9), "red").save(tmp_path / "good.png")
    (tmp_path / "self.jpg").symlink_to(tmp_path / "self.jpg")
    outcome = ocelot("index", tmp_path, "--db", "a.db")
    assert outcome.code == 0
    assert "1 encoded" in outcome.out and "self.jpg" in outcome.err


def test_a_missing_folder_makes_no_database(ocelot: Command) -> None:
    assert ocelot("index", "nowhere", "--db", "new.db").code == 2
    assert not Path("new.db").exists()


def test_text_in_another_encoding(ocelot: Command, indexed: Path) -> None:
    assert ocelot("search", "--db", indexed, "--text", "red caf\udcff").code == 0


def test_an_ascii_terminal(ocelot: Command, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (9, 9), "red").save(folder / "caf\u00e9 \u2603.png")
    assert ocelot("index", folder, "--db", "a.db").code == 0
    done = subprocess.run(
        [sys.executable, "-m", "ocelot", "search", "--db", "a.db", "--text", "a"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": SOURCE},
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert b": caf" in done.stdout


def test_train_into_a_file(ocelot: Command, tmp_path: Path) -> None:
    config = write_run(Path())
    (tmp_path / "file").write_text("")
    outcome = ocelot("train", config, "--output", tmp_path / "file", "--initial", "ocelot-tiny")
    assert outcome.code == 2 and "Cannot write" in outcome.err


def test_no_summary_of_a_command_is_cut(ocelot: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    for command in ((), ("evaluate",), ("data",)):
        help = ocelot(*command, "--help").out
        assert "..." not in help.partition("Commands:")[2]
        assert all(len(line) <= 60 for line in help.splitlines())
    assert "changed as the sentence says." in " ".join(ocelot("--help").out.split())


def test_a_reader_that_goes_away_gets_no_traceback(ocelot: Command, indexed: Path) -> None:
    command = [sys.executable, "-m", "ocelot", "search", "--db", str(indexed), "mug", "--paths"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command, stdout=writing, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": SOURCE}
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo-terminals")
@pytest.mark.parametrize("quiet", [False, True])
def test_a_terminal_says_what_it_waits_for_and_clears_it(
    monkeypatch: pytest.MonkeyPatch, quiet: bool
) -> None:
    ours, theirs = os.openpty()
    with open(ours, "rb", 0) as screen, open(theirs, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        with waiting("gpt-4o is looking at the [red] pictures", quiet=quiet):
            pass
        print("end", file=terminal, flush=True)
        shown = b""
        while b"end" not in shown:
            shown += screen.read(4096)
    if quiet:
        assert shown == b"end\r\n"
    else:
        text = shown.decode()
        assert "gpt-4o is looking at the [red] pictures" in text and "0:00:00" in text
        assert text.rpartition("0:00:00")[2].count("\x1b[2K") >= 1  # the line is cleared


def test_a_pipe_is_told_nothing_while_it_waits(capsys: pytest.CaptureFixture[str]) -> None:
    with waiting("gpt-4o is looking at the pictures"):
        pass
    assert capsys.readouterr() == ("", "")
