"""Disks that are full, read-only or damaged."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ocelot.collection.lite.repair import repair
from ocelot.errors import CollectionError
from tests.faults.finding import Finding, Losses, tally
from tests.faults.processes import Command
from tests.faults.shops import Shop, rows

_SEED = 17


class Mounts:
    """A file system in memory of a few MiB, mounted on a folder: Linux, as root."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()

    def mount(self, options: str) -> bool:
        """Mount it, or mount it anew with other options; whether that was allowed."""
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self._folder)]
        try:
            return subprocess.run(command, capture_output=True).returncode == 0
        except FileNotFoundError:
            return False


@contextmanager
def _memory_disk(folder: Path) -> Iterator[Mounts]:
    try:
        yield Mounts(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], capture_output=True)


def full(folder: Path, short: bool) -> Finding | None:
    """The disk of the database fills up; what was written stays, and more space mends it."""
    shop, losses, sentences, memory = (
        Shop.write(folder, 150 if short else 300),
        Losses(),
        Counter[str](),
        [0],
    )
    sizes = (100,) if short else (100, 250, 400, 550, 700)
    with _memory_disk(folder / "disk") as disk:
        for size in sizes:
            if not disk.mount(f"size={size}k"):
                return None
            db = folder / "disk" / "shop.db"
            cache = {"OCELOT_CACHE": str(folder / "disk" / "cache")}
            arguments = ("index", shop.folder / "images", "--db", db)
            ended = Command(*arguments, folder=folder / "run", **cache).end()
            losses.that(ended.code == 1 and not ended.crashed, f"exit {ended.code}")
            sentences[ended.sentence] += 1
            memory.append(ended.memory)
            disk.mount("remount,size=64m")
            with shop.open(db) as engine:
                shop.compare(losses, rows(engine.collection), whole=False)
                engine.index(shop.folder / "images")
                shop.compare(losses, rows(engine.collection), whole=True)
            subprocess.run(["umount", "--lazy", str(folder / "disk")], check=True)
    return Finding(
        f"the disk of the database fills up while `ocelot index` writes, {len(sizes)} sizes",
        "; ".join(f"“{one}”" for one in sentences) + " With more space, the next run completes.",
        losses.all(),
        max(memory),
    )


def read_only(folder: Path, short: bool) -> Finding | None:
    """The disk of the database is read-only."""
    shop, losses, seen, memory = Shop.write(folder, 20 if short else 60), Losses(), list[str](), [0]
    with _memory_disk(folder / "disk") as disk:
        if not disk.mount("size=64m"):
            return None
        db = folder / "disk" / "shop.db"
        with shop.open(db) as engine:
            engine.index(shop.folder / "images")
        disk.mount("remount,ro")
        for name, *rest in (("index", str(shop.folder)), ("search", "a mug"), ("info",)):
            ended = Command(name, *rest, "--db", db, folder=folder / "run").end()
            losses.that(not ended.crashed, f"traceback of {name}")
            seen.append(f"`{name}`: " + (f"“{ended.sentence}”" if ended.code else "answers"))
            memory.append(ended.memory)
        disk.mount("remount,rw")
        with shop.open(db) as engine:
            shop.compare(losses, rows(engine.collection), whole=True)
    return Finding("a read-only disk", "; ".join(seen), losses.all(), max(memory))


def damaged(folder: Path, short: bool) -> Finding:
    """A file of a closed database is damaged: refused, or read whole; then repaired."""
    shop, losses, seen = Shop.write(folder, 20 if short else 60), Losses(), Counter[str]()
    generator, times = np.random.default_rng(_SEED), 6 if short else 60
    with shop.open(folder / "shop.db") as engine:
        engine.index(shop.folder / "images")
    for number in range(times):
        db = folder / f"{number}.db"
        shutil.copytree(folder / "shop.db", db)
        _damage(db, generator)
        try:
            with shop.open(db, create=False) as engine:
                shop.compare(losses, rows(engine.collection), whole=True)
            seen["all rows are read"] += 1
        except CollectionError as error:
            losses.that(str(error).endswith("."), "refusal without a sentence")
            seen["refused with a sentence, nothing changed"] += 1
            said = repair(str(db)).losses
            seen["of these repaired with a loss that `repair` names"] += bool(said)
            with shop.open(db) as engine:
                engine.index(shop.folder / "images")
                found = rows(engine.collection)
            for _ in shop.expected.keys() - found.keys():
                losses.that(False, "missing row after repair and `index`")
            if not said:  # where a data file has changed, rows are kept with a remark
                shop.compare(losses, found, whole=True)
        shutil.rmtree(db)
    return Finding(
        f"a file of a closed database is cut, overwritten, emptied or removed at random, {times} x",
        f"{tally(seen)}; `ocelot index` brings back what was lost",
        losses.all(),
    )


def _damage(db: Path, generator: np.random.Generator) -> None:
    files = sorted(file for file in db.rglob("*") if file.is_file() and file.name != "LOCK")
    file = files[generator.integers(len(files))]
    data = bytearray(file.read_bytes())
    kind = generator.integers(4) if data else 3
    place = int(generator.integers(max(1, len(data))))
    if kind == 0:
        file.write_bytes(data[:place])
    elif kind == 1:
        data[place] ^= 1 << int(generator.integers(8))
        file.write_bytes(data)
    elif kind == 2:
        end = min(len(data), place + 512)
        data[place:end] = bytes(end - place)
        file.write_bytes(data)
    else:
        file.unlink()
