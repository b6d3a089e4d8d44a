"""Hostile input: files, metadata, filters, and a folder that changes underfoot."""

from __future__ import annotations

import io
import json
import random
import threading
from collections import Counter
from pathlib import Path

from PIL import Image

from ocelot.errors import OcelotError
from tests.faults.finding import Finding, Losses, tally
from tests.faults.processes import Command
from tests.faults.shops import Shop, on_disk, rows
from tests.indexing.pictures import bomb, picture

_SEED = 18


def changing_folder(folder: Path, short: bool) -> Finding:
    """Files appear, change, move and go while `ocelot index` reads them."""
    shop, losses = Shop.write(folder, 40 if short else 300), Losses()
    images, db = shop.folder / "images", folder / "shop.db"
    stopped, changes, chance = threading.Event(), Counter[str](), random.Random(_SEED)

    def change() -> None:
        while not stopped.wait(0.002):
            files = sorted(file for file in images.iterdir() if file.is_file())
            file, what = chance.choice(files), chance.choice(("gone", "moved", "changed", "new"))
            if what == "gone" and len(files) > 20:
                file.unlink()
            elif what == "moved":
                file.rename(file.with_name(f"moved-{chance.random()}{file.suffix}"))
            elif what == "changed":
                picture(file.with_suffix(".png"), chance.randrange(10_000))
            else:
                picture(images / f"new-{chance.random()}.png", chance.randrange(10_000))
            changes[what] += 1

    changer = threading.Thread(target=change)
    command = Command("index", images, "--db", db, "--prune", folder=folder / "run")
    changer.start()
    ended = command.end()
    stopped.set()
    changer.join()
    losses.that(ended.code in (0, 1) and not ended.crashed, f"exit {ended.code}")
    with shop.open(db) as engine:
        engine.index(images, prune=True)
        found = {row.id: set(row.paths) for row in rows(engine.collection).values()}
    losses.that(found == on_disk(images), "rows that differ from the folder after a quiet run")
    return Finding(
        f"{changes.total():,} changes of files (new, changed, moved, gone) while `ocelot index "
        "--prune` reads them",
        "files that vanish are reported; the next run agrees with the folder",
        losses.all(),
        ended.memory,
    )


def hostile_files(folder: Path, short: bool) -> Finding:
    """Files that are no pictures, broken ones, bombs, odd names."""
    images, count, losses = folder / "images", 60 if short else 3000, Losses()
    images.mkdir(parents=True)
    chance, whole = random.Random(_SEED), io.BytesIO()
    Image.effect_noise((60, 40), 80).convert("RGB").save(whole, "JPEG")
    for number in range(count):
        _hostile(images / f"{number:04}", number % 10, whole.getvalue(), chance)
    picture(images / "good.png", 1)
    arguments = ("index", images, "--db", folder / "shop.db", "--json")
    ended = Command(*arguments, folder=folder / "run").end()
    losses.that(ended.code == 0 and not ended.crashed, f"exit {ended.code}")
    report = json.loads(ended.out) if ended.code == 0 else {"failures": [], "found": 0}
    named = {failure["path"] for failure in report["failures"]}
    with Shop(folder).open(folder / "shop.db") as engine:
        stored = {path for row in rows(engine.collection).values() for path in row.paths}
    for path in map(str, images.rglob("*")):
        if Path(path).suffix in (".jpg", ".png", ".webp", ".gif") and not Path(path).is_dir():
            losses.that((path in stored) != (path in named), "file neither stored nor reported")
    losses.that(str(images / "good.png") in stored, "good picture")
    return Finding(
        f"{count:,} hostile files: cut, random, empty, bombs, links in circles, odd names",
        f"{len(stored):,} can be used and are stored, {len(named):,} are reported with causes",
        losses.all(),
        ended.memory,
    )


def _hostile(path: Path, kind: int, whole: bytes, chance: random.Random) -> None:
    if kind == 0:
        path.with_suffix(".jpg").write_bytes(whole[: chance.randrange(len(whole))])
    elif kind == 1:
        path.with_suffix(".png").write_bytes(chance.randbytes(chance.randrange(1, 2000)))
    elif kind == 2:
        bomb(path.with_suffix(".png"))
    elif kind == 3:
        path.with_suffix(".webp").symlink_to(path.with_suffix(".webp"))
    elif kind == 4:
        damaged = bytearray(whole)
        for _ in range(20):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.with_suffix(".jpg").write_bytes(damaged)
    elif kind == 5:
        path.with_name(f"{path.name} ünï'\"; drop\n\x1b[31m.png").write_bytes(whole)
    elif kind == 6:
        path.with_suffix(".gif").touch()
    elif kind == 7:
        path.with_suffix(".jpg").mkdir()
    elif kind == 8:
        path.with_suffix(".jpg").write_bytes(b"GIF89a" + whole[6:])
    else:
        path.with_suffix(".png").write_bytes(b"<svg onload=alert(1)>" * 10)


