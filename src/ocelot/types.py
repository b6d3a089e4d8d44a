"""The values that travel through Ocelot: frozen, with no behaviour beyond reading them.

::

    Query ─ inputs ─▶ Input ─ encode ─▶ vector ─ search ─▶ Hit… ─ rerank ─▶ Ranking
                                                    └────── Result ──────────┘
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ocelot.errors import InputError
from ocelot.images.places import frame_of
from ocelot.query import MAX_REFERENCES, Input, Query
from ocelot.words import count

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    Vector = np.ndarray[tuple[int], np.dtype[np.float32]]

__all__ = [
    "MAX_REFERENCES",
    "TITLE_KEYS",
    "Failure",
    "Hit",
    "IndexReport",
    "Input",
    "Item",
    "Query",
    "RankStatus",
    "Ranking",
    "Remark",
    "Result",
    "Sentence",
    "Usage",
]

TITLE_KEYS = ("title", "name", "text")  # metadata that names an item, the first one first
RankStatus = Literal["ok", "repaired", "replaced", "fallback"]


@dataclass(frozen=True)
class Item:
    """A stored picture.

    Attributes:
        id: The id that it was added with; by default its `sha256`.
        paths: Where files with these bytes are; never empty.
        width, height: Pixels.
        metadata: The item's own fields (title, price, …).
        sha256: SHA-256 of the file's bytes, 64 hex digits.
    """

    id: str
    paths: tuple[str, ...]
    width: int = 0
    height: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    sha256: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.sha256:
            object.__setattr__(self, "sha256", self.id)

    @property
    def path(self) -> str:
        """The first of `paths`."""
        return self.paths[0]

    @property
    def title(self) -> str:
        """The title in its metadata; else the id, if the caller chose one; else the file name.

        A frame of a video adds its second: "clip.mp4 at 12.5 s".
        """
        values = (self.metadata.get(key) for key in TITLE_KEYS)
        titles = (value.strip() for value in values if isinstance(value, str) and value.strip())
        title = next(titles, "")
        if frame := frame_of(self.path):
            return f"{title or Path(frame[0]).name} at {frame[1]:.10g} s"
        return title or (Path(self.path).name if self.id == self.sha256 else self.id)


@dataclass(frozen=True)
class Hit(Item):
    """A stored picture that a search found.

    Attributes:
        score: Cosine similarity to the query, -1 to 1.
        rank: Place in the order that it is shown in, from 1.
        retrieval_rank: Place in the order of the search, from 1: by similarity, unless the query
            is hybrid or asks for diversity. A reranker may have moved the hit since.
        vector: The stored embedding, shape (dimension,), where it was asked for.
        folded: Number of hits that were left out for this one: near duplicates, or others of its
            group.
    """

    score: float = 0.0
    rank: int = 1
    retrieval_rank: int = 0
    vector: Vector | None = field(default=None, repr=False, compare=False)
    folded: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.retrieval_rank:
            object.__setattr__(self, "retrieval_rank", self.rank)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the vector."""
        keys = ("rank", "retrieval_rank", "score", "path", "paths", "title", "id", "metadata")
        values = {key: getattr(self, key) for key in keys}
        values |= {"score": round(self.score, 6), "paths": list(self.paths)}
        if self.folded:
            values["folded"] = self.folded
        return values | {"metadata": dict(self.metadata)}


@dataclass(frozen=True)
class Usage:
    """What the language model was charged for.

    Attributes:
        calls: Requests that were answered.
        prompt_tokens, completion_tokens: Tokens that were read, and written.
        cost: US dollars; None where the prices of tokens are not known.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None

    def __add__(self, other: Usage) -> Usage:
        """The sum; a cost that is not known counts as nothing."""
        costs = [usage.cost for usage in (self, other) if usage.cost is not None]
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            sum(costs) if costs else None,
        )

    def priced(self, prices: tuple[float, float] | None) -> Usage:
        """This with its cost, by the prices of a million prompt and completion tokens.

        The cost stays unknown where an endpoint answered and did not count its tokens.

        Examples:
            >>> Usage(1, 1000, 200).priced((2.5, 10.0)).cost
            0.0045
        """
        if prices is None or (self.calls and not self.prompt_tokens):
            return self
        cost = self.prompt_tokens * prices[0] + self.completion_tokens * prices[1]
        return replace(self, cost=cost / 1e6)


@dataclass(frozen=True)
class Sentence:
    """The names of a sentence's parts, and the values in them, to say it in another language."""

    parts: tuple[str, ...]
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Ranking:
    """A reranker's verdict on a list of hits.

    Attributes:
        order: Positions into the hits in retrieval order, best first: always a complete
            permutation.
        reason: Why the first is the first.
        reranker: Name of the reranker that was asked, e.g. "gpt-4o" or "fusion".
        status: "ok"; "repaired" when the reply needed repair; "replaced" when a language model
            could not be asked and this reranker was; "fallback" when there was no usable answer
            and retrieval order stands.
        detail: What was repaired, or why it was replaced or fell back; empty when ok.
        match: Whether anything fits the query at all; None when the reranker does not judge it.
        usage: Tokens and calls that this answer cost; zero when `cached`.
        cached: Whether the answer came from the cache.
        sentence: What a sentence of Ocelot's own says: the reason, or the detail of a fallback.
    """

    order: tuple[int, ...]
    reason: str
    reranker: str
    status: RankStatus = "ok"
    detail: str = ""
    match: bool | None = None
    usage: Usage = Usage()
    cached: bool = False
    sentence: Sentence | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if sorted(self.order) != list(range(len(self.order))):
            raise ValueError(f"order must be a permutation of 0..n-1, was: {self.order}")

    @property
    def ranked_by(self) -> str:
        """Who made the order: the reranker; "retrieval" after a fallback."""
        return "retrieval" if self.status == "fallback" else self.reranker


