"""Rerank with a language model that looks at a panorama of the hits and gives its reason."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from ocelot.errors import ConfigurationError, ImageError
from ocelot.images.decode import encode_jpeg
from ocelot.images.store import ImageStore
from ocelot.rerankers.llm.cache import RankingCache, cache_key
from ocelot.rerankers.llm.client import Chat, ChatError, Messages, Structured
from ocelot.rerankers.llm.credentials import Secret
from ocelot.rerankers.llm.prompt import PROMPT_VERSION, Detail, build_messages, build_prompt
from ocelot.rerankers.llm.reply import ParsedReply, parse_reply
from ocelot.rerankers.llm.windows import sweep, window_starts
from ocelot.rerankers.panorama.compose import MAX_CANDIDATES, compose_panorama
from ocelot.rerankers.panorama.contact_sheet import query_picture
from ocelot.rerankers.panorama.tiles import load_tiles
from ocelot.types import Hit, Query, Ranking, Usage

__all__ = ["LLMReranker"]


class LLMReranker:
    """Asks a chat model that takes pictures: OpenAI, Azure OpenAI, or any compatible server.

    A timeout, a refusal or nonsense never fails a search: the hits come back in retrieval order
    with status "fallback" and the cause. The title, price and other metadata of the hits are
    sent to the model with the pictures; file paths are not.

    Args:
        model: The model's name; for Azure the deployment's.
        api_key: A string or a pydantic SecretStr; not needed with a `base_url`.
        base_url: Of a compatible server, e.g. "http://localhost:11434/v1".
        azure_endpoint, azure_api_version: Of an Azure OpenAI resource.
        timeout: Seconds that a request may go without an answer.
        retries: How often a request is tried again after a timeout, a broken connection, HTTP
            408, 409, 429 or 5xx. Waits as long as Retry-After says, up to two minutes.
        max_tokens: Longest reply; models that think need more.
        temperature: None leaves it to the server.
        detail: How closely OpenAI looks at the panorama: "low" costs less and reads less.
        window: Most candidates in one panorama, 2 to 25.
        step: How far the windows over longer lists move; about half a window by default.
        structured: Whether replies are bound to a JSON schema: "auto" where the endpoint can.
        cache: A folder for answers, to ask the same thing only once.
        images: Where the hits' pictures are read from.

    Raises:
        ConfigurationError: An argument cannot be used.
    """

    def __init__(
        self,
        model: str = "gpt-4o",
        *,
        api_key: str | Secret | None = None,
        base_url: str | None = None,
        azure_endpoint: str | None = None,
        azure_api_version: str = "2024-10-21",
        timeout: float = 60.0,
        retries: int = 2,
        max_tokens: int = 1024,
        temperature: float | None = 0.0,
        detail: Detail = "high",
        window: int = 9,
        step: int | None = None,
        structured: Structured = "auto",
        cache: str | Path | None = None,
        images: ImageStore | None = None,
    ) -> None:
        if not 2 <= window <= MAX_CANDIDATES:
            raise ConfigurationError(
                f"The reranker's window must be 2 to {MAX_CANDIDATES} candidates, was: {window}."
            )
        step = (window + 1) // 2 if step is None else step
        if not 1 <= step < window:
            raise ConfigurationError(
                f"The reranker's step must be at least 1 and less than its window of {window} "
                f"candidates, so that windows overlap, was: {step}."
            )
        self._chat = Chat(
            model,
            api_key=api_key,
            base_url=base_url,
            azure_endpoint=azure_endpoint,
            azure_api_version=azure_api_version,
            timeout=timeout,
            retries=retries,
            max_tokens=max_tokens,
            temperature=temperature,
            structured=structured,
        )
        self._detail: Detail = detail
        self._window = window
        self._step = step
        self._cache = None if cache is None else RankingCache(cache)
        self._images = images or ImageStore()
        self._options = {
            "model": model,
            "endpoint": self._chat.endpoint,
            "prompt": PROMPT_VERSION,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "detail": detail,
            "window": window,
            "step": step,
            "structured": structured,
        }

    def __repr__(self) -> str:
        return f"LLMReranker(model={self.name!r}, endpoint={self._chat.endpoint!r})"

    @property
    def name(self) -> str:
        """The model's name."""
        return self._chat.model

    def rerank(self, query: Query, hits: Sequence[Hit]) -> Ranking:
        """Ask the model to rank `hits`; see :class:`ocelot.rerankers.base.Reranker`.

        In the ranking's usage, calls are the requests that got an answer.
        """
        if not hits:
            return Ranking((), "There was nothing to rank.", self.name)
        try:
            image = query_picture(query)
        except ImageError as error:
            return _fallback(self.name, hits, str(error), Usage())
        key = ""
        if self._cache is not None:
            key = self._key(query, image, hits)
            cached = self._cache.get(key, len(hits))
            if cached is not None:
                return cached
        run = _Run(self._chat, self._detail, query, image, hits, self._images)
        order, replies = sweep(len(hits), self._window, self._step, run.judge)
        total = len(window_starts(len(hits), self._window, self._step))
        ranking = self._conclude(hits, order, replies, total, run)
        # An answer that may come out better next time is not kept.
        lasting = ranking.status != "fallback" and not run.causes and not run.unseen
        if self._cache is not None and lasting:
            self._cache.put(key, ranking)
        return ranking

    def _conclude(
        self,
        hits: Sequence[Hit],
        order: tuple[int, ...],
        replies: list[ParsedReply],
        total: int,
        run: _Run,
    ) -> Ranking:
        failed = total - sum(reply.status != "fallback" for reply in replies)
        if failed == total:
            return _fallback(self.name, hits, run.causes[0], run.usage)
        notes = [
            reply.detail if total == 1 else f"window {number} of {total}: {reply.detail}"
            for number, reply in enumerate(replies, 1)
            if reply.status == "repaired"
        ]
        if failed:
            notes.append(
                f"{failed} of {total} windows kept retrieval order, because: {run.causes[0]}"
            )
        head = replies[-1]
        judged = len(replies) == total and head.status != "fallback"
        return Ranking(
            order,
            head.reason if judged else _unjudged(self.name, hits[order[0]]),
            self.name,
            status="repaired" if notes else "ok",
            detail="; ".join(notes),
            match=head.match if judged else None,
            usage=run.usage,
        )

    def _key(self, query: Query, image: Image.Image | None, hits: Sequence[Hit]) -> str:
        pixels: list[Any] | None = None
        if image is not None:
            pixels = [image.size, hashlib.sha256(image.tobytes()).hexdigest()]
            # One picture that looks like the sheet of several is asked about in other words.
            pixels += [len(query.images)] if len(query.images) > 1 else []
        # Pictures need no hash of their own: a hit's id is that of its content.
        return cache_key(
            **self._options,
            image=pixels,
            text=query.text,
            hits=[[hit.id, dict(hit.metadata)] for hit in hits],
        )


