"""The texts of the page, in the language that the browser prefers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from ocelot.rerankers.fusion import ordinal
from ocelot.types import Sentence

__all__ = ["LANGUAGES", "Texts", "preferred"]

LANGUAGES = ("en", "it")  # the first is the default
_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "CHF": "CHF", "INR": "₹"}


class Texts:
    """The texts of one language.

    Attributes:
        language: Its code.
        script: The texts that page.js needs.
    """

    def __init__(self, language: str) -> None:
        file = files("ocelot.web.page") / "texts" / f"{language}.json"
        self.language = language
        self._texts: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
        known = self._texts.items()
        self.script = {key[7:]: text for key, text in known if key.startswith("script.")}

    def __call__(self, key: str, **values: Any) -> str:
        """A text with its values."""
        return self._texts[key].format(**values)

    def engine(self, english: str, said: Sentence | None) -> str:
        """What Ocelot says, in this language where that is known.

        >>> Texts("it").engine("Closest to “red”.", Sentence(("text",), {"text": "red"}))
        'Più vicina a «red».'
        """
        parts = [self._texts.get(f"engine.{part}") for part in said.parts] if said else []
        if said is None or None in parts:  # there are none in English
            return english
        values = {key: self.number(one) if isinstance(one, float) else one
                  for key, one in said.values.items()}  # fmt: skip
        return f"{''.join(filter(None, parts))}.".format_map(values)

    def count(self, key: str, number: int) -> str:
        """A number with its noun: the text `key.one` or `key.many`."""
        return self(f"{key}.{'one' if number == 1 else 'many'}", n=self.number(number))

    def name(self, key: str) -> str | None:
        """The text of a key if there is one."""
        return self._texts.get(key)

    def number(self, value: float) -> str:
        """A number in the way of the language: 1,234.5 or 1.234,5."""
        text = f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
        return text if self.language == "en" else text.translate(str.maketrans(",.", ".,"))

    def ordinal(self, number: int) -> str:
        """1st or 1º."""
        return ordinal(number) if self.language == "en" else f"{number}º"

    def price(self, metadata: Mapping[str, Any]) -> str:
        """The price of an item with its currency; "" if there is none.

        >>> Texts("en").price({"price": 9.5, "currency": "EUR"})
        '€9.50'
        >>> Texts("it").price({"price": 9.5, "currency": "EUR"})
        '9,50 €'
        """
        value, currency = metadata.get("price"), metadata.get("currency")
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            return ""
        if isinstance(value, str):
            text = value.strip()[:48]
        elif not math.isfinite(value):
            return ""
        else:
            text = self.number(value)
        if not text or not isinstance(currency, str) or not 0 < len(currency.strip()) <= 8:
            return text
        sign = _SIGNS.get(currency.strip().upper(), currency.strip())
        if self.language == "en":
            return f"{sign}{text}" if len(sign) == 1 else f"{sign} {text}"
        return f"{text} {sign}"


@cache
def _texts(language: str) -> Texts:
    return Texts(language)


def preferred(header: str) -> Texts:
    """The texts that suit a header Accept-Language best.

    >>> preferred("de, it;q=0.8, en;q=0.5").language, preferred("").language
    ('it', 'en')
    """
    wanted: list[tuple[float, str]] = []
    for part in header.split(",")[:20]:
        name, _, weight = part.partition(";q=")
        try:
            wanted.append((float(weight or 1), name.strip()[:2].lower()))
        except ValueError:
            continue
    known = [(weight, name) for weight, name in wanted if name in LANGUAGES and weight > 0]
    return _texts(max(known, key=lambda one: one[0])[1] if known else LANGUAGES[0])
