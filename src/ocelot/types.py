"""The values that travel through Ocelot: frozen, without behaviour beyond reading them.

Query / Input ──encode──▶ vector ──search──▶ Hit… ──rerank──▶ Ranking
                                   └────── Result ──────┘
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from ocelot.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    ImageSource = str | Path | bytes | Image.Image
    Vector = np.ndarray[tuple[int], np.dtype[np.float32]]

__all__ = [
    "MAX_REFERENCES",
    "TITLE_KEYS",
    "Failure",
    "Hit",
    "IndexReport",
    "Input",
    "Query",
    "RankStatus",
    "Ranking",
    "Result",
    "Usage",
]

MAX_REFERENCES = 8  # reference pictures in one query
TITLE_KEYS = ("title", "name", "text")  # metadata that names an item, the first one first
RankStatus = Literal["ok", "repaired", "fallback"]


@dataclass(frozen=True)
class Input:
    """Something to encode: an image, a text, or both.

    Attributes:
        image: A path, the bytes of an image file, or a PIL image.
        text: Any text; blank text counts as none.

    Raises:
        InputError: Neither an image nor a text was given, or one is of another type.
    """

    image: ImageSource | None = None
    text: str | None = None

    def __post_init__(self) -> None:
        image, text = _source(self.image), self.text
        if text is not None and not isinstance(text, str):
            raise InputError(f"The text must be a str, was: {type(text).__name__}.")
        if text is not None:
            # Lone surrogates (bytes of another encoding) cannot be tokenised or sent.
            text = text.encode("utf-8", "replace").decode() if text.strip() else None
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "image", image)
        if self.image is None and self.text is None:
            raise InputError("There is nothing to encode: give an image, a text, or both.")


def _source(image: Any) -> ImageSource | None:
    """A picture as the rest of Ocelot takes it; a blank path is none."""
    if isinstance(image, (bytearray, memoryview)):
        return bytes(image)
    if isinstance(image, os.PathLike):
        return Path(image)
    if isinstance(image, str):
        return image or None
    if image is None or isinstance(image, bytes) or hasattr(image, "convert"):
        return cast("ImageSource | None", image)
    raise InputError(
        "The image must be a path, the bytes of an image file or a PIL image, "
        f"was: {type(image).__name__}."
    )


@dataclass(frozen=True)
class Query(Input):
    """What a person asks for: an image, a text, or images changed as the text says.

    Attributes:
        others: Further reference pictures, beside `image`; without `image`, the first of them
            takes its place. Blank ones count as none, and a list becomes a tuple.

    Raises:
        InputError: As for any `Input`; or `others` is no list or tuple, or the pictures are more
            than `MAX_REFERENCES`.
    """

    others: tuple[ImageSource, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.others, (list, tuple)):
            raise InputError(
                "The further pictures must be in a list or a tuple, "
                f"was: {type(self.others).__name__}."
            )
        sources = (_source(image) for image in (self.image, *self.others))
        images = [image for image in sources if image is not None]
        if len(images) > MAX_REFERENCES:
            raise InputError(
                f"A query takes at most {MAX_REFERENCES} reference pictures, "
                f"was: {len(images)}; leave some out."
            )
        object.__setattr__(self, "image", images[0] if images else None)
        object.__setattr__(self, "others", tuple(images[1:]))
        super().__post_init__()

    @property
    def images(self) -> tuple[ImageSource, ...]:
        """Every reference picture, in order; empty for a query of words."""
        return () if self.image is None else (self.image, *self.others)

    def parts(self) -> tuple[Input, ...]:
        """What an encoder takes: one item for each picture, with the text; or the text alone."""
        return tuple(Input(image, self.text) for image in self.images) or (Input(text=self.text),)


@dataclass(frozen=True)
class Hit:
    """One picture of the collection that a search found.

    Attributes:
        id: SHA-256 of the file's bytes, 64 hex digits.
        score: Cosine similarity to the query, -1 to 1.
        rank: Place in retrieval order, from 1.
        paths: Where files with these bytes lie; never empty.
        width, height: Pixels.
        metadata: The item's own fields (title, price, …).
        vector: The stored embedding, shape (dimension,), where it was asked for.
    """

    id: str
    score: float
    rank: int
    paths: tuple[str, ...]
    width: int = 0
    height: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    vector: Vector | None = field(default=None, repr=False, compare=False)

    @property
    def path(self) -> str:
        """The first of `paths`."""
        return self.paths[0]

    @property
    def title(self) -> str:
        """The item's title where its metadata has one, else its file name."""
        for key in TITLE_KEYS:
            value = self.metadata.get(key)
            if isinstance(value, str) and value.strip():
                return value.strip()
        return Path(self.path).name


@dataclass(frozen=True)
class Usage:
    """What the language model was charged for."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )


@dataclass(frozen=True)
class Ranking:
    """A reranker's verdict on a list of hits.

    Attributes:
        order: Positions into the hits, best first: always a complete permutation.
        reason: Why the first is the first.
        reranker: Who decided, e.g. "gpt-4o" or "fusion".
        status: "ok"; "repaired" when the reply needed mending; "fallback" when it could not
            be used and retrieval order stands.
        detail: What was repaired, or why it fell back; empty when ok.
        match: Whether anything fits the query at all; None when the reranker does not judge it.
        usage: Tokens and calls this answer cost; zero when `cached`.
        cached: Whether the answer came from the cache.
    """

    order: tuple[int, ...]
    reason: str
    reranker: str
    status: RankStatus = "ok"
    detail: str = ""
    match: bool | None = None
    usage: Usage = Usage()
    cached: bool = False

    def __post_init__(self) -> None:
        if sorted(self.order) != list(range(len(self.order))):
            raise ValueError(f"order must be a permutation of 0..n-1, was: {self.order}")


@dataclass(frozen=True)
class Result:
    """The answer to a query.

    Attributes:
        query: What was asked.
        hits: What was found, in retrieval order.
        ranking: The reranker's verdict on `hits`; None when it was not asked.
        timings: Seconds by stage: "encode", "search", "rerank", "total".
    """

    query: Query
    hits: tuple[Hit, ...]
    ranking: Ranking | None = None
    timings: Mapping[str, float] = field(default_factory=dict)

    @property
    def ranked(self) -> tuple[Hit, ...]:
        """The hits in final order; `Hit.rank` keeps each one's earlier place."""
        if self.ranking is None:
            return self.hits
        return tuple(self.hits[position] for position in self.ranking.order)

    @property
    def winner(self) -> Hit | None:
        """The first of `ranked`; None when nothing was found or nothing fits."""
        if not self.hits or (self.ranking is not None and self.ranking.match is False):
            return None
        return self.ranked[0]


@dataclass(frozen=True)
class Failure:
    """A file that could not be indexed, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class IndexReport:
    """What an indexing run did, in files unless said otherwise.

    Attributes:
        found: Image files seen.
        unchanged: Skipped because size and time of change were as before.
        encoded: New contents encoded (rows added).
        relocated: Files whose content was known already: copies, renames, touched files.
        updated: Rows whose metadata changed without their content.
        removed: Rows removed because no file has their content any more: files changed, or
            gone (`prune`).
        failures: Files that could not be used, with reasons.
        seconds: Wall time.
    """

    found: int = 0
    unchanged: int = 0
    encoded: int = 0
    relocated: int = 0
    updated: int = 0
    removed: int = 0
    failures: tuple[Failure, ...] = ()
    seconds: float = 0.0
