"""Commands and servers of Ocelot as processes of their own: killed, measured, looked at."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.web.test_serve import environment as bare_environment

ROOT = Path(__file__).parents[2]
_ANNOUNCED = re.compile(r"http://\S+:\d+")


@dataclass(frozen=True)
class Ended:
    """A process that has ended: its exit code, what it wrote, and the most MiB it held."""

    code: int
    out: str
    said: str
    memory: int

    @property
    def crashed(self) -> bool:
        """Whether it shows a traceback, or was ended by a signal that nobody sent."""
        return "Traceback" in self.said or self.code in (-signal.SIGSEGV, -signal.SIGABRT)

    @property
    def sentence(self) -> str:
        """What it says of its error, without the names of files."""
        found = re.search(r"^Error: (.*)", self.said, re.MULTILINE)
        return re.sub(r"/\S+/", "", found[1]) if found else ""


class Command:
    """`ocelot …` as a process, whose output goes to files, so that no pipe fills up."""

    def __init__(self, *arguments: str | Path, folder: Path, **environment: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        number = len(list(folder.glob("*.err")))
        self._out, self._said = folder / f"{number}.out", folder / f"{number}.err"
        with self._out.open("wb") as out, self._said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ocelot", *map(str, arguments)],
                cwd=folder,
                env=bare_environment(PYTHONPATH=str(ROOT / "src"), **environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=said,
            )

    def end(self, after: float | None = None, sent: int = signal.SIGKILL) -> Ended:
        """Wait until it ends; send a signal if it has not ended `after` some seconds."""
        timer = threading.Timer(after, self.process.send_signal, [sent]) if after else None
        if timer:
            timer.start()
        memory, pause = 0, threading.Event()
        while self.process.poll() is None:
            memory = max(memory, _held(self.process.pid))
            pause.wait(0.05)
        if timer:
            timer.cancel()
        texts = (file.read_text(errors="replace") for file in (self._out, self._said))
        return Ended(self.process.returncode, *texts, memory=memory)

    def announced(self) -> str:
        """The address that `ocelot serve` announces.

        Raises:
            RuntimeError: It has ended, or announces nothing within 120 s.
        """
        waited = threading.Event()
        for _ in range(1200):
            if found := _ANNOUNCED.search(self._out.read_text()):
                return found[0]
            if self.process.poll() is not None:
                break
            waited.wait(0.1)
        raise RuntimeError(f"The server did not start: {self._said.read_text()}")


def _held(pid: int) -> int:
    """The most MiB that a process has held so far; 0 where the system does not tell.

    The kernel's count for ended children will not do: it begins with what their parent held.
    """
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) // 1024 if found else 0


@contextmanager
def serving(db: Path, *options: str, **environment: str) -> Iterator[tuple[Command, str]]:
    """`ocelot serve` over a database; gives the process and its address."""
    arguments = ("serve", "--port", "0", "--db", db, *options)
    command = Command(*arguments, folder=db.parent / "serve", **environment)
    try:
        yield command, command.announced()
    finally:
        if command.process.poll() is None:
            command.process.kill()
            command.process.wait()
