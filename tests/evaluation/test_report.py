"""Reranking measured, and what a run is written to."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from ocelot.errors import MetadataError
from ocelot.evaluation import evaluate, rank, read_triplets
from ocelot.evaluation.benchmarks.cirr import read_cirr
from ocelot.evaluation.benchmarks.genecis import read_genecis
from ocelot.evaluation.benchmarks.triplets import TripletQuery, triplets_benchmark
from ocelot.evaluation.report import read_trec_run, report, trec_run, write_report
from ocelot.evaluation.run import GalleryImages, Run, rank_names
from ocelot.rerankers.fusion import FusionReranker
from ocelot.types import Hit, Query, Ranking, Usage
from tests.evaluation import official
from tests.evaluation.official import ENCODER


class Upside:
    """Puts hits upside down, and charges for it; cannot rank what asks for blue."""

    name = "upside"

    def __init__(self) -> None:
        self.seen: list[tuple[Query, Sequence[Hit]]] = []

    def rerank(self, query: Query, hits: Sequence[Hit]) -> Ranking:
        self.seen.append((query, hits))
        count = len(hits)
        if query.text == "blue":
            return Ranking(tuple(range(count)), "", self.name, status="fallback", detail="no")
        order = tuple(reversed(range(count)))
        return Ranking(order, "", self.name, usage=Usage(1, 100, 20, 0.5))


@pytest.fixture
def reranked(tmp_path: Path) -> tuple[Run, Upside]:
    upside = Upside()
    return rank(ENCODER, read_cirr(official.cirr(tmp_path)), upside, depth=3), upside


def test_reranking_is_measured_with_its_cost(reranked: tuple[Run, Upside]) -> None:
    run, upside = reranked
    # Of red + green: yellow, white, green becomes green, white, yellow; the rest stays.
    assert run.kinds["composed"][1].names == ("yellow", "white", "green", "magenta", "indigo")
    assert run.kinds["reranked"][1].names == ("green", "white", "yellow", "magenta", "indigo")
    assert run.kinds["reranked"][0] == run.kinds["composed"][0]
    found = evaluate(run)
    gains = {gain.metric: gain.value for gain in found.gains}
    assert (found.composed["R@1"], found.reranked["R@1"], gains["R@1"]) == (0.5, 1.0, 0.5)
    assert gains["Rs@1"] == 0.5 and gains["R@5"] == 0.0  # the subset follows the new order
    cost = run.reranking
    assert cost is not None
    assert (cost.reranker, cost.depth, cost.fallbacks, cost.cached) == ("upside", 3, 1, 0)
    assert cost.usage == Usage(1, 100, 20, 0.5)
    query, hits = upside.seen[1]
    assert query.text == "green" and len(query.images) == 1
    assert [hit.rank for hit in hits] == [1, 2, 3] and hits[0].vector is not None
    assert hits[0].score > hits[1].score > hits[2].score


def test_rerankers_see_the_pictures_of_a_benchmark(tmp_path: Path) -> None:
    """Crops, too, which are no files."""
    benchmark = read_genecis(official.genecis(tmp_path))
    images = GalleryImages(benchmark.pictures)
    run = rank(ENCODER, benchmark, FusionReranker(ENCODER, images))
    assert run.reranking is not None and run.reranking.fallbacks == 0
    shown = images.picture(Hit("7@80,20,20,20", ("7.jpg",)), 20)
    assert shown.size == (20, 20)


def test_the_report_says_what_it_depends_on(reranked: tuple[Run, Upside]) -> None:
    run, _ = reranked
    found = json.loads(json.dumps(report(run, evaluate(run), ENCODER)))
    assert found["benchmark"] == "cirr val" and found["template"] == "{text}"
    assert found["encoder"] == ENCODER.name and found["gallery"] == 6
    assert found["made_with"]["fingerprint"] == ENCODER.fingerprint
    assert set(found["made_with"]["versions"]) >= {"ocelot", "python", "numpy"}
    assert found["reranking"]["usage"]["prompt_tokens"] == 100
    low, high = found["intervals"]["composed"]["R@1"]
    assert 0 <= low <= 0.5 <= high <= 1


def test_files(reranked: tuple[Run, Upside], tmp_path: Path) -> None:
    run, _ = reranked
    out = tmp_path / "out"
    files = write_report(out, run, report(run, evaluate(run), ENCODER))
    assert {file.name for file in files} == {
        "report.json", "queries.csv", "failures.html", "run.txt", "qrels.txt",
    }  # fmt: skip
    rows = list(csv.DictReader((out / "queries.csv").open()))
    assert [row["id"] for row in rows] == ["12060", "12062"]
    assert (rows[1]["text"], rows[1]["targets"], rows[1]["first"]) == ("green", "green", "green")
    assert (rows[1]["composed R@1"], rows[1]["reranked R@1"]) == ("0.0", "1.0")
    per_query = json.loads((out / "report.json").read_text())["per_query"]
    assert per_query[1]["scores"]["composed"]["Rs@3"] == 1.0
    assert per_query[1]["first"]["reranked"] == "green"
    assert (out / "qrels.txt").read_text() == "12060 0 magenta 1\n12062 0 green 1\n"


def test_a_submission_has_the_reranked_order(tmp_path: Path) -> None:
    benchmark = read_cirr(official.cirr(tmp_path, "test1"), split="test1")
    run = rank(ENCODER, benchmark, Upside(), depth=3)
    files = write_report(tmp_path / "out", run, report(run, evaluate(run), ENCODER))
    assert {file.name for file in files} == {
        "report.json", "run.txt", "submission-recall.json", "submission-recall_subset.json",
    }  # fmt: skip
    text = (tmp_path / "out" / "submission-recall.json").read_text()
    assert '"12062": ["green", "white", "yellow", ' in text


def test_the_page_of_failures(tmp_path: Path) -> None:
    run = rank(ENCODER, read_cirr(official.cirr(tmp_path)))
    write_report(tmp_path / "out", run, {})
    page = (tmp_path / "out" / "failures.html").read_text()
    assert page.count("<section>") == 1  # the other query has its target first
    assert "“green”" in page and "best target 3rd of 5" in page
    assert len(re.findall(r'<img src="data:image/jpeg;base64,', page)) == 7
    assert "http:" not in page and "https:" not in page


def test_texts_on_the_page_are_escaped(tmp_path: Path) -> None:
    for colour in ("red", "blue"):
        official.paint(tmp_path / f"{colour}.png", colour)
    text = "<script>alert(1)</script> blue"
    query = TripletQuery("blue.png", text, ("red.png",))
    other = TripletQuery(None, text, ("red.png",))
    pictures = sorted(tmp_path.glob("*.png"))
    run = rank(ENCODER, triplets_benchmark([query, other], tmp_path, pictures))
    write_report(tmp_path / "out", run, {})
    page = (tmp_path / "out" / "failures.html").read_text()
    assert "&lt;script&gt;" in page and "<script" not in page


def test_a_trec_run_goes_out_and_comes_back(reranked: tuple[Run, Upside], tmp_path: Path) -> None:
    run, _ = reranked
    text = trec_run(run)
    lines = [line.split() for line in text.splitlines()]
    assert lines[0][:4] == ["12060", "Q0", "magenta", "1"] and lines[0][5] == "ocelot"
    # Scores decide in trec_eval: they fall in the order of the places, reranked or not.
    for query in ("12060", "12062"):
        scores = [float(line[4]) for line in lines if line[0] == query]
        assert scores == sorted(scores, reverse=True) and len(set(scores)) == len(scores)
    (tmp_path / "run.txt").write_text(text)
    again = rank_names(run.benchmark, read_trec_run(tmp_path / "run.txt"))
    assert evaluate(again).composed == evaluate(run).reranked


def test_names_with_blanks_go_through_a_trec_run(tmp_path: Path) -> None:
    names = ["a b.png", "100%.png", "é.png", os.fsdecode(b"caf\xe9.png")]
    for name, colour in zip(names, ("red", "green", "blue", "white"), strict=True):
        official.paint(tmp_path / name, colour)
    query = TripletQuery(None, "in red", ("a b.png",))
    benchmark = triplets_benchmark([query], tmp_path, sorted(tmp_path.glob("*.png")))
    run = rank(ENCODER, benchmark)
    (tmp_path / "run.txt").write_text(trec_run(run))
    found = read_trec_run(tmp_path / "run.txt")
    write_report(tmp_path / "out", run, {})
    assert b"caf\xe9.png" in os.listdir(os.fsencode(tmp_path))
    line = json.dumps({"text": "in red", "targets": [names[3]]})  # as an escaped surrogate
    (tmp_path / "own.jsonl").write_text(line)
    assert read_triplets(tmp_path / "own.jsonl") == [TripletQuery(None, "in red", (names[3],))]
    assert found == {"1": list(run.kinds["composed"][0].names)} and set(found["1"]) == set(names)


def test_a_run_of_another_program(tmp_path: Path) -> None:
    benchmark = read_cirr(official.cirr(tmp_path))
    file = tmp_path / "run.txt"
    # Scores decide, not the order of lines; the reference is left out; a query may be missing.
    file.write_text("12062 Q0 white 1 1 x\n12062 Q0 red 2 9 x\n12062 Q0 green 3 5 x\n")
    found = evaluate(rank_names(benchmark, read_trec_run(file)))
    assert found.composed["R@1"] == 0.5 and found.queries == 2
    for line, message in (
        ("12062 Q0 white 1 x\n", "line 1 is not of a TREC run"),
        ("12062 Q0 white 1 high x\n", "line 1 is not of a TREC run"),
        ("7 Q0 white 1 1 x\n", "query 7, which the benchmark has not"),
        ("12062 Q0 grey 1 1 x\n", "picture grey for the query 12062"),
        ("", "no ranking"),
    ):
        file.write_text(line)
        with pytest.raises(MetadataError, match=message):
            rank_names(benchmark, read_trec_run(file))
    with pytest.raises(MetadataError, match="Cannot read"):
        read_trec_run(tmp_path / "none.txt")


def test_candidates_are_ranked_instead_of_all(tmp_path: Path) -> None:
    for colour in ("red", "magenta", "white", "indigo"):
        official.paint(tmp_path / f"{colour}.png", colour)
    pictures = sorted(tmp_path.glob("*.png"))
    query = TripletQuery(
        "red.png", "blue", ("indigo.png",), candidates=("white.png", "indigo.png", "red.png")
    )
    run = rank(ENCODER, triplets_benchmark([query], tmp_path, pictures))
    (ranked,) = run.kinds["composed"].values()
    assert ranked.names == ("white.png", "indigo.png")
    assert evaluate(run).composed["nDCG@10"] == pytest.approx(0.6309, abs=1e-4)
    stray = TripletQuery("red.png", "blue", ("magenta.png",), candidates=("white.png",))
    with pytest.raises(MetadataError, match="Query 1 has a target that is not among its"):
        triplets_benchmark([stray], tmp_path, pictures)
