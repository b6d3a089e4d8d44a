"""`ocelot verify`, `export`, `import`, `backup`, `restore` and `duplicates`."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from tests.cli.conftest import Command
from tests.indexing.pictures import picture


def test_verify(ocelot: Command, tmp_path: Path, shop: Path) -> None:
    shutil.copytree(shop / "images", "images")
    assert ocelot("index", "images", "--db", "shop.db").code == 0
    well = ocelot("verify", "--db", "shop.db", "--sample", 5)
    assert (well.code, well.err) == (0, "")
    assert "shop.db: 60 rows, 60 files." in well.out and "All is well." in well.out
    assert re.search(r"5 vectors computed again: the largest difference is \d", well.out)
    first, *files = sorted(Path("images").rglob("*.jpg"))
    for file in files[:12]:
        file.unlink()
    picture(Path("images/bad\x1b[31m.png"), 1)
    wrong = ocelot("verify", "images", "--db", "shop.db")
    assert wrong.code == 1 and "\x1b" not in wrong.out
    assert "12 files gone from their folders:" in wrong.out and "and 2 more" in wrong.out
    assert "1 file without a row:" in wrong.out and "13 wrong." in wrong.out
    told = ocelot("verify", "images", "--db", "shop.db", "--json")
    report = json.loads(told.out)
    assert told.code == 1 and report["mended"] is None and report["lost"] == 12
    assert sum(finding["kind"] == "gone" for finding in report["findings"]) == 12
    mended = ocelot("verify", "images", "--db", "shop.db", "--mend")
    assert mended.code == 0 and "shop.db: 49 rows, 49 files." in mended.out
    assert "1 picture indexed" in mended.out and "12 paths and 12 rows removed" in mended.out
    shutil.rmtree("images")
    away = ocelot("verify", "--db", "shop.db", "--mend")
    assert away.code == 1 and "is a disk not mounted?" in away.out
    pruned = ocelot("verify", "--db", "shop.db", "--mend", "--prune-missing", "--json")
    assert pruned.code == 0 and json.loads(pruned.out)["mended"]["removed"] == 49
    assert ocelot("verify", "--db", "none.db").code == 2
    assert first.parent == Path("images")


def test_export_and_import(ocelot: Command, indexed: Path) -> None:
    written = ocelot("export", "a.parquet", "--db", indexed)
    assert written.code == 0 and "a.parquet holds 60 rows" in written.out
    Path("folder").mkdir()
    some = ocelot("export", "folder", "--db", indexed, "--filter", 'title like "%"', "--json")
    told = json.loads(some.out)
    assert (told["file"], told["db"]) == ("folder/ocelot.parquet", str(indexed))
    done = ocelot("import", "a.parquet", "--db", "b.db", "--collection", "toys")
    assert done.code == 0 and "60 rows found: 60 stored." in done.out
    again = ocelot("import", "a.parquet", "--db", "b.db", "--collection", "toys", "--json")
    report = json.loads(again.out)
    assert (report["stored"], report["total"], report["failures"]) == (60, 60, [])
    one, other = (
        json.loads(ocelot("search", "--text", "a red shirt", "--json", *where).out)["hits"]
        for where in (("--db", indexed), ("--db", "b.db", "--collection", "toys"))
    )
    assert one and one == other
    refused = ocelot("import", "none.parquet", "--db", "c.db")
    assert refused.code == 2 and "none.parquet" in refused.err and not Path("c.db").exists()
    assert ocelot("export", "a.parquet", "--db", indexed, "--filter", "price <").code == 2


def test_backup_and_restore(ocelot: Command, indexed: Path) -> None:
    made = ocelot("backup", "a.tar", "--db", indexed)
    assert made.code == 0 and f"a.tar holds 1 collection of {indexed} and 0 uploads" in made.out
    restored = ocelot("restore", "a.tar", "--db", "b.db")
    assert restored.code == 0 and "ocelot 60 pictures; 0 uploads" in restored.out
    assert json.loads(ocelot("info", "--db", "b.db", "--json").out)["count"] == 60
    assert ocelot("verify", "--db", "b.db").code == 0
    again = ocelot("restore", "a.tar", "--db", "b.db")
    assert again.code == 2 and "b.db exists already" in again.err
    told = json.loads(ocelot("restore", "a.tar", "--db", "c.db", "--json").out)
    assert (told["rows"], told["db"]) == ({"ocelot": 60}, "c.db")
    server = ocelot("backup", "a.tar", "--db", "http://user:secret@host:19530")
    assert server.code == 2 and "milvus-backup" in server.err and "secret" not in server.err
    assert "ocelot export" in server.err
    Path("text.tar").write_text("no")
    assert ocelot("restore", "text.tar", "--db", "d.db").code == 2


def test_duplicates(ocelot: Command, tmp_path: Path) -> None:
    from PIL import Image

    Path("images").mkdir()
    for number, colour in enumerate(("red", "blue", "green")):
        Image.new("RGB", (64 + number, 48), colour).save(f"images/{colour}.png")
    with Image.open("images/red.png") as red:
        red.resize((128, 96)).save("images/large.png")
    shutil.copy("images/large.png", "images/<b>copy.png")
    assert ocelot("index", "images", "--db", "a.db").code == 0
    found = ocelot("duplicates", "--db", "a.db", "--threshold", 0.999, "--html", "new/a.html")
    assert found.code == 0
    assert found.out.splitlines() == [
        f"1.000  128x96  {tmp_path}/work/images/<b>copy.png",
        f"       also {tmp_path}/work/images/large.png",
        f"1.000  64x48  {tmp_path}/work/images/red.png",
        "",
        "1 group with 1 near duplicate in 4 pictures.",
    ]
    page = Path("new/a.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg") == 2 and "&lt;b&gt;copy.png" in page
    assert "<b>copy" not in page and "large.png" in page and "green" not in page
    told = json.loads(ocelot("duplicates", "--db", "a.db", "--threshold", 0.999, "--json").out)
    assert [[hit["rank"] for hit in group] for group in told["groups"]] == [[1, 2]]
    assert ocelot("duplicates", "--db", "a.db", "--threshold", 2).code == 2
    assert ocelot("duplicates", "--db", "a.db", "--html", "images/red.png/a.html").code == 2
