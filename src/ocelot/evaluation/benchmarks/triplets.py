"""Your own queries: JSON lines of reference, text and targets."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, InstanceOf, TypeAdapter, ValidationError

from ocelot.errors import MetadataError
from ocelot.evaluation.benchmarks import base

__all__ = ["TEMPLATES", "TripletQuery", "read_triplets", "triplets_benchmark"]

TEMPLATES = {"plain": "{text}"}

# File names may hold other bytes than text, kept as surrogates, which pydantic's str refuses.
Names = tuple[InstanceOf[str], ...]
Given = Annotated[
    InstanceOf[str] | None, AfterValidator(lambda text: text if text and text.strip() else None)
]


@dataclass(frozen=True)
class TripletQuery:
    """A query with its answers. File names are relative to the folder of the gallery."""

    reference: Given = None
    text: Given = None
    targets: Names = ()  # never empty
    task: Given = None  # the kind of query, where kinds are measured separately
    candidates: Annotated[Names, BeforeValidator(lambda names: names or ())] = ()  # () for all


_QUERY = TypeAdapter(TripletQuery)


def read_triplets(file: Path) -> list[TripletQuery]:
    """Read lines such as `{"reference": "a.jpg", "text": "in blue", "targets": ["b.jpg"]}`.

    A line may also have a "task" and "candidates". Other keys are ignored.

    Raises:
        MetadataError: The file cannot be read, or a line (the message has its number) is wrong.
    """
    queries = [_query(line, where) for where, line in base.read_lines(file)]
    if not queries:
        raise MetadataError(f"{file} holds no queries: write one JSON object on each line.")
    return queries


def _query(line: str, where: str) -> TripletQuery:
    try:
        query = _QUERY.validate_python(json.loads(line))
    except ValidationError as error:
        raise MetadataError(f"{where}{base.wrong_field(error)}") from None
    except (ValueError, RecursionError):
        raise MetadataError(f"{where} is not JSON.") from None
    if not (query.reference or query.text):
        raise MetadataError(f"{where} has neither a reference nor a text.")
    if not query.targets:
        raise MetadataError(f"{where} has no targets: list the names of the pictures that fit.")
    if {*query.targets} == {query.reference}:
        raise MetadataError(f"{where}: the only target is the reference itself.")
    return query


def triplets_benchmark(
    queries: Sequence[TripletQuery],
    folder: Path,
    pictures: Iterable[Path],
    template: str = "plain",
) -> base.Benchmark:
    """Your own queries over your own pictures.

    Args:
        folder: The folder that the names in the queries are relative to.
        pictures: The gallery: all pictures to rank.

    Raises:
        MetadataError: A query names a picture that is not in the gallery, or its targets are not
            among what is ranked for it.
        InputError: There is no such template.
    """
    wording = base.template_of(template, TEMPLATES, ["text"])
    known = {os.path.relpath(path, folder): base.Picture(Path(path)) for path in pictures}
    everything = tuple(known)

    def path_of(name: str) -> str:
        path = os.path.normpath(name)
        if path not in known:
            raise MetadataError(
                f"The queries name {name}, which cannot be used: {folder} has no such picture."
            )
        return path

    def query(number: int, triplet: TripletQuery) -> base.BenchmarkQuery:
        reference = None if triplet.reference is None else path_of(triplet.reference)
        targets = tuple(dict.fromkeys(map(path_of, triplet.targets)))
        if len(targets) > 1:
            targets = tuple(target for target in targets if target != reference)
        gallery = tuple(dict.fromkeys(map(path_of, triplet.candidates))) or everything
        if triplet.candidates and not {*targets} <= {*gallery}:
            raise MetadataError(f"Query {number} has a target that is not among its candidates.")
        text = triplet.text and wording.format(text=triplet.text)
        groups = (triplet.task or "other",)
        return base.BenchmarkQuery(str(number), reference, text, targets, gallery, groups=groups)

    return base.Benchmark(
        "triplets",
        "Own queries: all pictures, or the query's candidates, are ranked without the reference.",
        wording,
        known,
        tuple(query(number, triplet) for number, triplet in enumerate(queries, 1)),
        ("R@1", "R@5", "R@9", "R@10", "MRR", "P@10", "mAP@10", "nDCG@10"),
        ranks_reference=False,
        strict=True,
    )
