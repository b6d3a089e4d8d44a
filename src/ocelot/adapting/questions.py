"""Questions over a catalogue, and which of its pictures answer them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ocelot.adapting.language import joined, pieces, words_in
from ocelot.adapting.understand import Catalogue, Row

__all__ = ["Asker", "Question", "Wanted", "answers", "held_out_questions"]

ANY = -1  # a label that fits every other label
Wanted = tuple[int, ...]

_LEAST_OF_KIND, _LEAST_OF_BOTH, _LEAST_KEPT = 5, 3, 2  # pictures that must answer
_TITLE_WORDS = 8
_LEAST_OF_A_TASK = 8  # questions: fewer measure nothing


@dataclass(frozen=True)
class Question:
    """A question; pictures are numbers within the rows that it was made of.

    Attributes:
        task: What is asked, for people.
        metric: What measures it; see `ocelot.evaluation.metrics.measure`.
        wanted: Labels of the pictures that answer it.
    """

    task: str
    metric: str
    reference: int | None
    text: str | None
    target: int
    wanted: Wanted


class Asker:
    """Labels of pictures, and the texts that ask for them.

    A picture's labels are its design, its kind and its values; what is unknown fits everything.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._numbers: dict[str, int] = {}

    def labels(self, row: Row) -> Wanted:
        """The labels of a picture."""
        kind = self._number("kind", row.kind)
        values = (self._number(str(n), value) for n, value in enumerate(row.values))
        return (self._number("design", row.design), kind, *values)

    def _number(self, column: str, value: str) -> int:
        return self._numbers.setdefault(f"{column} {value}", len(self._numbers)) if value else ANY

    def wanted(
        self, row: Row, *, design: bool = False, kind: bool = False, values: Iterable[int] = ()
    ) -> Wanted:
        """The row's labels, of which only the named ones count."""
        kept = {0: design, 1: kind} | {2 + number: True for number in values}
        return tuple(
            label if kept.get(place) else ANY for place, label in enumerate(self.labels(row))
        )

    def whole(self, row: Row) -> Wanted:
        """The row's design with its values: another photograph of it answers, too."""
        return self.wanted(row, design=True, values=range(len(row.values)))

    def phrases(self, phrase: str, number: int | None = None) -> Sequence[str]:
        """The phrases of a task, for an attribute if its number is given."""
        attribute = None if number is None else self.catalogue.columns.meanings[number]
        return self.catalogue.language.asked(phrase, attribute)

    def text(self, template: str, row: Row, number: int | None = None) -> str:
        """A phrase, filled with the kind of a picture and its value of an attribute."""
        name = "" if number is None else self.attribute_name(number)
        value = "" if number is None else row.values[number]
        filled = template.replace("{kind}", row.kind).replace("{value}", value)
        return " ".join(filled.replace("{attribute}", name).split())

    def attribute_name(self, number: int) -> str:
        """An attribute's name in the language of the catalogue."""
        key = self.catalogue.columns.meanings[number]
        known = self.catalogue.language.attributes.get(key)
        return known.name if known else key

    def titled(self, row: Row, words: Sequence[str]) -> Wanted:
        """What words of a title ask for: the design, with the values that they say."""
        said = set(words_in(joined(words)))
        values = [n for n, value in enumerate(row.values) if value and said >= {*words_in(value)}]
        return self.wanted(row, design=True, values=values)


def answers(wanted: Wanted, labels: Wanted) -> bool:
    """Whether a picture answers a question."""
    return all(a == b or ANY in (a, b) for a, b in zip(wanted, labels, strict=True))


def held_out_questions(asker: Asker, rows: Sequence[Row], most: int) -> list[Question]:
    """Questions of each task in the first of its phrases, `most` of a task; always the same."""
    found: list[Question] = []
    for ask in (_changes, _described, _kinds, _both, _kept, _titles, _views):
        tasks = defaultdict(list)
        for question in ask(asker, rows):
            tasks[question.task].append(question)
        for task, questions in tasks.items():
            if len(questions) >= _LEAST_OF_A_TASK:
                found += random.Random(task).sample(questions, min(most, len(questions)))
    return found


