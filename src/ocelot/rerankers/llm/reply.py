"""Parse the reply of a language model: a pure function of any string.

A reply may be the JSON object that was asked for or the tutorial's text form
(``Ranked list: [3, 1, 2]`` / ``Reasons: …``), inside code fences or prose, after a chain of
thought, cut off, or nonsense. Errors are repaired and named; the order is always complete.

The items are numbered from 1 in the panorama and in the prompt. Some models count from 0 all the
same: a list with 0, and without the number of the last item, is read so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ocelot.rerankers.base import complete_order
from ocelot.rerankers.llm.prompt import one_line
from ocelot.types import Ranking, RankStatus

__all__ = ["json_values", "parse_reply", "without_thoughts"]

# Both bound the time that a hostile reply can take.
_LIMIT = 20_000  # characters read, from the end
_ATTEMPTS = 300  # opening brackets that are tried
_REASON_LIMIT = 2000
_RANKING = ("ranking", "rankedlist", "rankinglist", "rankedindices", "order", "indices")
_REASON = ("reason", "reasons", "explanation")
_TRUTH = {"true": True, "yes": True, "false": False, "no": False}

_THINK_OPEN = re.compile(r"<(?:think|thinking|reasoning)>", re.I)
_THINK_CLOSE = re.compile(r"</(?:think|thinking|reasoning)>", re.I)
_LABELLED = re.compile(
    r"""rank(?:ed|ing)?[\s_]{0,3}(?:list|order|indices)?(?P<quote>["'”]?)["'”*`\s]{0,8}[:=]"""
    r"""["'“*`\s]{0,20}(?:\[(?P<list>[^\[\]]*)(?P<end>\]?)|(?P<bare>[0-9][0-9,;>\#\s]*))""",
    re.I,
)
_REASONED = re.compile(r"""(?:reasons?|explanation)["'”*`\s]{0,8}[:=]["'“*`\s]{0,8}""", re.I)
_AFTER_REASON = re.compile(r"""["'”*`\s]{0,8}[,\n]\s{0,8}["'“*`]{0,4}match["'”*`\s]{0,8}:""", re.I)
_ABOUT = re.compile(r"""\bitem["'”*`\s]{0,8}[:=]["'“*`\s#]{0,8}([0-9]{1,9})\b""", re.I)
_MATCHED = re.compile(r"""\bmatch["'”*`\s]{0,8}:["'“*`\s]{0,8}(true|yes|false|no)\b""", re.I)
_INDEX = re.compile(r"[^0-9.+-]{0,20}([0-9]{1,9})(?:\.0{0,9})?[^0-9.]{0,20}")
_INTEGERS = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_OPENING = re.compile(r"[\[{]")


@dataclass
class _Answer:
    """What a reply says, before it is checked."""

    indices: list[Any]
    reason: str = ""
    match: bool | None = None
    about: Any = None  # the item that the reason is about
    note: str = ""  # what had to be repaired to read it


def parse_reply(text: str, count: int, reranker: str) -> Ranking:
    """Parse a reply of `reranker` about `count` candidates; never raises.

    >>> text = '```json\\n{"ranking": [3, 1], "reason": "Spots.", "match": true}\\n```'
    >>> ranking = parse_reply(text, 3, "gpt-4o")
    >>> ranking.order, ranking.reason, ranking.match
    ((2, 0, 1), 'Spots.', True)
    >>> ranking.status, ranking.detail
    ('repaired', '1 missing index was appended')
    >>> parse_reply("Ranked list: [2, 1]\\nReasons: Blue.", 2, "gpt-4o").order
    (1, 0)
    """

    def fallback(cause: str) -> Ranking:
        return Ranking(tuple(range(count)), "", reranker, status="fallback", detail=cause)

    body = without_thoughts(text).strip()[-_LIMIT:]
    if not body:
        cause = "the reply ended in the model's thoughts" if text.strip() else "the reply is empty"
        return fallback(cause)
    answer = _read(body, count)
    if answer is None:
        return fallback("the reply holds no ranked list")
    reason = one_line(answer.reason, _REASON_LIMIT)
    if not answer.indices and answer.match is False:
        # If nothing fits, no list is needed.
        return Ranking(tuple(range(count)), reason, reranker, match=False)
    numbers = [_as_index(value) for value in answer.indices]
    first = 0 if 0 in numbers and count not in numbers else 1
    order, notes = complete_order((n if n is None else n - first for n in numbers), count)
    if order is None:
        wrong = f"names none of the items 1 to {count}" if answer.indices else "is empty"
        return fallback(f"the ranked list {wrong}")
    if first == 0:
        notes.insert(0, "the list counted from 0")
    if answer.note:
        notes.insert(0, answer.note)
    about = _as_index(answer.about)
    if not reason:
        notes.append("the reply gave no reason")
    elif about is not None and about - first != order[0]:
        reason = f"(Said of another picture:) {reason}"
        notes.append("the reason is about another item than the first")
    status: RankStatus = "repaired" if notes else "ok"
    return Ranking(order, reason, reranker, status, "; ".join(notes), answer.match)


def _read(body: str, count: int) -> _Answer | None:
    """The answer in a reply: as JSON, as labelled text, or as nothing but a list."""
    if answer := _from_json(body):
        return answer
    if answer := _from_json(re.sub(r",(?=\s{0,99}[\]}])", "", body)):
        answer.note = "the JSON had trailing commas"
        return answer
    labelled = _from_text(body)
    return labelled if labelled and labelled.indices else _bare_list(body, count) or labelled


def without_thoughts(text: str) -> str:
    """A reply without the chain of thought before it."""
    # Some chat templates put the opening tag into the prompt, so there may be only a closing tag.
    end = max((found.end() for found in _THINK_CLOSE.finditer(text)), default=0)
    after = _THINK_OPEN.split(text[end:], maxsplit=1)[0]
    return after if after.strip() else _THINK_OPEN.split(text, maxsplit=1)[0] if end else after


def _from_json(body: str) -> _Answer | None:
    # The last answer counts, as models correct themselves; but those with a list come first.
    answers = [found for value in json_values(body) for found in _answers(value)]
    return next((a for a in reversed(answers) if a.indices), answers[-1] if answers else None)


def json_values(text: str) -> Iterator[Any]:
    """The complete JSON objects and arrays that are not inside another."""
    decoder, end = json.JSONDecoder(), 0
    for _ in range(_ATTEMPTS):
        opening = _OPENING.search(text, end)
        if opening is None:
            return
        try:
            value, end = decoder.raw_decode(text, opening.start())
        except RecursionError:
            return
        except ValueError:
            end = opening.end()
        else:
            yield value


def _answers(value: Any, depth: int = 4) -> Iterator[_Answer]:
    if isinstance(value, dict):
        fields = {re.sub(r"[^a-z]", "", key.lower()): value[key] for key in value}
        ranking = next((fields[key] for key in _RANKING if key in fields), None)
        reason = next((fields[key] for key in _REASON if key in fields), "")
        match = _as_bool(fields.get("match"))
        if isinstance(ranking, str):
            ranking = _INTEGERS.findall(ranking)
        if isinstance(ranking, list) or (ranking is None and match is False):
            yield _Answer(ranking or [], _as_words(reason), match, fields.get("item"))
            return
    if isinstance(value, dict | list) and depth:
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _answers(inner, depth - 1)


def _from_text(body: str) -> _Answer | None:
    found = list(_LABELLED.finditer(body))
    if not found:
        return None
    listed = [f for f in found if _INTEGERS.search(f["list"] or f["bare"] or "")]
    last = (listed or found)[-1]
    indices: list[Any] = list(_INTEGERS.findall(last["list"] or last["bare"] or ""))
    note = "the JSON was malformed" if last["quote"] else ""
    if last["list"] is not None and not last["end"]:
        note = "the ranked list was cut off"
        if indices and body[last.end("list") - 1].isdigit():
            indices.pop()  # "1" may be the start of "12"
    rest = body[last.end() :]
    start = _REASONED.search(rest)
    reason = _AFTER_REASON.split(rest[start.end() :], maxsplit=1)[0] if start else ""
    reason = reason.replace("\\n", " ").replace('\\"', '"').strip(" \r\n\t\"'”*`}")
    matched = _MATCHED.findall(rest)
    about = _ABOUT.search(rest[: start.start()] if start else rest)
    match = _as_bool(matched[-1]) if matched else None
    return _Answer(indices, reason, match, about[1] if about else None, note)


def _bare_list(body: str, count: int) -> _Answer | None:
    # "[3]" in prose only mentions an item; a list of several numbers, or alone, is an answer.
    lists = [value for value in json_values(body) if isinstance(value, list)]
    for value in reversed(lists):
        known = [i for i in map(_as_index, value) if i is not None and 0 <= i <= count]
        if len(known) > 1 or (known and body.startswith("[") and body.endswith("]")):
            return _Answer(value, note="the reply was a bare list")
    return None


def _as_index(value: Any) -> int | None:
    for _ in range(4):  # levels of lists and objects around an index; hostile replies have more
        if isinstance(value, dict):
            value = next((value[key] for key in ("index", "item", "id") if key in value), None)
        elif isinstance(value, list) and len(value) == 1:
            value = value[0]
    if isinstance(value, str):
        found = _INDEX.fullmatch(value)
        return int(found[1]) if found else None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _as_bool(value: Any) -> bool | None:
    return _TRUTH.get(str(value).lower()) if isinstance(value, str | bool) else None


def _as_words(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""
