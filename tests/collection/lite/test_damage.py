"""Damage to the files of a local database: refused with nothing changed, or all rows are read."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.collection.lite.repair import repair
from ocelot.errors import CollectionError, DatabaseUnavailable

ENCODER = EncoderIdentity("test-encoder", "0123456789abcdef", 8)
IDS = [f"picture-{number:03}" for number in range(90)]
DELETED = IDS[5:90:10]


def vector(number: int) -> np.ndarray:
    drawn = np.random.default_rng(number).normal(size=8).astype(np.float32)
    return drawn / np.linalg.norm(drawn)


def row(number: int) -> Row:
    name = IDS[number]
    return Row(name, {f"/{name}.jpg": 1}, 10, 3, 4, {"n": number}, vector(number))


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A database that was closed, one whose process was killed, and one without a seal.

    Each holds two data files and a file of deletions; the killed one also a log of 30 rows and of
    deletions. All hold the same 81 rows.
    """
    folder = tmp_path_factory.mktemp("databases")
    with Collection.open(folder / "killed.db", encoder=ENCODER, index="HNSW") as collection:
        collection.upsert(map(row, range(30)))
        collection.flush()
        collection.upsert(map(row, range(30, 60)))
        collection.delete(DELETED[:3])
        collection.flush()
    with Collection.open(folder / "killed.db", encoder=ENCODER) as collection:
        collection.upsert(map(row, range(60, 80)))
        collection.upsert(map(row, range(80, 90)))
        collection.delete(DELETED[3:])
        shutil.copytree(folder / "killed.db", folder / "copy.db")
    (folder / "killed.db").rename(folder / "closed.db")
    (folder / "copy.db").rename(folder / "killed.db")
    shutil.copytree(folder / "closed.db", folder / "unsealed.db")
    (folder / "unsealed.db" / "seal.json").unlink()
    return {name: folder / f"{name}.db" for name in ("closed", "killed", "unsealed")}


def one(folder: Path, pattern: str, place: int = 0) -> Path:
    found = sorted(folder.glob(f"collections/ocelot/{pattern}"))
    assert found, pattern
    return found[place]


def cut(pattern: str, share: float, place: int = 0) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        file = one(folder, pattern, place)
        file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])

    return damage


def cut_last(pattern: str, count: int) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        file = one(folder, pattern)
        file.write_bytes(file.read_bytes()[:-count])

    return damage


def flip(pattern: str, share: float, place: int = 0) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        file = one(folder, pattern, place)
        data = bytearray(file.read_bytes())
        data[int(share * (len(data) - 1))] ^= 0x10
        file.write_bytes(data)

    return damage


def remove(pattern: str, place: int = 0) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        file = one(folder, pattern, place)
        shutil.rmtree(file) if file.is_dir() else file.unlink()

    return damage


def write(pattern: str, data: bytes) -> Callable[[Path], None]:
    return lambda folder: one(folder, pattern).write_bytes(data) and None


def roll_back(folder: Path) -> None:
    shutil.copy(one(folder, "manifest.json.prev"), one(folder, "manifest.json"))


def forget_a_file(folder: Path) -> None:
    file = one(folder, "manifest.json")
    manifest = json.loads(file.read_text())
    manifest["partitions"]["_default"]["data_files"].pop()
    file.write_text(json.dumps(manifest))


def swap(folder: Path) -> None:
    first, second = one(folder, DATA), one(folder, DATA, 1)
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)


