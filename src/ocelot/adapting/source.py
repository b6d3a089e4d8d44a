"""Batches of a catalogue: what is asked of its pictures, in many phrasings."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeVar

import numpy as np
import torch

from ocelot.adapting.language import joined, pieces
from ocelot.adapting.questions import Asker, Wanted, held_out_questions
from ocelot.adapting.understand import Catalogue, Row
from ocelot.images.decode import hash_bytes
from ocelot.model.preprocess import Pixels
from ocelot.model.tokenizer import TextTokenizer
from ocelot.training.augment import Random, crop, relight
from ocelot.training.batch import Batch, Query, collate
from ocelot.training.distributed import ProcessGroup
from ocelot.training.source import PictureReader

__all__ = ["CatalogueSource"]

_WATCHED = 240  # pictures, and
_WATCHED_QUESTIONS = 40  # of each task, that choose the best state
_TOGETHER = 4  # designs, or pictures, of one kind that follow each other
_DESIGNS, _VIEWS = 0.5, 0.1  # of a batch's pictures, where there are any
_DESCRIBED, _NEIGHBOURS = 0.25, 2  # of them, and further neighbours for each described change
_AUGMENTATION = 0.5
_LONGEST = 30  # words of a title: more than a training text holds are cut off anyway

One = TypeVar("One")
Asked = tuple[int | None, str | None, int, Wanted]  # reference and target are rows


class CatalogueSource:
    """A `BatchSource` of the rows that are trained on, and of those that are watched.

    A batch has designs with several of their values, pictures of the same kinds, and other
    photographs of products. Each picture is asked for: as a change of another one, by its title
    or a part of it, by kind and value, by kind as something that shares a value.
    """

    def __init__(self, catalogue: Catalogue, asker: Asker, batch_size: int, seed: int = 0) -> None:
        self._rows, self._watched = catalogue.part("train"), catalogue.part("watch")[:_WATCHED]
        self._asker, self._size, self._seed = asker, batch_size, seed
        self._designs = defaultdict(list)  # design -> numbers of its rows
        self._products = defaultdict(list)
        self._kinds = defaultdict(list)
        for number, row in enumerate(self._rows):
            self._kinds[row.kind].append(number)
            self._products[row.product].append(number)
            if row.varies:
                self._designs[row.design].append(number)
        self._of_kind = defaultdict(list)  # kind -> designs
        for design, members in self._designs.items():
            self._of_kind[self._rows[members[0]].kind].append(design)
        places = {row.name: number for number, row in enumerate(self._rows)}
        changes = [one for one in catalogue.changes if one.target in places]
        self._texts = {(places[one.reference], places[one.target]): one.text for one in changes}
        self._changes = [
            [places[name] for name in (one.reference, one.target, *one.others[:_NEIGHBOURS])]
            for one in changes
        ]
        self._seen_twice = [several for several in self._products.values() if len(several) > 1]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over what is known of the pictures."""
        return hash_bytes(repr([self._rows, self._watched, self._texts]).encode())

    def texts(self) -> list[str]:
        """See `BatchSource`."""
        values = (value for row in self._rows for value in row.values)
        words = chain((row.title for row in self._rows), (row.kind for row in self._rows), values)
        numbers = [None, *range(len(self._asker.catalogue.columns.meanings))]
        phrases = [
            self._asker.phrases(phrase, number)
            for phrase in ("kind", "both", "change", "keep")
            for number in numbers
        ]
        plain = str.maketrans("{}", "  ")
        texts = self._texts.values()
        return [*filter(None, words), *texts, *(one.translate(plain) for one in chain(*phrases))]

    def further_words(self) -> list[str]:
        """See `BatchSource`."""
        return []

    def open(self, size: int, tokenizer: TextTokenizer, group: ProcessGroup) -> None:
        """See `BatchSource`."""
        self._tokenizer, self._device = tokenizer, group.device
        self._reader, self._watching = (
            PictureReader([row.path for row in rows], size, reduced=True)
            for rows in (self._rows, self._watched)
        )

    def batch(self, step: int, rank: int) -> Batch:
        """See `BatchSource`."""
        rng = random.Random(f"{self._seed}/{step}/{rank}")
        chosen = list(dict.fromkeys(self._pictures(rng)))[: self._size]
        readable = self._reader.read(chosen)
        chosen = [number for number in chosen if number in readable]
        asked = list(self._asked(rng, chosen))
        return self._collate(chosen, self._rows, readable, asked, rng)

    def held_out(self) -> Mapping[str, Batch]:
        """See `BatchSource`: the questions of all tasks over the watched pictures."""
        readable = self._watching.read(range(len(self._watched)))
        rows = [self._watched[number] for number in readable]
        asked: list[Asked] = [
            (one.reference, one.text, one.target, one.wanted)
            for one in held_out_questions(self._asker, rows, _WATCHED_QUESTIONS)
        ]
        if not asked:
            return {}
        pixels = dict(enumerate(readable.values()))
        batch = self._collate(range(len(rows)), rows, pixels, asked, random.Random(0), strength=0)
        return {"watched": batch}

    def _collate(
        self,
        chosen: Sequence[int],
        rows: Sequence[Row],
        pixels: Mapping[int, Pixels],
        asked: Sequence[Asked],
        rng: random.Random,
        strength: float = _AUGMENTATION,
    ) -> Batch:
        place = {number: n for n, number in enumerate(chosen)}
        stacked = torch.from_numpy(np.stack([pixels[number] for number in chosen]))
        stacked = stacked.to(self._device).float()
        if strength:
            source = Random(torch.Generator().manual_seed(rng.getrandbits(63)), self._device)
            stacked = relight(source, crop(source, stacked, strength), strength)
        queries = [
            Query(None if seen is None else place[seen], text, place[target], wanted)
            for seen, text, target, wanted in asked
        ]
        labels = [self._asker.labels(rows[number]) for number in chosen]
        return collate(stacked, labels, queries, self._tokenizer)

    def _pictures(self, rng: random.Random) -> Iterator[int]:
        """Numbers of rows, a batch of them or more."""
        pictures: list[int] = []
        while self._designs and len(pictures) < _DESIGNS * self._size:
            kind = _by_root(rng, self._of_kind)
            for design in _some(rng, self._of_kind[kind]):
                pictures += _some(rng, self._designs[design])
        wanted = len(pictures) + _VIEWS * self._size
        while self._seen_twice and len(pictures) < wanted:
            pictures += rng.sample(rng.choice(self._seen_twice), 2)
        wanted = len(pictures) + _DESCRIBED * self._size
        while self._changes and len(pictures) < wanted:
            pictures += rng.choice(self._changes)
        yield from pictures
        for _ in range(self._size):
            yield from _some(rng, self._kinds[_by_root(rng, self._kinds)])

    def _asked(self, rng: random.Random, chosen: Sequence[int]) -> Iterator[Asked]:
        designs, values, places = defaultdict(list), defaultdict(list), set(chosen)
        for number in chosen:
            row = self._rows[number]
            designs[row.design].append(number)
            for n, value in enumerate(row.values):
                values[n, value].append(number)
        for (reference, number), text in self._texts.items():
            if reference in places and number in places:
                yield reference, text, number, self._asker.whole(self._rows[number])
        for number in chosen:
            row = self._rows[number]
            siblings = [other for other in designs[row.design] if other != number]
            yield from self._change(rng, number, siblings)
            yield from self._words(rng, number)
            alike = [
                other
                for n, value in enumerate(row.values)
                if value
                for other in values[n, value]
                if self._rows[other].kind != row.kind
            ]
            if row.kind and alike and rng.random() < 0.15:
                yield self._kept(rng, number, rng.choice(alike))

    def _change(self, rng: random.Random, number: int, siblings: Sequence[int]) -> Iterator[Asked]:
        """Another value of a sibling, or another photograph of it."""
        row = self._rows[number]
        pairs = [
            (other, n)
            for other in siblings
            for n, value in enumerate(row.values)
            if value and row.varies and value != self._rows[other].values[n]
        ]
        if pairs:
            reference, n = rng.choice(pairs)
            text = self._asker.text(rng.choice(self._asker.phrases("change", n)), row, n)
            yield reference, text, number, self._asker.wanted(row, design=True, values=[n])
        same = [other for other in siblings if self._rows[other].product == row.product]
        if same:
            yield rng.choice(same), None, number, self._asker.whole(row)

    def _kept(self, rng: random.Random, number: int, reference: int) -> Asked:
        """Another kind that shares a value with the reference."""
        row, seen = self._rows[number], self._rows[reference]
        shared = [n for n, value in enumerate(row.values) if value and value == seen.values[n]]
        n = rng.choice(shared)
        text = self._asker.text(rng.choice(self._asker.phrases("keep", n)), row, n)
        return reference, text, number, self._asker.wanted(row, kind=True, values=[n])

    def _words(self, rng: random.Random, number: int) -> Iterator[Asked]:
        """Words alone: kind, value and kind, the title or a part of it."""
        row, asker, draw = self._rows[number], self._asker, rng.random()
        known = [n for n, value in enumerate(row.values) if value]
        if row.kind and draw < 0.2:
            text = asker.text(rng.choice(asker.phrases("kind")), row)
            yield None, text, number, asker.wanted(row, kind=True)
        elif row.kind and known and draw < 0.4:
            n = rng.choice(known)
            text = asker.text(rng.choice(asker.phrases("both", n)), row, n)
            yield None, text, number, asker.wanted(row, kind=True, values=[n])
        elif row.title:
            words = _part(rng, pieces(row.title))
            yield None, joined(words), number, asker.titled(row, words)


def _part(rng: random.Random, words: list[str]) -> list[str]:
    """The first words of a title, some in a row, some anywhere, or all."""
    draw = rng.random()
    if draw < 0.35:
        return words[:8]
    if draw < 0.65:
        length = rng.randint(3, 9)
        first = rng.randrange(max(1, len(words) - length + 1))
        return words[first : first + length]
    if draw < 0.75 and len(words) > 2:
        words = rng.sample(words, max(2, round(len(words) * rng.uniform(0.4, 0.9))))
    return words[:_LONGEST]


def _by_root(rng: random.Random, groups: Mapping[str, Sequence[object]]) -> str:
    """A group, more often a large one, but less than its size says."""
    weights = [len(members) ** 0.5 for members in groups.values()]
    return rng.choices(list(groups), weights)[0]


def _some(rng: random.Random, members: Sequence[One]) -> list[One]:
    return rng.sample(members, min(_TOGETHER, len(members)))
