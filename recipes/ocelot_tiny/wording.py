"""One wording out of the many in which people ask: a template, its slots filled."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import lru_cache

from recipes.ocelot_tiny.catalogue.vocabulary import COLOURS, PATTERNS
from recipes.ocelot_tiny.colours import SHADES
from recipes.ocelot_tiny.templates import ADJECTIVES, CLOSERS, OPENERS, TEMPLATES
from recipes.ocelot_tiny.words import (
    COLOUR_WORDS,
    KIND_WORDS,
    MEANINGFUL,
    PATTERN_WORDS,
    article,
    english_words,
    is_plural,
    plural,
    with_article,
)

__all__ = ["TEMPLATES", "every_text", "phrase"]


def phrase(
    rng: random.Random,
    task: str,
    *,
    kind: str = "kettle",
    colour: str = "blue",
    pattern: str = "plain",
    fillers: bool = False,
) -> str:
    """One wording of a task. Capitals and a full stop come and go, as people write.

    Args:
        task: A key of `TEMPLATES`.
        kind, colour, pattern: A name that has synonyms, or any other word, which is used as is.
        fillers: Let one text in six have words that change nothing, such as "for my sister".

    Raises:
        KeyError: There is no such task.
    """
    padded = fillers and rng.random() < 1 / 6
    adjective = rng.choice(ADJECTIVES) if padded and rng.random() < 0.25 else ""
    template = rng.choice(TEMPLATES[task])
    if "kind" not in template:
        adjective = ""
    text = _fill(rng, template, kind, colour, pattern, adjective)
    if padded and not adjective:
        text = _pad(rng, text)
    if rng.random() < 0.15:
        text = text[0].upper() + text[1:]
    return text + "." if text[-1].isalnum() and rng.random() < 0.08 else text


def every_text(rng: random.Random, repeats: int = 8) -> Iterator[str]:
    """Texts with every template, synonym and filler in them, from which a tokenizer is built."""
    for table in (KIND_WORDS, COLOUR_WORDS, PATTERN_WORDS):
        for synonyms in table.values():
            yield from synonyms
            yield from map(plural, synonyms)
    for shades in SHADES.values():
        yield from shades
    yield from (*COLOURS, *PATTERNS, *OPENERS, *CLOSERS, *ADJECTIVES)
    kinds, colours, patterns = list(KIND_WORDS), list(COLOURS), list(PATTERNS)
    for task, templates in TEMPLATES.items():
        for template in templates:
            yield _fill(rng, template, rng.choice(kinds), rng.choice(colours), rng.choice(patterns))
        for kind in kinds * repeats:
            colour, pattern = rng.choice(colours), rng.choice(patterns)
            yield phrase(rng, task, kind=kind, colour=colour, pattern=pattern)


def _fill(
    rng: random.Random, template: str, kind: str, colour: str, pattern: str, adjective: str = ""
) -> str:
    noun = rng.choice(KIND_WORDS.get(kind, (kind,)))
    praised = f"{adjective} {noun}".lstrip()
    hue = rng.choice(COLOUR_WORDS.get(colour, (colour,)))
    slots = {
        "{kind}": praised,
        "{a kind}": with_article(rng, praised),
        "{kinds}": plural(praised),
        "{this kind}": f"{'these' if is_plural(noun) else 'this'} {praised}",
        "{colour}": hue,
        "{a colour}": article(hue),
        "{a colour kind}": with_article(rng, f"{hue} {praised}"),
        "{pattern}": rng.choice(PATTERN_WORDS.get(pattern, (pattern,))),
    }
    for slot, words in slots.items():
        template = template.replace(slot, words)
    return template


def _pad(rng: random.Random, text: str) -> str:
    """A text with an opener, a closer or an odd word at one of its ends."""
    draw = rng.random()
    if draw < 0.35:
        return f"{rng.choice(OPENERS)} {text}"
    if draw < 0.7:
        closer = rng.choice(CLOSERS)
        return text + closer if closer[0] in ",!" else f"{text} {closer}"
    odd = rng.choice(_odd_words())
    return f"{odd} {text}" if rng.random() < 0.5 else f"{text} {odd}"


@lru_cache(maxsize=1)
def _odd_words() -> tuple[str, ...]:
    return tuple(word for word in english_words() if word not in MEANINGFUL)
