"""`ocelot serve` as a process: it starts, is stopped, and loses nothing. tests/faults kills it."""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

import ocelot
from ocelot.cli.serve import _listen

_SECONDS = 120.0


def test_answers_are_sent_without_delay() -> None:
    with _listen("127.0.0.1", 0) as listener:
        # asyncio turns Nagle's algorithm off only where a socket names its protocol; with it,
        # each answer on a kept connection is 40 ms late.
        assert listener.proto == socket.IPPROTO_TCP


@dataclass
class Running:
    """A server process and its address."""

    process: subprocess.Popen[str]
    url: str
    announced: str

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; returns the exit code and what it said on stderr."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=_SECONDS)
        return self.process.returncode, said


def environment(**more: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OCELOT_", "OPENAI_", "AZURE_"))
    }
    return kept | {"PYTHONUNBUFFERED": "1"} | more


@contextmanager
def serving(db: Path, *options: str, **env: str) -> Iterator[Running]:
    command = [sys.executable, "-m", "ocelot", "serve", "--port", "0", "--db", str(db), *options]
    process = subprocess.Popen(
        command,
        cwd=db.parent,
        env=environment(**env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+:\d+", line)
        if found is None:
            raise AssertionError(process.communicate(timeout=_SECONDS)[1])
        yield Running(process, found[0].replace("0.0.0.0", "127.0.0.1"), line)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def picture(seed: int) -> bytes:
    grid = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grid).resize((96, 96), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


def upload(client: httpx.Client, seed: int) -> httpx.Response:
    return client.post("/v1/items", files={"image": ("a.png", picture(seed), "image/png")})


def test_a_signal_lets_running_requests_finish(tmp_path: Path) -> None:
    db = tmp_path / "shop.db"
    with serving(db, "--no-page") as server:
        with ThreadPoolExecutor(12) as pool, httpx.Client(base_url=server.url, timeout=60) as one:
            assert upload(one, 1).status_code == 201  # and the encoder is warm
            begun = threading.Barrier(13)

            def send(seed: int) -> int | None:
                with httpx.Client(base_url=server.url, timeout=_SECONDS) as client:
                    client.get("/healthz")  # connected before the signal
                    begun.wait()
                    try:
                        return upload(client, seed).status_code
                    except (httpx.RemoteProtocolError, httpx.NetworkError):
                        return None  # it came too late to be taken; never an acknowledged one

            jobs = [pool.submit(send, seed) for seed in range(2, 14)]
            begun.wait()
            code, said = server.stop()
            statuses = [job.result(_SECONDS) for job in jobs]
        assert code == 0, said
        assert "Traceback" not in said
        assert "Stopped; everything is written." in said
        assert set(statuses) <= {201, None}
    with ocelot.open(db, reranker=None, create=False) as engine:
        assert engine.count() >= 1 + statuses.count(201)


def test_the_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "ocelot", "serve", "--port", str(port)],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"Error: Cannot listen on 127.0.0.1:{port} (address already in use); choose another --port."
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_held_is_named(tmp_path: Path) -> None:
    with ocelot.open(tmp_path / "shop.db", reranker=None):
        done = subprocess.run(
            [sys.executable, "-m", "ocelot", "serve", "--port", "0", "--db", "shop.db"],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
    assert done.returncode == 1
    assert "in use by another process" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_open_address_without_keys_warns_and_with_keys_asks(tmp_path: Path) -> None:
    with serving(tmp_path / "a.db", "--no-page", "--host", "0.0.0.0") as server:
        assert httpx.get(f"{server.url}/v1/collection").status_code == 200
        code, said = server.stop(signal.SIGINT)
    assert code == 0 and "Stopped; everything is written." in said
    assert "WARNING: Listening on 0.0.0.0 without API keys" in said
    key = "a-key-of-the-test"
    with serving(
        tmp_path / "b.db", "--no-page", "--host", "0.0.0.0", "-v", OCELOT_API_KEYS=f"other,{key}"
    ) as server:
        url = f"{server.url}/v1/collection"
        assert httpx.get(url).status_code == 401
        assert httpx.get(url, headers={"Authorization": f"Bearer {key}"}).status_code == 200
        _, said = server.stop()
    assert "without API keys" not in said
    assert key not in said


def test_a_language_model_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    db = tmp_path / "shop.db"
    with socket.socket() as deaf, ThreadPoolExecutor(1) as pool:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()  # takes connections, and says nothing
        model = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1"
        options = ("--no-page", "--llm-base-url", model)
        with (
            serving(db, *options, OCELOT_STOP_TIMEOUT="1") as server,
            httpx.Client(base_url=server.url, timeout=_SECONDS) as client,
        ):
            ids = [upload(client, seed).json()["id"] for seed in (1, 2)]
            asking = pool.submit(client.post, "/v1/search", json={"images": [{"id": ids[0]}]})
            deaf.accept()  # the model has been asked
            code, said = server.stop()
            assert asking.result(_SECONDS).status_code == 503
    assert code == 0, said
    assert "Traceback" not in said
    with ocelot.open(db, reranker=None, create=False) as engine:
        assert engine.count() == 2