_FILTERS = (
    "price <", "((((", "price < 30 and", "'; drop table ocelot; --", "price == 1e999", "\x00",
    "price < " + "9" * 400, "not not not price", "price in []", "price in [1, 'a', null]",
    "nothing_has_this == 1", "id == 1", "vector == 1", "$meta == 1", "paths['x'] > 3",
    "price like '%'", "title like '%%%%'", "title == \"\u202e\"", "title == '\ud83d\ude00'",
    "json_contains(title, 1)", "array_length(price) > 1", "price < price", "price % 0 == 1",
    "price / 0 > 1", "1 == 1", "true", "exists price", "x" * 9999, "(" * 2000 + ")" * 2000,
    "price < 30 or " * 600 + "price < 1",
)  # fmt: skip


def hostile_filters(folder: Path, short: bool) -> Finding:
    """Filters that no parser likes."""
    shop, losses, seen = Shop.write(folder, 20 if short else 60), Losses(), Counter[str]()
    with shop.open(folder / "shop.db") as engine:
        engine.index(shop.folder / "images")
        for filter in _FILTERS:
            for ask in (
                lambda f: engine.search(text="a mug", filter=f),
                lambda f: engine.count(filter=f),
            ):
                try:
                    ask(filter)
                    seen["answered"] += 1
                except OcelotError as error:
                    losses.that(str(error).endswith("."), "refusal without a sentence")
                    seen["refused with a sentence"] += 1
                except Exception as error:
                    losses.that(False, f"{type(error).__name__} for {filter[:20]!r}")
        shop.compare(losses, rows(engine.collection), whole=True)
    return Finding(
        f"{len(_FILTERS)} hostile filters, for a search and a count each", tally(seen), losses.all()
    )


_METADATA: dict[str, bytes] = {
    "empty.csv": b"", "header.csv": b"file_name,price\n", "binary.csv": bytes(range(256)) * 9,
    "utf16.csv": "file_name,title\n0.png,é\n".encode("utf-16"), "no-column.csv": b"a,b\n1,2\n",
    "twice.csv": b"file_name,price,price\n0.png,1,2\n",
    "ragged.csv": b"file_name,a\n0.png\n1.png,1,2,3\n",
    "quote.csv": b'file_name,title\n0.png,"never closed\n1.png,x\n',
    "up.csv": b"file_name,price\n../../etc/passwd,1\n0.png,2\n",
    "reserved.csv": b"file_name,id,vector,$meta,paths\n0.png,1,2,3,4\n",
    "long.csv": b"file_name,title\n0.png," + b"x" * 200_000 + b"\n",
    "not.jsonl": b"[]\n3\nnull\n{\n",
    "deep.jsonl": b'{"file_name":"0.png","a":' + b"[" * 500 + b"]" * 500 + b"}\n",
    "numbers.jsonl": b'{"file_name":"0.png","a":NaN,"b":1e400,"c":12345678901234567890123}\n',
    "keys.jsonl": b'{"file_name":"0.png","":1,"a.b":2,"$x":3,"\\u0000":4}\n',
    "list.jsonl": b'{"file_name":["0.png"],"price":1}\n', "cut.parquet": b"PAR1" + bytes(40),
}  # fmt: skip


def hostile_metadata(folder: Path, short: bool) -> Finding:
    """Metadata files of every wrong kind; the pictures are indexed, or the file is refused."""
    images, losses, seen = folder / "images", Losses(), Counter[str]()
    for number in range(4):
        picture(images / f"{number}.png", number)
    shop = Shop(folder)
    for name, data in _METADATA.items():
        file = folder / name
        file.write_bytes(data)
        with shop.open(folder / f"{name}.db") as engine:
            try:
                report = engine.index(images, metadata=file)
                losses.that(engine.count() == 4, "picture")
                seen["used, with remarks" if report.remarks else "used"] += 1
            except OcelotError as error:
                losses.that(name in str(error), "refusal that does not name the file")
                seen["refused with a sentence that names it"] += 1
            except Exception as error:
                losses.that(False, f"{type(error).__name__} for {name}")
    return Finding(f"{len(_METADATA)} wrong metadata files", tally(seen), losses.all())