class _Run:
    # One call of `rerank`: what it cost, what went wrong, and the pictures it has loaded.

    def __init__(
        self,
        chat: Chat,
        detail: Detail,
        query: Query,
        image: Image.Image | None,
        hits: Sequence[Hit],
        images: ImageStore,
    ) -> None:
        self._chat = chat
        self._detail = detail
        self._query = query
        self._image = image
        self._hits = hits
        self._images = images
        self._pictures: dict[int, Image.Image | None] = {}
        self._passing = 0
        self.usage = Usage()
        self.causes: list[str] = []

    @property
    def unseen(self) -> bool:
        """Whether a picture could not be shown."""
        return None in self._pictures.values()

    def judge(self, positions: tuple[int, ...]) -> ParsedReply | None:
        hits = [self._hits[position] for position in positions]
        pictures = self._load(positions)
        jpeg = encode_jpeg(compose_panorama(self._image, pictures, text=self._query.text))

        def messages(structured: bool) -> Messages:
            prompt = build_prompt(self._query, hits, structured=structured)
            return build_messages(prompt, jpeg, detail=self._detail)

        try:
            reply = self._chat.ask(messages)
        except ChatError as error:
            self.causes.append(str(error))
            self.usage += error.usage
            # An endpoint that has failed twice in spite of retries would only cost more time.
            self._passing += error.kind == "passing"
            if error.kind == "lasting" or self._passing > 1:
                return None
            return ParsedReply(tuple(range(len(hits))), status="fallback", detail=str(error))
        self.usage += reply.usage
        parsed = parse_reply(reply.text, len(hits))
        if parsed.status == "fallback":
            cut = f", cut at max_tokens={self._chat.max_tokens}" if reply.cut else ""
            self.causes.append(
                f"{self._chat.model} gave no usable ranking: {parsed.detail}{cut}; "
                + ("raise max_tokens." if reply.cut else "try again or use another model.")
            )
        elif reply.cut:
            cut = f"the reply was cut at max_tokens={self._chat.max_tokens}"
            detail = f"{cut}; {parsed.detail}" if parsed.detail else cut
            parsed = replace(parsed, status="repaired", detail=detail)
        # Escapes in JSON may have spelt out what was hidden before parsing.
        return replace(parsed, reason=self._chat.hide(parsed.reason))

    def _load(self, positions: tuple[int, ...]) -> list[Image.Image | None]:
        new = [position for position in positions if position not in self._pictures]
        tiles = load_tiles([self._hits[position] for position in new], self._images)
        self._pictures.update(zip(new, tiles, strict=True))
        return [self._pictures[position] for position in positions]


def _unjudged(name: str, first: Hit) -> str:
    return f"Kept from the search (similarity {first.score:.2f}): {name} did not judge it."


def _fallback(name: str, hits: Sequence[Hit], cause: str, usage: Usage) -> Ranking:
    order = tuple(range(len(hits)))
    return Ranking(
        order, _unjudged(name, hits[0]), name, status="fallback", detail=cause, usage=usage
    )