def folder_for(pattern: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        file = one(folder, pattern)
        file.unlink()
        file.mkdir()

    return damage


def name_a_file_elsewhere(folder: Path) -> None:
    (folder.parent / "letter.txt").write_bytes(b"Dear customer")
    file = one(folder, "manifest.json")
    manifest = json.loads(file.read_text())
    manifest["partitions"]["_default"]["data_files"] = ["../../../../../letter.txt"]
    file.write_text(json.dumps(manifest | {"version": 99}))


def seal_is_a_folder(folder: Path) -> None:
    (folder / "seal.json").unlink()
    (folder / "seal.json").mkdir()


def reseal(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """Write other content with a right checksum."""

    def damage(folder: Path) -> None:
        file = folder / "seal.json"
        content = json.loads(file.read_bytes().partition(b"\n")[2])
        data = json.dumps(change(content)).encode()
        file.write_bytes(b"%08x\n%b" % (zlib.crc32(data), data))

    return damage


def add_a_merged_file(folder: Path) -> None:
    """As a process leaves one that is killed while it merges files whose last one has all rows."""
    file = one(folder, DATA, -1)
    shutil.copy(file, file.with_stem(f"{file.stem.rpartition('_')[0]}_000999"))


def both_manifests(folder: Path) -> None:
    remove("manifest.json")(folder)
    remove("manifest.json.prev")(folder)


DATA, DELTA = "partitions/*/data/*.parquet", "partitions/*/delta/*.parquet"
INDEX = "partitions/*/indexes/*"
LOG, DELETIONS = "wal/wal_data_*.arrow", "wal/wal_delta_*.arrow"
REFUSED = {
    "manifest cut to 100 bytes": cut("manifest.json", 0.15),
    "manifest cut at its end": cut_last("manifest.json", 2),
    "manifest empty": write("manifest.json", b""),
    "manifest of zeros": write("manifest.json", bytes(500)),
    "manifest of other JSON": write("manifest.json", b"[]"),
    "manifest is an empty object": write("manifest.json", b"{}"),
    "manifest missing": remove("manifest.json"),
    "both manifests missing": both_manifests,
    "manifest rolled back": roll_back,
    "manifest forgets a data file": forget_a_file,
    "manifest flipped in the middle": flip("manifest.json", 0.5),
    "manifest is a folder": folder_for("manifest.json"),
    "manifest nested too deeply": write("manifest.json", 100_000 * b"["),
    "manifest names a file elsewhere": name_a_file_elsewhere,
    "schema missing": remove("schema.json"),
    "schema is a folder": folder_for("schema.json"),
    "schema nested too deeply": write("schema.json", 100_000 * b"["),
    "schema empty": write("schema.json", b""),
    "schema cut": cut("schema.json", 0.5),
    "schema flipped": flip("schema.json", 0.5),
    "first data file missing": remove(DATA),
    "last data file missing": remove(DATA, -1),
    "data file cut in half": cut(DATA, 0.5),
    "data file cut at its end": cut_last(DATA, 1),
    "data file empty": write(DATA, b""),
    "data file of zeros": write(DATA, bytes(5000)),
    "data files swapped": swap,
    "data file is a folder": folder_for(DATA),
    "file of deletions missing": remove(DELTA),
    "file of deletions flipped": flip(DELTA, 0.1),
    "file of deletions cut": cut(DELTA, 0.5),
    "partitions missing": remove("partitions"),
    "collection missing": remove(""),
    "collections missing": lambda folder: shutil.rmtree(folder / "collections"),
    **{f"data file flipped at {share}": flip(DATA, share) for share in (0.01, 0.2, 0.5, 0.8, 0.99)},
}
REFUSED |= {
    "seal empty": lambda folder: (folder / "seal.json").write_bytes(b"") and None,
    "seal is a folder": seal_is_a_folder,
    "seal of other JSON": reseal(lambda content: [content]),
    "seal without logs": reseal(lambda content: {"ocelot": content["ocelot"] | {"logs": None}}),
    "seal with another manifest": reseal(
        lambda content: {"ocelot": content["ocelot"] | {"manifest": "{}"}}
    ),
    "seal cut": lambda folder: (
        (folder / "seal.json").write_bytes((folder / "seal.json").read_bytes()[:-1]) and None
    ),
}


def in_place_of(pattern: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        file = one(folder, pattern)
        file.unlink()
        file.mkdir()

    return damage


def other_seal(content: bytes) -> Callable[[Path], None]:
    sealed = b"%08x\n%b" % (zlib.crc32(content), content)
    return lambda folder: (folder / "seal.json").write_bytes(sealed) and None


REFUSED |= {
    "collections missing": lambda folder: shutil.rmtree(folder / "collections"),
    "manifest is a folder": in_place_of("manifest.json"),
    "schema is a folder": in_place_of("schema.json"),
    "seal is a list": other_seal(b"[]"),
    "seal without files": other_seal(b'{"ocelot": {}}'),
    "seal with another manifest": other_seal(
        b'{"ocelot": {"schema": "{}", "manifest": "[]", "files": {}, "logs": {}}}'
    ),
}
REFUSED_WITHOUT_SEAL = {
    name: REFUSED[name]
    for name in (
        "manifest cut to 100 bytes", "manifest cut at its end", "manifest empty",
        "manifest of zeros", "manifest of other JSON", "manifest is an empty object",
        "manifest missing", "both manifests missing", "manifest rolled back",
        "schema missing", "schema empty", "schema cut",
        "first data file missing", "last data file missing", "data file cut in half",
        "data file cut at its end", "data file empty", "data file of zeros",
        "manifest is a folder", "manifest nested too deeply", "manifest names a file elsewhere",
        "schema is a folder", "schema nested too deeply", "data file is a folder",
        "file of deletions missing", "file of deletions cut", "partitions missing",
    )
}  # fmt: skip
REFUSED_WITH_LOG = {
    "log missing": remove(LOG),
    "log empty": write(LOG, b""),
    "log cut by a byte": cut_last(LOG, 1),
    "log cut in half": cut(LOG, 0.5),
    "log of zeros": write(LOG, bytes(9000)),
    "deletions missing from the log": remove(DELETIONS),
    "deletions of the log cut": cut(DELETIONS, 0.5),
    "all logs missing": remove("wal"),
    **{f"log flipped at {share}": flip(LOG, share) for share in (0.01, 0.3, 0.6, 0.9)},
}
WHOLE = {
    "nothing": lambda folder: None,
    "index missing": remove(INDEX),
    "index empty": write(INDEX, b""),
    "index cut": cut(INDEX, 0.5),
    "index flipped": flip(INDEX, 0.5),
    "index is a folder": folder_for(INDEX),
    "merged file not named yet": add_a_merged_file,
    "log of another system": lambda folder: (
        (folder / "collections/ocelot/wal/._wal_data_000001.arrow").write_bytes(b"Mac") and None
    ),
    "all indexes missing": remove("partitions/*/indexes"),
    "old manifest missing": remove("manifest.json.prev"),
    "old manifest flipped": flip("manifest.json.prev", 0.5),
    "lock missing": lambda folder: (folder / "LOCK").unlink(),
}
WHOLE_WITH_LOG = {
    "log longer by a torn record": lambda folder: append(folder, LOG, b"\xff\xff\xff\xff\x10\0"),
    "log longer by zeros": lambda folder: append(folder, LOG, bytes(64)),
    "seal missing": lambda folder: (folder / "seal.json").unlink(),
}


def append(folder: Path, pattern: str, data: bytes) -> None:
    file = one(folder, pattern)
    file.write_bytes(file.read_bytes() + data)


def cases(*kinds: tuple[str, dict[str, Callable[[Path], None]]]) -> list[object]:
    return [
        pytest.param(state, damage, id=f"{state}: {name}")
        for state, damages in kinds
        for name, damage in damages.items()
    ]


@pytest.fixture
def copy_of(databases: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    return lambda state: shutil.copytree(databases[state], tmp_path / "shop.db")


@pytest.mark.parametrize(
    ("state", "damage"),
    cases(
        ("closed", REFUSED),
        ("killed", REFUSED),
        ("killed", REFUSED_WITH_LOG),
        ("unsealed", REFUSED_WITHOUT_SEAL),
    ),
)
def test_refused_with_nothing_changed(
    copy_of: Callable[[str], Path], state: str, damage: Callable[[Path], None]
) -> None:
    folder = copy_of(state)
    damage(folder)
    before = contents(folder)
    with pytest.raises(DatabaseUnavailable, match=r"is damaged: .* Nothing was changed: .* repair"):
        Collection.open(folder, create=False)
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("state", "damage"),
    cases(("closed", WHOLE), ("killed", WHOLE), ("killed", WHOLE_WITH_LOG), ("unsealed", WHOLE)),
)
def test_all_rows_are_read(
    copy_of: Callable[[str], Path], state: str, damage: Callable[[Path], None]
) -> None:
    folder = copy_of(state)
    damage(folder)
    kept = [number for number, name in enumerate(IDS) if name not in DELETED]
    for _ in range(2):
        with Collection.open(folder, create=False) as collection:
            assert collection.count() == len(kept)
            assert [one.id for one in collection.iterate()] == [IDS[number] for number in kept]
            for number in kept[::20]:
                (hit,) = collection.search(vector(number), limit=1)
                assert (hit.id, hit.metadata["n"]) == (IDS[number], number)


LOSSLESS = ("manifest", "both manifests", "schema", "seal")


@pytest.mark.parametrize(
    ("state", "damage", "is_whole"),
    [
        pytest.param(*case.values, case.id.split(": ")[1].startswith(LOSSLESS), id=case.id)
        for case in cases(("closed", REFUSED), ("killed", REFUSED), ("killed", REFUSED_WITH_LOG))
    ],
)
def test_repair_saves_what_can_be_read(
    copy_of: Callable[[str], Path], state: str, damage: Callable[[Path], None], is_whole: bool
) -> None:
    folder = copy_of(state)
    damage(folder)
    before = contents(folder)
    done = repair(str(folder))
    assert done.damages
    assert not (letter := folder.with_name("letter.txt")).exists() or letter.read_bytes()
    assert contents(done.copy) == before
    kept = {name for name in IDS if name not in DELETED}
    try:
        with Collection.open(folder, create=False) as collection:
            found = {one.id: one for one in collection.get(IDS)}
    except CollectionError:
        assert not is_whole
        found = {}
    for name, one in found.items():
        assert np.abs(one.vector - vector(IDS.index(name))).max() < 1e-3
    # One flipped bit of a number such as the width cannot be seen in the row itself.
    assert sum(one != row(IDS.index(name)) for name, one in found.items()) <= 1
    if is_whole:
        assert not done.losses
        assert found.keys() == kept
    elif found.keys() != kept:
        assert done.losses
    assert repair(str(folder)).copy is None
