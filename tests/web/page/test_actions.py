from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from ocelot.service import Answer, Service
from ocelot.web.page.actions import Actions
from ocelot.web.page.form import CATEGORIES, NUMBERS
from ocelot.web.page.query_images import QueryPictures
from ocelot.web.page.state import Session, View
from tests.rerankers.chat_server import ChatServer, Reply, ranking

FIELDS = [*[None] * (CATEGORIES + 2 * NUMBERS), "", "llm", 3]


def test_the_model_is_asked_while_the_hits_are_shown(
    service: Service, chat: ChatServer, tmp_path: Path
) -> None:
    asked, may_answer = threading.Event(), threading.Event()

    def answer_late(_: object) -> Reply:
        asked.set()
        reply = ranking([1, 0, 2], "The second is it.")
        reply.wait = may_answer
        return reply

    chat.script = answer_late
    actions = Actions(service, QueryPictures(service, tmp_path))

    async def go() -> tuple[View, list[View]]:
        coming = actions.search(Session(), None, "a blue kettle", *FIELDS)
        async for view in coming:
            if isinstance(view.results, str):
                break
        # The page is still busy with the hits, and the model is asked all the same.
        assert await asyncio.to_thread(asked.wait, 30)
        may_answer.set()
        return view, [later async for later in coming]

    hits, later = asyncio.run(go())
    assert "The second is it." not in hits.results
    assert len(later) == 1 and "The second is it." in later[0].results


def test_a_page_that_is_left_ends_the_verdict(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    actions = Actions(service, QueryPictures(service, tmp_path))

    async def go() -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def judge(*_: object) -> Answer:
            begun.set()
            try:
                return await asyncio.Future()
            finally:
                ended.set()

        monkeypatch.setattr(service, "rerank", judge)
        coming = actions.search(Session(), None, "a blue kettle", *FIELDS)
        async for view in coming:
            if isinstance(view.results, str):
                break
        await asyncio.wait_for(begun.wait(), 30)
        await coming.aclose()
        await asyncio.wait_for(ended.wait(), 30)

    asyncio.run(go())
