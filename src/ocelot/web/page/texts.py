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
        name: The text of a key, or None.
    """

    def __init__(self, language: str) -> None:
        file = files("ocelot.web.page") / "texts" / f"{language}.json"
        self._texts: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
        self.language, self.name = language, self._texts.get
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
        values = {
            key: self.number(one) if isinstance(one, float) else one
            for key, one in said.values.items()
        }
        return f"{''.join(filter(None, parts))}.".format_map(values)

    def count(self, key: str, number: int) -> str:
        """A number with its noun: the text `key.one` or `key.many`."""
        return self(f"{key}.{'one' if number == 1 else 'many'}", n=self.number(number))

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
        if isinstance(value, str):
            text = value.strip()[:48]
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            text = self.number(value) if math.isfinite(value) else ""
        else:
            text = ""
        if not text or not isinstance(currency, str) or not 0 < len(currency.strip()) <= 8:
            return text
        sign = _SIGNS.get(currency.strip().upper(), currency.strip())
        if self.language != "en":
            return f"{text} {sign}"
        return f"{sign}{text}" if len(sign) == 1 else f"{sign} {text}"


_texts = cache(Texts)


def preferred(header: str) -> Texts:
    """The texts that suit a header Accept-Language best.

    >>> preferred("de, it;q=0.8, en;q=0.5").language, preferred("").language
    ('it', 'en')
    """
    weights = dict.fromkeys(LANGUAGES, 0.0)
    for part in header.split(",")[:20]:
        name, _, weight = part.strip().partition(";q=")
        language = name[:2].lower()
        try:
            if language in weights:
                weights[language] = max(weights[language], float(weight or 1))
        except ValueError:
            continue
    return _texts(max(weights, key=weights.__getitem__))