class Renderer(Protocol):
    """Draws results; `ocelot.render` has the one that engines give to theirs."""

    def panorama(self, result: Result) -> Image.Image: ...
    def html(self, result: Result) -> str: ...


@dataclass(frozen=True)
class Result:
    """The answer to a query: iterate over it for the hits in their final order.

    Attributes:
        query: What was asked.
        hits: What was found, in final order.
        ranking: The reranker's verdict; None when none was asked.
        timings: Seconds by stage: "encode", "search", "rerank", "total".
        encoder: Name of the encoder.
        unknown_words: Words of the text that it never saw in training.
    """

    query: Query
    hits: tuple[Hit, ...]
    ranking: Ranking | None = None
    timings: Mapping[str, float] = field(default_factory=dict, compare=False)
    encoder: str = ""
    unknown_words: tuple[str, ...] = ()
    renderer: Renderer | None = field(default=None, repr=False, compare=False)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, index: int) -> Hit:
        return self.hits[index]

    def __repr__(self) -> str:
        asked = [image.name for image in self.query.images]
        asked += [repr(shorten(self.query.text, 60))] if self.query.text else []
        best = f", best={shorten(self.best.title, 60)!r}" if self.best else ""
        return f"<Result of {' + '.join(asked)}: {count(len(self.hits), 'hit')}{best}>"

    @property
    def retrieved(self) -> tuple[Hit, ...]:
        """The hits in retrieval order, each with its retrieval rank."""
        hits = sorted(self.hits, key=lambda hit: hit.retrieval_rank)
        return tuple(replace(hit, rank=hit.retrieval_rank) for hit in hits)

    @property
    def best(self) -> Hit | None:
        """The first hit; None when nothing was found or nothing fits."""
        fits = self.ranking is None or self.ranking.match is not False
        return self.hits[0] if self.hits and fits else None

    @property
    def reason(self) -> str:
        """Why the first hit is the first; empty when nothing reranked."""
        return "" if self.ranking is None else self.ranking.reason

    def reranked(self, ranking: Ranking, **timings: float) -> Result:
        """This result in the order of a verdict on `retrieved`; `timings` are added."""
        found = self.retrieved
        hits = tuple(replace(found[i], rank=rank) for rank, i in enumerate(ranking.order, 1))
        return replace(self, hits=hits, ranking=ranking, timings={**self.timings, **timings})

    def panorama(self) -> Image.Image:
        """The query and its first hits, numbered by retrieval rank, as a vision model sees them.

        Raises:
            InputError: There are no hits.
        """
        return self._renderer.panorama(self)

    def to_html(self) -> str:
        """A whole page with the query, the hits and the reason; loads nothing from elsewhere."""
        return self._renderer.html(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the query, the hits in final order, the verdict, the timings."""
        hits = [hit.to_dict() for hit in self.hits]
        ranking = None
        if self.ranking is not None:
            ranking = {"ranked_by": self.ranking.ranked_by, **vars(self.ranking)}
            ranking["usage"] = vars(self.ranking.usage)
            del ranking["order"], ranking["sentence"]
        images = [image.name for image in self.query.images]
        return {
            "query": {"images": images, "text": self.query.text, **self.query.extras()},
            "hits": hits,
            "best": hits[0] if self.best else None,
            "ranking": ranking,
            "unknown_words": list(self.unknown_words),
            "timings": {name: round(seconds, 4) for name, seconds in self.timings.items()},
        }

    def _repr_html_(self) -> str:
        """What a notebook shows: the page in a frame, as its styles must not reach the notebook."""
        style = "width: 100%; height: 40rem; border: 0"
        page = escape(self.to_html())
        return f'<iframe srcdoc="{page}" sandbox title="Search result" style="{style}"></iframe>'

    @property
    def _renderer(self) -> Renderer:
        if self.renderer is None:
            raise InputError("Only the results of an engine can be drawn: this one has no engine.")
        return self.renderer


@dataclass(frozen=True)
class Failure:
    """A file or a record that could not be stored, and why.

    Attributes:
        path: The file, or a name such as "record 3".
    """

    path: str
    reason: str


@dataclass(frozen=True)
class Remark:
    """What should be known about metadata: the pictures are stored all the same.

    Attributes:
        path: The metadata file, perhaps with a line's number; or the picture.
    """

    path: str
    reason: str


@dataclass(frozen=True)
class IndexReport:
    """What an indexing run did, in files or records unless said otherwise.

    Attributes:
        found: Image files or records seen.
        unchanged: Skipped because nothing about them was new.
        encoded: New contents that were encoded.
        relocated: Contents that were stored already: copies, renames, touched files.
        updated: Rows whose metadata changed without their content.
        removed: Rows removed because no file has their content any more.
        failures: Files and records that could not be used, with reasons.
        remarks: On metadata: lines without a picture, cells without a number, and such.
        metadata: Path of each metadata file -> how many of the pictures its lines name.
        seconds: Wall time.
    """

    found: int = 0
    unchanged: int = 0
    encoded: int = 0
    relocated: int = 0
    updated: int = 0
    removed: int = 0
    failures: tuple[Failure, ...] = ()
    remarks: tuple[Remark, ...] = ()
    metadata: Mapping[str, int] = field(default_factory=dict, hash=False)
    seconds: float = 0.0
