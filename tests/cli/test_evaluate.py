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
    assert set(result) == {"queries", "gallery", "composed", "image_only", "text_only"}
    assert 0 <= result["composed"]["R@1"] <= result["composed"]["R@10"] <= 1
    table = ocelot("evaluate", "triplets", queries, "--images", folder)
    assert "8 queries over 24 pictures" in table.out
    assert "image only" in table.out and "text only" in table.out


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


def test_train_says_what_is_wrong(ocelot: Command, tmp_path: Path) -> None:
    outcome = ocelot("train", tmp_path / "none.toml", "--output", tmp_path / "run")
    assert outcome.code == 2 and "none.toml" in outcome.err
    (tmp_path / "a.toml").write_text("[optimiser]\nsteps = 1\n")
    outcome = ocelot("train", tmp_path / "a.toml", "--output", tmp_path / "run")
    assert outcome.code == 2 and "[network]" in outcome.err
