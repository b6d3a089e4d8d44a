"""Pictures described by a vision model, where there is no metadata: titles, and what changes.

The model is that of the reranker, with its endpoint, key and budget of the day. Several pictures
lie on the sheet of one call. Answers are kept by the content of their pictures, model and prompt.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import chain

from pydantic import TypeAdapter

from ocelot.adapting.answers import Answer, Task, checked
from ocelot.adapting.language import Language
from ocelot.build import build_chat
from ocelot.errors import ImageError, RerankError
from ocelot.images.decode import encode_jpeg
from ocelot.images.file import ImageFile
from ocelot.rerankers.llm.cache import AnswerCache, cache_key
from ocelot.rerankers.llm.failures import ChatError
from ocelot.rerankers.llm.prompt import build_messages
from ocelot.rerankers.panorama.compose import compose_sheet
from ocelot.rerankers.panorama.tiles import TILE
from ocelot.settings import Settings, cache_folder
from ocelot.words import count

__all__ = ["Describer"]

_AT_ONCE = 4  # calls
_SAID_EVERY = 10  # times as many
_KINDS = 40  # that the model is told, so that it names equal ones equally

Pictures = tuple[str, ...]  # paths: of one picture, or of a pair


class Describer:
    """Asks the vision model of the settings; an answer that was paid is never asked for again.

    Args:
        calls: The most questions to the model.

    Attributes:
        name: The model's.
        faults: How many answers were left out, by their fault.

    Raises:
        ConfigurationError: The settings name no model that can be asked.
    """

    def __init__(
        self, settings: Settings, calls: int, language: Language, say: Callable[[str], None]
    ) -> None:
        self.name, self.faults = settings.llm_model, Counter[str]()
        self._settings, self._calls, self._language, self._say = settings, calls, language, say
        self._model = build_chat(settings)
        self._cache = AnswerCache(cache_folder() / "descriptions", TypeAdapter(Answer))
        self._kinds = Counter[str]()

    def plan(self, pictures: int) -> tuple[int, int]:
        """How many pictures and pairs the calls are for; two thirds of the calls are for titles."""
        window = self._settings.llm_window
        titles = min(pictures, window * max(1, 2 * self._calls // 3))
        calls = math.ceil(titles / window)
        pairs = min(titles, (self._calls - calls) * (window // 2))
        calls += math.ceil(pairs / (window // 2))
        self._say(
            f"{self.name} describes {titles:,} of {count(pictures)} and up to "
            f"{count(pairs, 'change')} from one to another: at most {count(calls, 'call')}"
        )
        return titles, pairs

    def describe(self, task: Task, things: Sequence[Pictures]) -> list[Answer]:
        """An answer for each picture or pair, in their order; see `Answer`.

        If no answer to the first calls can be used, no more are made.

        Raises:
            RerankError: The endpoint failed, or a budget is spent; what was answered is kept.
        """
        keys = {thing: key for thing in things if (key := self._key(task, thing))}
        kept = {
            key: self._cache.get(key) or self._cache.get(self._again(key)) for key in keys.values()
        }
        found = {key: answer for key, answer in kept.items() if answer}
        self._count(found.values())
        missing = [*{key: thing for thing, key in keys.items() if key not in found}.items()]
        size = self._settings.llm_window // task.pictures
        calls = [dict(missing[start : start + size]) for start in range(0, len(missing), size)]
        with ThreadPoolExecutor(_AT_ONCE, "ocelot-describe") as threads:
            for start in range(0, len(calls), _AT_ONCE):
                first = min(len(things), size * _AT_ONCE)
                if len(found) >= first and all("fault" in answer for answer in found.values()):
                    break
                ask = partial(self._call, task, self._prompt(task))
                for answers in threads.map(ask, calls[start : start + _AT_ONCE]):
                    found |= answers
                    self._count(answers.values())
                if start % (_AT_ONCE * _SAID_EVERY) == 0:
                    self._say(f"described {len(found):,} of {len(things):,}")
        return [found.get(keys.get(thing, ""), {"fault": "not asked"}) for thing in things]

    def left_out(self) -> str:
        """How many answers were left out, and why."""
        return ", ".join(f"{number:,} {fault}" for fault, number in self.faults.most_common())

    def _count(self, answers: Iterable[Answer]) -> None:
        for answer in answers:
            self.faults.update(filter(None, [answer.get("fault")]))
            self._kinds.update(filter(None, [answer.get("kind", "").lower()]))

    def _prompt(self, task: Task) -> str:
        """The question, but for the count of pictures or pairs."""
        colour = self._language.attributes.get("colour")
        words = ", ".join(entry.split()[0] for entry in colour.words) if colour else ""
        kinds = ", ".join(kind for kind, _ in self._kinds.most_common(_KINDS))
        known = f"\n\nKinds so far, for where one fits: {kinds}." if kinds else ""
        return task.prompt.format(
            count="{count}", language=self._language.name, colours=words and f", one of: {words}"
        ) + (known if "kind" in task.fields else "")

    def _key(self, task: Task, thing: Pictures) -> str:
        """Where an answer is kept; "" if a picture cannot be read."""
        try:
            ids = [ImageFile.of(path).id for path in thing]
        except ImageError:
            return ""
        how = self._model.chat.endpoint, self.name, self._language.name
        return cache_key(task.prompt, how, ids)

    def _again(self, key: str) -> str:
        """Where a bad answer is kept: other settings may make it better."""
        settings = self._settings
        return cache_key(key, settings.llm_max_tokens, settings.llm_window, settings.llm_detail)

    def _call(self, task: Task, prompt: str, things: Mapping[str, Pictures]) -> dict[str, Answer]:
        """The answers of one call by their keys; they are kept at once."""
        shown = {}
        for key, thing in things.items():
            with suppress(ImageError):
                shown[key] = [ImageFile.of(path).rgb(TILE) for path in thing]
        if not shown:
            return {}
        letters = ("",) if task.pictures == 1 else ("a", "b")
        labels = [f"{number + 1}{one}" for number in range(len(shown)) for one in letters]
        sheet = encode_jpeg(compose_sheet([*chain(*shown.values())], labels))
        answers = self._ask(task, prompt.replace("{count}", str(len(shown))), len(shown), sheet)
        for key, answer in zip(shown, answers, strict=True):
            self._cache.put(self._again(key) if "fault" in answer else key, answer)
        return dict(zip(shown, answers, strict=True))

    def _ask(self, task: Task, prompt: str, number: int, sheet: bytes) -> list[Answer]:
        messages = build_messages(prompt, sheet, detail=self._settings.llm_detail)
        cause = self._model.refusal()
        if not cause:
            deadline = time.monotonic() + self._settings.llm_timeout
            try:
                reply = self._model.ask(lambda structured: messages, deadline, task.schema)
            except ChatError as error:
                if error.kind == "question":
                    return [{"fault": "not answered"}] * number
                cause = str(error)
            else:
                answers = checked(reply.text, number, task, self._language)
                redact = self._model.chat.redact  # JSON escapes may have hidden the key from it
                return [{name: redact(text) for name, text in one.items()} for one in answers]
        raise RerankError(f"{cause[:-1]}; what was described is kept: run the same again to go on.")
