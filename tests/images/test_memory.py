"""How much memory large pictures take: the peak of a whole process, as the system counts it."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.web.test_serve import environment, serving

LIMIT = 2**30
_CHANNELS = {"L": (0, 1), "RGBA": (6, 4)}  # number in the header, bytes of a pixel


def png(width: int, height: int, mode: str, shade: int) -> bytes:
    """A PNG of one shade, made without its pixels in memory."""
    kind, channels = _CHANNELS[mode]

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    row, packer = b"\0" + bytes([shade]) * (width * channels), zlib.compressobj(1)
    pixels = b"".join([packer.compress(row) for _ in range(height)]) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def peak(status: str) -> int:
    """The peak memory in bytes that `/proc/PID/status` tells."""
    return 1024 * int(re.search(r"^VmHWM:\s*(\d+) kB$", status, re.M)[1])  # type: ignore[index]


# Not `getrusage`: there a child begins with the peak of the process that started it.
INDEX = """
import atexit
from ocelot.cli.main import run
atexit.register(lambda: print(open("/proc/self/status").read()))
run()
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak cannot be read here")
def test_large_pictures_are_indexed_within_a_gibibyte(tmp_path: Path) -> None:
    """81 and 88 megapixels: whole and all at once, they would take more than two gibibytes."""
    (tmp_path / "pictures").mkdir()
    sizes = [(9000, 9000, "RGBA")] * 2 + [(9400, 9400, "L")] * 2
    for number, size in enumerate(sizes):
        (tmp_path / f"pictures/{number}.png").write_bytes(png(*size, shade=100 + number))
    command = ["index", str(tmp_path / "pictures"), "--db", str(tmp_path / "a.db")]
    done = subprocess.run(
        [sys.executable, "-c", INDEX, *command],
        env=environment(OCELOT_CACHE=str(tmp_path / "cache")),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "4 encoded" in done.stdout
    assert peak(done.stdout) < LIMIT


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak cannot be read here")
def test_large_pictures_are_served_within_a_gibibyte(tmp_path: Path) -> None:
    """Eight uploads at once, then eight queries."""
    pictures = [png(7000, 7000, "L", shade=100 + number) for number in range(8)]
    with (
        serving(
            tmp_path / "a.db",
            "--no-page",
            OCELOT_CACHE=str(tmp_path / "cache"),
            OCELOT_REQUEST_TIMEOUT="120",
        ) as server,
        httpx.Client(base_url=server.url, timeout=120) as client,
        ThreadPoolExecutor(8) as threads,
    ):

        def add(data: bytes) -> int:
            return client.post("/v1/items", files={"image": data}).status_code

        def ask(data: bytes) -> int:
            return client.post("/v1/search", files={"image": data}).status_code

        assert set(threads.map(add, pictures)) == {201}
        assert set(threads.map(ask, pictures)) == {200}
        assert peak(Path(f"/proc/{server.process.pid}/status").read_text()) < LIMIT
