from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Command


def test_evaluate_a_held_out_set(ocelot: Command, tmp_path: Path) -> None:
    folder = tmp_path / "held-out"
    made = ocelot(
        "catalogue", folder, "--held-out", "--count", 24, "--queries", 8, "--seed", 3
    )  # fmt: skip
    assert made.code == 0
    queries = folder / "queries.jsonl"
    outcome = ocelot("evaluate", "triplets", queries, "--images", folder, "--json")
    assert outcome.code == 0
    result = json.loads(outcome.out)
    assert (result["queries"], result["gallery"]) == (8, 24)
    assert set(result) == {
        "queries", "gallery", "composed", "image_only", "text_only", "chance", "tasks",
    }  # fmt: skip
    assert 0 <= result["composed"]["R@1"] <= result["composed"]["R@10"] <= 1
    table = ocelot("evaluate", "triplets", queries, "--images", folder)
    assert "8 queries over 24 pictures" in table.out
    assert "image only" in table.out and "text only" in table.out
    assert table.out.count("P@10") == 1 + len(result["tasks"])
    assert sum(figures["queries"] for figures in result["tasks"].values()) == 8
    for task, figures in result["tasks"].items():
        assert f"{task}: {figures['queries']} queries" in table.out


def test_a_set_of_photographs(ocelot: Command, tmp_path: Path) -> None:
    folder = Path(__file__).parents[1] / "data" / "photographs"
    names = [f"clothing/{file.name}" for file in sorted((folder / "clothing").iterdir())[:3]]
    only = tmp_path / "held_out.txt"
    only.write_text("\n".join(names) + "\n\n", encoding="utf-8")
    made = tmp_path / "recoloured"
    common = ("evaluate", "photographs", folder, "--only", only, "--task", "recolour")
    outcome = ocelot(*common, "--articles", "clothing/", "--output", made, "--queries", 3)
    assert outcome.code == 0 and "28 pictures" in outcome.out
    result = ocelot("evaluate", "triplets", made / "queries.jsonl", "--images", made, "--json")
    assert json.loads(result.out)["queries"] == 3
    again = ocelot(*common, "--output", made)
    assert again.code == 2 and "has pictures already" in again.err
    none = ocelot(*common, "--articles", "none/", "--output", tmp_path / "none")
    assert none.code == 2 and "No held-out photograph" in none.err
    unread = ocelot(*common[:3], "--only", tmp_path / "no.txt", *common[5:], "-o", tmp_path / "a")
    assert unread.code == 2 and "no.txt" in unread.err


def test_bad_input(ocelot: Command, tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"text": "a", "targets": ["b.jpg"]}\n')
    missing = ocelot("evaluate", "triplets", tmp_path / "q.jsonl", "--images", tmp_path / "no")
    assert missing.code == 2 and "no folder" in missing.err
    unread = ocelot("evaluate", "triplets", tmp_path / "no.jsonl", "--images", tmp_path)
    assert unread.code == 2 and "no.jsonl" in unread.err


def test_catalogue(ocelot: Command, tmp_path: Path) -> None:
    outcome = ocelot("catalogue", tmp_path / "shop", "--count", 5)
    assert outcome.code == 0 and "5 pictures" in outcome.out
    assert len(list((tmp_path / "shop" / "images").iterdir())) == 5
    bad = ocelot("catalogue", tmp_path / "held", "--held-out", "--count", 5, "--queries", 4)
    assert bad.code == 2 and "twice the queries" in bad.err
