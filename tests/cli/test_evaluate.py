from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Command


def test_evaluate_triplets(ocelot: Command, shop: Path, tmp_path: Path) -> None:
    names = sorted(f"images/{file.name}" for file in (shop / "images").iterdir())
    lines = [
        {"reference": one, "text": "the same in blue", "targets": [other], "task": task}
        for one, other, task in zip(names[:6], names[6:12], ["colour", "theme"] * 3, strict=True)
    ]
    queries = tmp_path / "queries.jsonl"
    queries.write_text("\n".join(map(json.dumps, lines)))
    outcome = ocelot("evaluate", "triplets", queries, "--images", shop, "--json")
    assert outcome.code == 0
    result = json.loads(outcome.out)
    assert (result["queries"], result["gallery"]) == (6, 61)  # leopard.jpg, too
    assert set(result) >= {
        "queries", "gallery", "composed", "image_only", "text_only", "chance", "tasks",
        "encoder",
    }  # fmt: skip
    assert result["encoder"] == "ocelot-tiny"
    assert 0 <= result["composed"]["R@1"] <= result["composed"]["R@10"] <= 1
    table = ocelot("evaluate", "triplets", queries, "--images", shop)
    assert "6 queries over 61 pictures" in table.out
    assert "image only" in table.out and "text only" in table.out
    assert table.out.count("P@10") == 1 + len(result["tasks"])
    for task, figures in result["tasks"].items():
        assert figures["queries"] == 3 and f"{task}: 3 queries" in table.out


def test_bad_input(ocelot: Command, tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"text": "a", "targets": ["b.jpg"]}\n')
    missing = ocelot("evaluate", "triplets", tmp_path / "q.jsonl", "--images", tmp_path / "no")
    assert missing.code == 2 and "no folder" in missing.err
    unread = ocelot("evaluate", "triplets", tmp_path / "no.jsonl", "--images", tmp_path)
    assert unread.code == 2 and "no.jsonl" in unread.err
