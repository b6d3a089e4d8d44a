from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Command
from tests.evaluation import official


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
    assert table.out.count(" P@10") == 1 + len(result["tasks"])
    for task, figures in result["tasks"].items():
        assert figures["queries"] == 3 and f"{task}: 3 queries" in table.out


def test_bad_input(ocelot: Command, tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"text": "a", "targets": ["b.jpg"]}\n')
    missing = ocelot("evaluate", "triplets", tmp_path / "q.jsonl", "--images", tmp_path / "no")
    assert missing.code == 2 and "no folder" in missing.err
    unread = ocelot("evaluate", "triplets", tmp_path / "no.jsonl", "--images", tmp_path)
    assert unread.code == 2 and "no.jsonl" in unread.err


def test_a_benchmark_from_files_to_report(ocelot: Command, tmp_path: Path) -> None:
    data, out = official.cirr(tmp_path / "cirr"), tmp_path / "out"
    arguments = ("evaluate", "cirr", data, "--out", out)
    first = ocelot(*arguments, "--reranker", "fusion", "--depth", "4")
    assert first.code == 0, first.err
    assert "2 queries over 6 pictures (ocelot-tiny)" in first.out
    assert "cirr val: CIRR rc2" in first.out and "Text: {text}" in first.out
    assert "composition gap, R@10: " in first.out and "95 % from" in first.out
    assert "fusion over 4 hits gained " in first.out
    report = json.loads((out / "report.json").read_text())
    assert report["encoder"] == "ocelot-tiny" and len(report["per_query"]) == 2
    assert (out / "queries.csv").is_file() and (out / "failures.html").is_file()
    # Its rankings, measured again without an encoder, give the same figures.
    again = ocelot("evaluate", "cirr", data, "--run", out / "run.txt", "--json")
    assert json.loads(again.out)["composed"] == report["reranked"]
    compared = ocelot("evaluate", "compare", out, out / "report.json", "--row", "reranked")
    assert compared.code == 0 and "R@1" in compared.out and "1.0000" in compared.out
    as_json = ocelot("evaluate", "compare", out, out, "--json")
    assert json.loads(as_json.out)[0]["p"] == 1.0


def test_each_benchmark_can_be_asked_for(ocelot: Command, tmp_path: Path) -> None:
    for name in ("fashioniq", "circo", "genecis"):
        data = getattr(official, name)(tmp_path / name)
        outcome = ocelot("evaluate", name, data, "--json")
        assert outcome.code == 0, outcome.err
        found = json.loads(outcome.out)
        assert found["benchmark"].startswith(name) and found["composed"]
    easier = ocelot("evaluate", "fashioniq", tmp_path / "fashioniq", "--gallery", "captions")
    assert "captions" in easier.out and "dress: 1 query" in easier.out


def test_a_test_split_gives_a_submission(ocelot: Command, tmp_path: Path) -> None:
    data = official.circo(tmp_path / "circo", "test")
    refused = ocelot("evaluate", "circo", data, "--split", "test")
    assert (
        refused.code == 2 and "answers of circo test are not published: give --out" in refused.err
    )
    done = ocelot("evaluate", "circo", data, "--split", "test", "--out", tmp_path / "out")
    assert done.code == 0 and "submission-circo.json" in done.err
    ids = json.loads((tmp_path / "out" / "submission-circo.json").read_text())
    assert {key: sorted(value) for key, value in ids.items()} == {
        "0": [1, 2, 3, 4, 5], "1": [1, 2, 3, 4, 5],
    }  # fmt: skip


def test_missing_pictures_are_said(ocelot: Command, tmp_path: Path) -> None:
    data = official.cirr(tmp_path / "cirr")
    (data / "img_raw" / "dev" / "red.png").unlink()
    outcome = ocelot("evaluate", "cirr", data)
    assert outcome.code == 0 and "red.png: there is no such file" in outcome.err
    assert "1 picture of 6 cannot be read" in outcome.err
    assert "2 queries without a reference count as misses" in outcome.err


def test_bad_arguments(ocelot: Command, tmp_path: Path) -> None:
    data = official.cirr(tmp_path / "cirr")
    for arguments, message in (
        (("--split", "train"), "'train' is not one of 'val', 'test1'"),
        (("--template", "sonnet"), "no template 'sonnet': use plain, but, photo"),
        (("--run", tmp_path / "none.txt"), "Cannot read"),
        (("--images", tmp_path / "none"), "check the files, and the folder"),
    ):
        outcome = ocelot("evaluate", "cirr", data, *arguments)
        assert outcome.code == 2 and message in outcome.err, outcome.err
    nothing = ocelot("evaluate", "circo", tmp_path / "none")
    assert nothing.code == 2 and "Cannot read" in nothing.err
