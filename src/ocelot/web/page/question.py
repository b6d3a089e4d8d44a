"""A question as it stands in a link: `/?text=in+blue&like=ID&where.colour=red&to.price=30`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from ocelot.collection import Facet, condition
from ocelot.errors import InputError
from ocelot.images.file import ImageFile
from ocelot.service import MAX_TEXT
from ocelot.types import MAX_REFERENCES, Query
from ocelot.web.page.pictures import HASH

__all__ = ["FIRST", "MOST", "NO_RERANKER", "STEP", "Question", "Range", "question_of"]

FIRST = 9  # results at first; a reranker orders these
STEP = 24  # more of them at a time
MOST = 500
NO_RERANKER = "off"  # in place of a reranker's name
_BALANCED = 50
_MOST_FILTERS = 50
_MOST_LENGTH = 20_000  # of a link: each link of the page repeats the question

Range = tuple[float | None, float | None]


@dataclass(frozen=True)
class Question:
    """What a person asks for.

    Attributes:
        like: Ids of stored items whose pictures are reference pictures.
        images: Content hashes of uploaded reference pictures.
        without: What is not wanted.
        unlike: Ids of stored items that results should differ from.
        weight: What the words count beside the pictures, 0 to 100; 50 leaves it to the encoder.
        where: Metadata keys and values; of the values of one key, an item needs one.
        ranges: Lowest and highest value by metadata key; None leaves that end open.
        filter: A Milvus expression that the user wrote.
        rank: Name of a reranker, or `NO_RERANKER`; "" for the server's default.
        limit: How many results are shown.
    """

    text: str = ""
    like: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    without: str = ""
    unlike: tuple[str, ...] = ()
    weight: int = _BALANCED
    where: tuple[tuple[str, str], ...] = ()
    ranges: tuple[tuple[str, Range], ...] = ()
    filter: str = ""
    rank: str = ""
    limit: int = FIRST

    @classmethod
    def of(cls, parameters: Iterable[tuple[str, str]]) -> Question:
        """Read the parameters of a link or the fields of a form; unknown ones are left out.

        Raises:
            InputError: A number cannot be read, or a part is too long.
        """
        single: dict[str, str] = {}
        lists: dict[str, dict[str, None]] = {"like": {}, "image": {}, "unlike": {}}
        where: dict[tuple[str, str], None] = {}
        ends: dict[str, list[float | None]] = {}
        for name, value in parameters:
            value = value.encode("utf-8", "replace").decode().replace("\r\n", "\n").strip()
            kind, _, key = name.partition(".")
            if not value:
                continue
            if name in lists:
                lists[name][value] = None
            elif kind == "where" and key:
                where[key, value] = None
            elif kind in ("from", "to") and key:
                ends.setdefault(key, [None, None])[kind == "to"] = _number(key, value)
            else:
                single[name] = value
        more = single.get("more", "")  # the field that changes the question that is shown
        question = cls(
            text=", ".join(filter(None, (single.get("text", ""), more))),
            like=tuple(lists["like"]),
            images=tuple(lists["image"]),
            without=single.get("without", ""),
            unlike=tuple(lists["unlike"]),
            weight=_whole("weight", single, _BALANCED, 0, 100),
            where=tuple(where),
            ranges=tuple((key, (low, high)) for key, (low, high) in ends.items()),
            filter=single.get("filter", ""),
            rank=single.get("rank", ""),
            limit=_whole("limit", single, FIRST, 1, MOST),
        )
        question._check()
        return question

    def _check(self) -> None:
        if max(len(self.text), len(self.without)) > MAX_TEXT:
            raise InputError(f"The text is longer than {MAX_TEXT:,} characters; shorten it.")
        for pictures, what in (
            (len(self.pictures), "pictures"),
            (len(self.unlike), "pictures that are not wanted"),
        ):
            if pictures > MAX_REFERENCES:
                raise InputError(
                    f"A question takes at most {MAX_REFERENCES} {what}, was: {pictures}; leave "
                    "some out."
                )
        if len(self.where) + len(self.ranges) > _MOST_FILTERS:
            raise InputError(f"A question takes at most {_MOST_FILTERS} filters; leave some out.")
        if not all(map(HASH.fullmatch, self.images)):
            raise InputError("The link names an uploaded picture wrongly; give the picture again.")
        if len(self.url()) > _MOST_LENGTH:
            raise InputError("The question is too long for a link; shorten it.")

    def pairs(self) -> list[tuple[str, str]]:
        """The parameters that `of` reads; what has its default is left out."""
        found = [
            ("text", self.text),
            *(("like", id) for id in self.like),
            *(("image", hash) for hash in self.images),
            ("without", self.without),
            *(("unlike", id) for id in self.unlike),
            ("weight", "" if self.weight == _BALANCED else str(self.weight)),
            *((f"where.{key}", value) for key, value in self.where),
        ]
        for key, ends in self.ranges:
            for name, end in zip(("from", "to"), ends, strict=True):
                found.append((f"{name}.{key}", "" if end is None else f"{end:.15g}"))
        found += [("filter", self.filter), ("rank", self.rank)]
        found += [("limit", "" if self.limit == FIRST else str(self.limit))]
        return [(name, value) for name, value in found if value]

    def url(self, path: str = "./", **more: str) -> str:
        """The link to the question, with further parameters."""
        pairs = [*self.pairs(), *more.items()]
        return f"{path}?{urlencode(pairs)}" if pairs else path

    def but(self, **changes: Any) -> Question:
        """The question with changes, from its first results on."""
        return replace(self, **{"limit": FIRST, **changes})

    def toggled(self, key: str, value: str) -> Question:
        """The question with a value of a field if it has it not, without it if it has."""
        pair = (key, value)
        others = tuple(one for one in self.where if one != pair)
        return self.but(where=others if pair in self.where else (*self.where, pair))

    def only(self, *like: str) -> Question:
        """Another question about these items, with the filters of this one."""
        return Question(
            like=like, where=self.where, ranges=self.ranges, filter=self.filter, rank=self.rank
        )

    @property
    def asks(self) -> bool:
        """Whether there is something to search for; else the collection is shown."""
        return bool(self.text or self.pictures)

    @property
    def pictures(self) -> tuple[tuple[str, str], ...]:
        """The reference pictures: ("like", item id) or ("image", content hash)."""
        return (*(("like", id) for id in self.like), *(("image", hash) for hash in self.images))

    def without_picture(self, kind: str, id: str, *images: str) -> Question:
        """The question without a reference picture, perhaps with others in its place."""
        kept = [one for one in self.pictures if one != (kind, id)]
        return self.but(
            like=tuple(one for name, one in kept if name == "like"),
            images=(*(one for name, one in kept if name == "image"), *images),
        )

    @property
    def is_only_like(self) -> bool:
        """Whether this asks for more like one item: its stored vector answers that."""
        return len(self.like) == 1 and not (self.text or self.images or self.without or self.unlike)

    @property
    def filtered(self) -> bool:
        return bool(self.where or self.ranges or self.filter)

    def query(self, images: Sequence[ImageFile]) -> Query:
        """The question for an engine, with the pictures that `images` names."""
        weight = 10 ** ((self.weight - _BALANCED) / _BALANCED)  # 0.1 to 10
        both = bool(self.text and self.pictures)
        return Query(
            list(images),
            self.text,
            items=self.like,
            text_weight=round(weight, 3) if both else 1.0,
            negative_text=self.without or None,
            unlike=self.unlike,
        )

    def expression(self, facets: Iterable[Facet] = ()) -> str | None:
        """The filter; None without one.

        Args:
            facets: The metadata fields that there are: they tell truth values from text.

        >>> Question(where=(("colour", "red"), ("colour", "blue")), filter="stock > 0",
        ...     ranges=(("price", (None, 30.0)),)).expression()
        '(colour == "red" or colour == "blue") and price <= 30.0 and (stock > 0)'
        """
        booleans = {facet.key for facet in facets if facet.kind == "boolean"}
        chosen: dict[str, list[Any]] = {}
        for key, value in self.where:
            chosen.setdefault(key, []).append(value == "true" if key in booleans else value)
        parts = []
        for key, values in chosen.items():
            either = " or ".join(condition(key, "==", value) for value in values)
            parts.append(f"({either})" if len(values) > 1 else either)
        for key, (low, high) in self.ranges:
            if low is not None:
                parts.append(condition(key, ">=", low))
            if high is not None:
                parts.append(condition(key, "<=", high))
        if self.filter:
            parts.append(f"({self.filter})" if parts else self.filter)
        return " and ".join(parts) or None


def question_of(request: Request) -> Question:
    """The question of a link."""
    return Question.of(request.query_params.multi_items())


def _number(key: str, value: str) -> float:
    try:
        number = float(value.replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"The filter on {key} must be a number, was: {value[:40]!r}.")
    return number


def _whole(name: str, given: Mapping[str, str], default: int, least: int, most: int) -> int:
    value = given.get(name)
    if value is None:
        return default
    if not re.fullmatch(r"[0-9]{1,4}", value) or not least <= int(value) <= most:
        raise InputError(
            f"The link's {name} must be a whole number from {least} to {most}, was: {value[:40]!r}."
        )
    return int(value)