def _grouped(
    rows: Sequence[Row], key: Callable[[Row], object], least: int
) -> Mapping[object, list[int]]:
    """Numbers of the rows by a key that is not empty, where there are enough."""
    groups = defaultdict(list)
    for number, row in enumerate(rows):
        if found := key(row):
            groups[found].append(number)
    return {found: members for found, members in groups.items() if len(members) >= least}


def _changes(asker: Asker, rows: Sequence[Row]) -> Iterator[Question]:
    for members in _grouped(rows, lambda row: row.varies and row.design, 2).values():
        for number, key in enumerate(asker.catalogue.columns.meanings):
            for reference in members:
                targets = {rows[m].values[number]: m for m in members}
                for value, target in targets.items():
                    if value and value != rows[reference].values[number]:
                        row = rows[target]
                        text = asker.text(asker.phrases("change", number)[0], row, number)
                        wanted = asker.wanted(row, design=True, values=[number])
                        task = f"same item in another {key}"
                        yield Question(task, "R@1", reference, text, target, wanted)


def _described(asker: Asker, rows: Sequence[Row]) -> Iterator[Question]:
    places = {row.name: number for number, row in enumerate(rows)}
    for one in asker.catalogue.changes:
        if one.reference in places and one.target in places:
            target = places[one.target]
            wanted = asker.whole(rows[target])
            yield Question(
                "a described change", "R@10", places[one.reference], one.text, target, wanted
            )


def _kinds(asker: Asker, rows: Sequence[Row]) -> Iterator[Question]:
    for members in _grouped(rows, lambda row: row.kind, _LEAST_OF_KIND).values():
        row = rows[members[0]]
        text = asker.text(asker.phrases("kind")[0], row)
        wanted = asker.wanted(row, kind=True)
        yield Question("name of a kind", "P@10", None, text, members[0], wanted)


def _of_both(
    asker: Asker, rows: Sequence[Row], number: int, least: int
) -> Mapping[object, list[int]]:
    def key(row: Row) -> object:
        return row.kind and row.values[number] and (row.kind, row.values[number])

    return _grouped(rows, key, least)


def _both(asker: Asker, rows: Sequence[Row]) -> Iterator[Question]:
    for number, key in enumerate(asker.catalogue.columns.meanings):
        for members in _of_both(asker, rows, number, _LEAST_OF_BOTH).values():
            row = rows[members[0]]
            text = asker.text(asker.phrases("both", number)[0], row, number)
            wanted = asker.wanted(row, kind=True, values=[number])
            yield Question(f"{key} and kind", "mAP@10", None, text, members[0], wanted)


def _kept(asker: Asker, rows: Sequence[Row]) -> Iterator[Question]:
    rng = random.Random(0)
    for number, key in enumerate(asker.catalogue.columns.meanings):
        groups = _of_both(asker, rows, number, _LEAST_KEPT)
        for members in groups.values():
            row = rows[members[0]]
            others = [
                m
                for other in groups.values()
                for m in other
                if rows[m].kind != row.kind and rows[m].values[number] == row.values[number]
            ]
            for reference in rng.sample(others, min(2, len(others))):
                text = asker.text(asker.phrases("keep", number)[0], row, number)
                wanted = asker.wanted(row, kind=True, values=[number])
                task = f"another kind in the same {key}"
                yield Question(task, "mAP@10", reference, text, members[0], wanted)


def _titles(asker: Asker, rows: Sequence[Row]) -> Iterator[Question]:
    for members in _grouped(rows, lambda row: row.title, 1).values():
        row = rows[members[0]]
        words = pieces(row.title)[:_TITLE_WORDS]
        task, wanted = "first words of a title", asker.titled(row, words)
        yield Question(task, "R@10", None, joined(words), members[0], wanted)


def _views(asker: Asker, rows: Sequence[Row]) -> Iterator[Question]:
    for members in _grouped(rows, lambda row: row.product, 2).values():
        for place, reference in enumerate(members):
            target = members[place - 1]
            wanted = asker.whole(rows[target])
            yield Question("another photograph", "R@1", reference, None, target, wanted)
