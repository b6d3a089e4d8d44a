"""Rerank with a language model that sees a panorama of the hits and gives a reason."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image
from pydantic import SecretStr

from ocelot.errors import ConfigurationError, ImageError
from ocelot.images.decode import encode_jpeg
from ocelot.images.store import ImageStore
from ocelot.rerankers.base import Reranker, kept_reason, not_judged
from ocelot.rerankers.llm.cache import RankingCache, cache_key
from ocelot.rerankers.llm.client import Messages
from ocelot.rerankers.llm.failures import ChatError
from ocelot.rerankers.llm.limits import Limit, LimitedChat
from ocelot.rerankers.llm.prompt import PROMPT_VERSION, Detail, build_messages, build_prompt
from ocelot.rerankers.llm.reply import parse_reply
from ocelot.rerankers.llm.windows import arrangements, merge, sweep, window_starts
from ocelot.rerankers.panorama.compose import MAX_CANDIDATES, compose_panorama
from ocelot.rerankers.panorama.tiles import load_tiles, query_picture
from ocelot.types import Hit, Query, Ranking, Usage

__all__ = ["LLMReranker"]

MAX_VOTES = 9


class LLMReranker:
    """Asks a chat model that takes pictures: OpenAI, Azure OpenAI, or any compatible server.

    A timeout, a refusal or an unusable reply never fails a search: the hits keep retrieval
    order, with the status "fallback" and the cause. The title, price and other metadata of the
    hits are sent to the model with the pictures; file paths are not.

    Args:
        model: The model's name; with Azure the deployment's.
        api_key: A string or a pydantic SecretStr; not needed with a `base_url`.
        base_url: Address of a compatible server, e.g. "http://localhost:11434/v1".
        azure_endpoint, azure_api_version: An Azure OpenAI resource; not with a `base_url`.
        timeout: Seconds for the whole answer, with all retries and windows.
        retries: How often a request is repeated after a broken connection, HTTP 408, 409, 429 or
            5xx, as long as there is time for it. Waits as long as Retry-After says.
        max_tokens: Longest reply; reasoning models need more.
        detail: OpenAI's resolution of the panorama; "low" costs less and recognises less.
        window: Most candidates in one panorama, 2 to 25.
        votes: How often each panorama is asked, 1 to 9, each time with the candidates in other
            places; the rankings are merged.
        prices: US dollars for a million tokens in the prompt, and in the reply; without them an
            answer does not say what it cost.
        cache: A folder for answers, so that the same question is asked only once.
        images: Where the hits' pictures are read from.
        limits: Asked before each question to the model whether it may be asked, such as a `Budget`.
        substitute: Ranks the hits when the model must not be asked; the status is then "replaced".
            Without one, the hits keep retrieval order.

    Raises:
        ConfigurationError: An argument cannot be used.
    """

    def __init__(
        self,
        model: str = "gpt-4o",
        *,
        api_key: str | SecretStr | None = None,
        base_url: str | None = None,
        azure_endpoint: str | None = None,
        azure_api_version: str = "2024-10-21",
        timeout: float = 60.0,
        retries: int = 2,
        max_tokens: int = 1024,
        detail: Detail = "high",
        window: int = 9,
        votes: int = 1,
        prices: tuple[float, float] | None = None,
        cache: str | Path | None = None,
        images: ImageStore | None = None,
        limits: Sequence[Limit] = (),
        substitute: Reranker | None = None,
    ) -> None:
        if not 2 <= window <= MAX_CANDIDATES:
            raise ConfigurationError(
                f"The reranker's window must be 2 to {MAX_CANDIDATES} candidates, was: {window}."
            )
        if not 1 <= votes <= MAX_VOTES:
            raise ConfigurationError(
                f"The reranker's votes must be 1 to {MAX_VOTES}, was: {votes}."
            )
        self.name = model
        self._model = LimitedChat(
            model,
            api_key=api_key,
            base_url=base_url,
            azure_endpoint=azure_endpoint,
            azure_api_version=azure_api_version,
            timeout=timeout,
            retries=retries,
            max_tokens=max_tokens,
            prices=prices,
            limits=limits,
        )
        self._chat = self._model.chat
        self._detail: Detail = detail
        self._window, self._votes, self._prices = window, votes, prices
        self._cache = None if cache is None else RankingCache(cache)
        self._images = images or ImageStore()
        self._substitute = substitute

    def rerank(self, query: Query, hits: Sequence[Hit]) -> Ranking:
        """Ask the model to rank `hits`; see `ocelot.rerankers.base.Reranker`."""
        if not hits:
            return Ranking((), "There was nothing to rank.", self.name)
        key = self._key(query, hits)
        if self._cache and (cached := self._cache.get(key, len(hits))):
            return cached
        try:
            image = query_picture(query)
        except ImageError as error:
            return not_judged(hits, self.name, str(error))
        run = _Run(self, query, image, hits, time.monotonic() + self._chat.timeout)
        order, replies = sweep(len(hits), self._window, run.judge)
        ranking = replace(
            self._concluded(run, order, replies), usage=run.usage.priced(self._prices)
        )
        # An answer that may be better next time is not kept.
        if self._cache and not run.causes and None not in run.tiles:
            self._cache.put(key, ranking)
        return ranking

    def _key(self, query: Query, hits: Sequence[Hit]) -> str:
        how = (self._chat.endpoint, self._chat.max_tokens, self._detail, self._window, self._votes)
        candidates = [(hit.sha256, dict(hit.metadata)) for hit in hits]
        wanted = (query.reference_ids(), query.text, query.extras())
        return cache_key(PROMPT_VERSION, (self.name, *how), *wanted, candidates)

    def _concluded(self, run: _Run, order: tuple[int, ...], replies: list[Ranking]) -> Ranking:
        """One ranking from the replies about each window, from the tail to the head."""
        total = len(window_starts(len(order), self._window))
        failed = total - sum(reply.status != "fallback" for reply in replies)
        if failed == total:
            if run.is_refused and self._substitute is not None:
                made = self._substitute.rerank(run.query, run.hits)
                status = "replaced" if made.status == "ok" else made.status
                detail = " ".join(filter(None, [run.causes[-1], made.detail]))
                return replace(made, status=status, detail=detail)
            return not_judged(run.hits, self.name, run.causes[0])
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
        if len(replies) < total or head.status == "fallback":
            head = replace(head, reason=kept_reason(run.hits[order[0]], self.name), match=None)
        detail = "; ".join(notes)
        return replace(head, order=order, status="repaired" if notes else "ok", detail=detail)


@dataclass
class _Run:
    """One call of `rerank`: what was asked, what it cost, and why requests failed."""

    by: LLMReranker
    query: Query
    image: Image.Image | None
    hits: Sequence[Hit]
    deadline: float  # as `time.monotonic` counts
    tiles: Sequence[Image.Image | None] = ()
    usage: Usage = field(default_factory=Usage)
    causes: list[str] = field(default_factory=list)
    temporary: int = 0  # number of temporary failures
    is_refused: bool = False  # whether a limit has forbidden a question

    def judge(self, positions: tuple[int, ...]) -> Ranking | None:
        """The model's verdict on the hits at these positions; None to send no more requests."""
        replies: list[Ranking] = []
        for shown in arrangements(len(positions), self.by._votes):
            reply = self._ask([positions[place] for place in shown])
            if reply is None:
                break
            replies.append(replace(reply, order=tuple(shown[place] for place in reply.order)))
        usable = [reply for reply in replies if reply.status != "fallback"]
        if usable:
            return merge(usable)
        return replies[-1] if replies else None

    def _ask(self, positions: Sequence[int]) -> Ranking | None:
        """One reply about the hits at these positions, in this order; None as in `judge`."""
        chat = self.by._chat
        if refusal := self.by._model.refusal():
            self.causes.append(refusal)
            self.is_refused = True
            return None
        self.tiles = self.tiles or load_tiles(self.hits, self.by._images)
        hits = [self.hits[position] for position in positions]
        tiles = [self.tiles[position] for position in positions]
        jpeg = encode_jpeg(compose_panorama(self.image, tiles, self.query.text))

        def messages(structured: bool) -> Messages:
            prompt = build_prompt(self.query, hits, structured=structured)
            return build_messages(prompt, jpeg, detail=self.by._detail)

        try:
            reply = self.by._model.ask(messages, self.deadline)
        except ChatError as error:
            self.causes.append(str(error))
            self.usage += error.usage
            # After two failures in spite of retries, another request would only cost time.
            self.temporary += error.kind == "temporary"
            if error.kind == "permanent" or self.temporary > 1:
                return None
            return Ranking(tuple(range(len(hits))), "", chat.model, status="fallback")
        self.usage += reply.usage
        parsed = parse_reply(reply.text, len(hits), chat.model)
        cut = f"cut at max_tokens={chat.max_tokens}"
        if parsed.status == "fallback":
            mend = f", {cut}; raise max_tokens" if reply.cut else "; try again or use another model"
            self.causes.append(f"{chat.model} gave no usable ranking: {parsed.detail}{mend}.")
        elif reply.cut:
            detail = "; ".join(filter(None, [f"the reply was {cut}", parsed.detail]))
            parsed = replace(parsed, status="repaired", detail=detail)
        # JSON escapes may have hidden the key from the redaction before parsing.
        return replace(parsed, reason=chat.redact(parsed.reason))
