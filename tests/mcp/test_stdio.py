"""`ocelot mcp` as a process, with the official client."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult

from tests.mcp.conftest import Answer, read

_SECONDS = 120.0
COMMAND = ["-m", "ocelot", "mcp", "--db", "shop.db", "--reranker", "fusion"]


@pytest.fixture
def folder(db: Path, tmp_path: Path) -> Path:
    """A working folder with a database of one's own."""
    shutil.copytree(db, tmp_path / "shop.db")
    return tmp_path


def environment(**more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME") if name in os.environ}
    return kept | {"OMP_NUM_THREADS": "1"} | more


def run(folder: Path, given: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command with a text on standard input, which then ends."""
    return subprocess.run(
        [sys.executable, *COMMAND, *options],
        input=given,
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )


def test_a_client_searches_and_looks(folder: Path, leopard: str) -> None:
    parameters = StdioServerParameters(
        command=sys.executable, args=COMMAND, env=environment(), cwd=folder
    )

    async def session() -> list[CallToolResult]:
        async with Client(parameters, read_timeout_seconds=_SECONDS) as client:
            assert client.server_info is not None and client.server_info.name == "ocelot"
            names = [tool.name for tool in (await client.list_tools()).tools]
            assert names == ["search", "similar", "show", "stats"]
            query = {"image": leopard, "text": "phone case with this image theme", "limit": 10}
            found = await client.call_tool("search", query)
            first = {"id": read(found).ids[0]}
            return [
                found,
                await client.call_tool("similar", {**first, "filter": "price < 20", "limit": 3}),
                await client.call_tool("show", first),
                await client.call_tool("stats", {}),
                await client.call_tool("search", {"image": "shop.db"}),
            ]

    found, similar, shown, stats, failed = map(read, asyncio.run(session()))
    assert "leopard" in found.facts["hits"][0]["title"].lower() and found.facts["match"] is True
    assert len(found.ids) == 10 and len(found.pictures) == 8
    assert len(similar.ids) == 3 and found.ids[0] not in similar.ids
    assert shown.facts["title"] == found.facts["hits"][0]["title"] and shown.image().size
    assert stats.facts["items"] == 60
    assert failed == Answer({}, {}, "The field image cannot be used: it is not valid base64 "
                            "(no line breaks, padded with =).")  # fmt: skip


def test_standard_output_is_the_protocol_only_also_of_older_versions(folder: Path) -> None:
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    lines = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
    ]
    with subprocess.Popen(
        [sys.executable, *COMMAND],
        cwd=folder,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write("".join(f"{json.dumps(line)}\n" for line in lines))
        process.stdin.flush()  # its end would also end what is not answered yet
        answers = [json.loads(process.stdout.readline())["id"] for _ in range(2)]
        rest, said = process.communicate(timeout=_SECONDS)
    assert answers == [1, 2] and rest == ""
    assert process.returncode == 0 and "Traceback" not in said
    assert "waits for a client" in said


def test_a_missing_collection_is_not_made(tmp_path: Path) -> None:
    done = run(tmp_path, "")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("Error: ") and "shop.db" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_signal_ends_it(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, *COMMAND],
        cwd=folder,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdin is not None and process.stdout is not None
        request = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(_SECONDS) == 0  # while standard input is open
        assert process.stderr is not None and "Traceback" not in process.stderr.read()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("missing", ["mcp", "fastapi"])
def test_without_the_extra_the_command_that_installs_it_is_named(missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "sys.argv = ['ocelot', 'mcp', '--db', 'shop.db']\n"
        "from ocelot.cli.main import run; run()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == (
        f"Error: The MCP server needs more packages ({missing} is missing): "
        "pip install 'ocelot-search[mcp]'.\n"
    )
