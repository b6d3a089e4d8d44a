"""Languages: the words for colours and the like, names of columns, and phrases, as data files."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ocelot.errors import ConfigurationError, InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "LANGUAGES",
    "Attribute",
    "Language",
    "detect",
    "joined",
    "pieces",
    "read_language",
    "spoken",
    "words_in",
]

LANGUAGES = ("en", "it", "es", "de", "fr", "zh", "ja")
_WORD = re.compile(r"[\w'’-]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_FIELD, _FIELDS = re.compile(r"\{.*?\}"), {"{kind}", "{value}", "{attribute}"}
_TOLD_BY = 2000  # texts of a catalogue that tell its language


class Attribute(BaseModel):
    """Something that varies within a design.

    Attributes:
        columns: Parts of the names of its columns.
        words: Its values; each entry holds forms and synonyms of one.
        change, keep: Phrases that ask for another value, or for another kind with the same one;
            without them, those of all attributes count.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    columns: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    change: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()

    @property
    def forms(self) -> Mapping[str, frozenset[str]]:
        """Each word with all its forms."""
        groups = [frozenset(entry.lower().split()) for entry in self.words]
        return {word: group for group in groups for word in group}


class Language(BaseModel):
    """A language file.

    Attributes:
        common: Words that nearly every text of the language has.
        unknown: Values that say nothing, such as "other".
        columns: "title", "kind" and "group", each with its names of columns.
        attributes: By a key that is the same in all languages, such as "colour".
        phrases: "kind" and "both" (a value and a kind) alone; "change" and "keep" for a picture.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    common: str = ""
    unknown: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = {}
    attributes: Mapping[str, Attribute] = {}
    phrases: Mapping[str, tuple[str, ...]]

    def asked(self, phrase: str, attribute: str | None = None) -> Sequence[str]:
        """The phrases of a kind of query, those of an attribute's own first."""
        own = self.attributes.get(attribute or "")
        return getattr(own, phrase, ()) or self.phrases[phrase]


def words_in(text: str) -> list[str]:
    """The words of a text in lower case; a text without spaces between words is split by letters.

    >>> words_in("Men's T-Shirt, navy"), words_in("红色T恤")
    (["men's", 't-shirt', 'navy'], ['红', '色', 't', '恤'])
    """
    text = _CJK.sub(lambda letter: f" {letter[0]} ", text.lower())
    return _WORD.findall(text)


def pieces(title: str) -> list[str]:
    """The words of a title, or its letters where a language has no spaces between words."""
    return list(title) if _CJK.search(title) else title.split()


def joined(parts: Sequence[str]) -> str:
    """Some of a title's `pieces` as a text."""
    return ("" if any(map(_CJK.search, parts)) else " ").join(parts)


def read_language(name: str) -> Language:
    """Read a language by its code (`LANGUAGES`), or from a file of your own.

    Raises:
        ConfigurationError: The file cannot be read, or a value is missing, unknown or wrong.
        InputError: There is no such language.
    """
    if name in LANGUAGES:
        return _bundled(name)
    if not Path(name).is_file():
        raise InputError(
            f"There is no language {name!r}: use {', '.join(LANGUAGES)}, or the path of a file of "
            "your own (docs/adapt.md)."
        )
    try:
        return _parsed(Path(name).read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ConfigurationError(f"{name}: {place}: {first['msg']}.") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"Cannot read {name}: {error}.") from None


@cache
def _bundled(name: str) -> Language:
    file = files("ocelot.adapting") / "languages" / f"{name}.toml"
    return _parsed(file.read_text(encoding="utf-8"))


def _parsed(text: str) -> Language:
    language = Language(**tomllib.loads(text))
    given = {name for name, phrases in language.phrases.items() if phrases}
    if missing := {"kind", "both", "change", "keep"} - given:
        raise ValueError(f"[phrases] lacks {min(missing)}")
    own = (phrases for one in language.attributes.values() for phrases in (one.change, one.keep))
    for phrase in chain(*language.phrases.values(), *own):
        if wrong := set(_FIELD.findall(phrase)) - _FIELDS:
            raise ValueError(f"the phrase {phrase!r} has the unknown field {min(wrong)}")
    return language


def detect(texts: Iterable[str], columns: Iterable[str]) -> Language:
    """The language that the texts have most words of; English if none is told.

    Args:
        columns: Names of columns; they count as a few texts.
    """
    found = [*texts][:_TOLD_BY] + [*columns] * 20
    return max(map(read_language, LANGUAGES), key=lambda language: spoken(found, language))


def spoken(texts: Iterable[str], language: Language) -> int:
    """How many different words of each text are words that the language's file has."""
    words = [language.common, *(word for names in language.columns.values() for word in names)]
    words += [word for one in language.attributes.values() for word in one.words]
    known = set(words_in(" ".join(words)))
    return sum(len(known.intersection(words_in(text))) for text in texts)
