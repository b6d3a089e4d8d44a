"""What a run is written to: a report, scores of each query, submissions, TREC runs, a page."""

from __future__ import annotations

import csv
import io
import json
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np

from ocelot import __version__
from ocelot.encoders.base import Encoder
from ocelot.errors import MetadataError
from ocelot.evaluation.benchmarks.base import read_lines
from ocelot.evaluation.figures import Evaluation
from ocelot.evaluation.metrics import measure
from ocelot.evaluation.run import GalleryImages, Ranked, Run
from ocelot.files import write_atomic
from ocelot.types import Item

__all__ = ["read_trec_run", "report", "submissions", "trec_run", "write_report"]

_WORST = 24  # queries on the page
_SHOWN = 5  # hits of each
_TILE = 240  # pixels


def report(run: Run, evaluation: Evaluation, encoder: Encoder | None = None) -> dict[str, Any]:
    """The figures with all that they depend on, for JSON; no encoder if another program ranked."""
    benchmark = run.benchmark
    found = {
        "benchmark": benchmark.name,
        "protocol": benchmark.protocol,
        "template": benchmark.template,
        "encoder": encoder and encoder.name,
    } | evaluation.to_dict()
    if run.unasked:
        found["unasked"] = list(run.unasked)
    if run.reranking is not None:
        found["reranking"] = vars(run.reranking) | {"usage": vars(run.reranking.usage)}
    versions = {"ocelot": __version__, "python": platform.python_version(), "numpy": np.__version__}
    if "torch" in sys.modules:
        versions["torch"] = sys.modules["torch"].__version__
    found["made_with"] = {"versions": versions, "seconds": dict(run.seconds)}
    if encoder is not None:
        keys = ("fingerprint", "dimension", "runtime")
        found["made_with"] |= {key: getattr(encoder, key) for key in keys}
    return found


def per_query(run: Run) -> Iterator[dict[str, Any]]:
    """For each query its parts, and the scores and the first picture of each kind of ranking."""
    for number, query in enumerate(run.benchmark.queries):
        kinds = {kind: ranked[number] for kind, ranked in run.kinds.items() if number in ranked}
        yield {
            "id": query.id,
            "groups": list(query.groups),
            "reference": query.reference,
            "text": query.text,
            "targets": list(query.targets),
            "first": {kind: next(iter(one.names), None) for kind, one in kinds.items()},
            "scores": {
                kind: {metric: measure(metric, one.places) for metric in run.benchmark.metrics}
                for kind, one in kinds.items()
                if query.targets
            },
        }


def write_report(folder: Path, run: Run, found: Mapping[str, Any]) -> list[Path]:
    """Write all that belongs to a run and its `report`; return the files.

    Raises:
        OSError: A file cannot be written.
    """
    answers = any(query.targets for query in run.benchmark.queries)
    files = {} if answers else {f"submission-{k}.json": v for k, v in submissions(run).items()}
    rows = list(per_query(run))
    files["report.json"] = json.dumps({**found, "per_query": rows}, indent=1)
    files["run.txt"] = trec_run(run)
    if answers:
        files["queries.csv"] = _csv(run, rows)
        files["qrels.txt"] = "".join(
            f"{query.id} 0 {_id(name)} 1\n"
            for query in run.benchmark.queries
            for name in query.targets
        )
        files["failures.html"] = _page(run)
    for name, text in files.items():
        # File names may hold other bytes, kept as surrogates.
        write_atomic(folder / name, text.encode("utf-8", "surrogateescape"))
    return [folder / name for name in files]


