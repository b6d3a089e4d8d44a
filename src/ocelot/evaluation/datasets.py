"""Query files for evaluation: JSON lines of reference, text and targets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocelot.errors import MetadataError

__all__ = ["TripletQuery", "read_triplets"]


@dataclass(frozen=True)
class TripletQuery:
    """A query with its answers. File names are relative to the folder of the gallery.

    Attributes:
        reference: The reference picture, or None.
        text: The text, or None.
        targets: The pictures that answer the query; never empty.
        task: The kind of query, where kinds are measured separately; or None.
    """

    reference: str | None
    text: str | None
    targets: tuple[str, ...]
    task: str | None = None


def read_triplets(file: Path) -> list[TripletQuery]:
    """Read lines such as `{"reference": "a.jpg", "text": "in blue", "targets": ["b.jpg"]}`.

    A line may also have a "task". Other keys are ignored.

    Raises:
        MetadataError: The file cannot be read, or a line (the message has its number) is wrong.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")  # JSON may hold other line ends
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise MetadataError(f"Cannot read {file}: {cause}.") from None
    queries = [
        _query(line, f"{file}, line {number}")
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    if not queries:
        raise MetadataError(f"{file} holds no queries: write one JSON object on each line.")
    return queries


def _query(line: str, where: str) -> TripletQuery:
    try:
        entry: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise MetadataError(f"{where} is not JSON.") from None
    if not isinstance(entry, dict):
        raise MetadataError(f"{where} is not a JSON object.")
    for name in ("reference", "text", "task"):
        value = entry.get(name)
        if value is not None and not isinstance(value, str):
            raise MetadataError(f"{where}: {name} must be text or null, was: {value!r}.")
    reference, targets, task = (entry.get(key) or None for key in ("reference", "targets", "task"))
    text = entry.get("text")
    text = text if text and text.strip() else None
    if not (reference or text):
        raise MetadataError(f"{where} has neither a reference nor a text.")
    if not isinstance(targets, list) or not all(isinstance(target, str) for target in targets):
        raise MetadataError(f"{where}: targets must be a list of at least one file name.")
    if reference and set(targets) == {reference}:
        raise MetadataError(f"{where}: the only target is the reference itself.")
    return TripletQuery(reference, text, tuple(targets), task)