def submissions(run: Run) -> dict[str, str]:
    """The files that the evaluation servers of CIRR and CIRCO take; {} for other benchmarks.

    They have every query, as a benchmark without published answers is strict.
    """
    kind = run.benchmark.name.partition(" ")[0]
    if kind not in ("cirr", "circo"):
        return {}
    ranked = {run.benchmark.queries[n].id: one for n, one in run.final.items()}
    if kind == "circo":
        ids = {id: [int(name) for name in one.names] for id, one in ranked.items()}
        return {"circo": json.dumps(ids)}
    whole: dict[str, Any] = {"version": "rc2", "metric": "recall"}
    subset: dict[str, Any] = {"version": "rc2", "metric": "recall_subset"}
    whole |= {id: list(one.names) for id, one in ranked.items()}
    subset |= {id: list(one.subset[:3]) for id, one in ranked.items()}
    return {"recall": json.dumps(whole), "recall_subset": json.dumps(subset)}


def _id(name: str) -> str:
    """A name without blanks, as TREC's files need it."""
    return quote(name, safe="/+,:;=@!$&'()*~[]", errors="surrogateescape")


def trec_run(run: Run) -> str:
    """The final rankings in TREC's form: query, Q0, picture, place, score, name of the run."""
    lines = []
    for number, one in run.final.items():
        scores = one.scores
        if list(scores) != sorted(scores, reverse=True) or len(set(scores)) < len(one.names):
            scores = tuple(1 / place for place in range(1, len(one.names) + 1))  # of this order
        query = run.benchmark.queries[number].id
        for place, (name, score) in enumerate(zip(one.names, scores, strict=True), 1):
            lines.append(f"{query} Q0 {_id(name)} {place} {score:.9g} ocelot\n")
    return "".join(lines)


def read_trec_run(file: Path) -> dict[str, list[str]]:
    """Names of pictures, best first, by the query's id, from a TREC run.

    As in trec_eval the score decides, not the place; equal scores keep the order of the file.

    Raises:
        MetadataError: It cannot be read, or a line (named) is wrong.
    """
    found: dict[str, list[tuple[float, str]]] = {}
    for where, line in read_lines(file):
        try:
            query, _, name, _, score, _ = line.split()
            row = float(score), unquote(name, errors="surrogateescape")
        except ValueError:
            raise MetadataError(
                f"{where} is not of a TREC run: it needs query, Q0, picture, place, score and name "
                "of the run."
            ) from None
        found.setdefault(query, []).append(row)
    if not found:
        raise MetadataError(f"{file} holds no ranking.")
    return {
        query: [name for _, name in sorted(rows, key=lambda row: -row[0])]
        for query, rows in found.items()
    }


def _csv(run: Run, rows: Iterable[Mapping[str, Any]]) -> str:
    """One line for each of `per_query`: its parts, first picture, and metrics of each ranking."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    columns = [(kind, metric) for kind in run.kinds for metric in run.benchmark.metrics]
    head = ["id", "groups", "reference", "text", "targets", "first"]
    writer.writerow(head + [f"{kind} {metric}" for kind, metric in columns])
    for row in rows:
        first = row["first"].get("reranked", row["first"].get("composed"))
        cells = [row["id"], " ".join(row["groups"]), row["reference"], row["text"]]
        cells += [" ".join(row["targets"]), first]
        cells += [row["scores"].get(kind, {}).get(metric, "") for kind, metric in columns]
        writer.writerow(cells)
    return buffer.getvalue()


def _page(run: Run) -> str:
    """The queries whose best target stands furthest down, with what was found instead."""
    from ocelot.render.html import data_url, environment, sendable

    images = GalleryImages(run.benchmark.pictures)

    def place(ranked: Ranked) -> float:
        return ranked.places.targets[0] if ranked.places.targets else float("inf")

    failed = [(run.benchmark.queries[n], one) for n, one in run.final.items() if place(one) > 1]
    failed.sort(key=lambda entry: -place(entry[1]))
    page = environment("ocelot.evaluation").get_template("failures.html")
    return sendable(
        page.render(
            benchmark=run.benchmark,
            failures=failed[:_WORST],
            shown=_SHOWN,
            total=len(run.final),
            picture=lambda name: data_url(images.picture, Item(name, (name,)), _TILE),
        )
    )
