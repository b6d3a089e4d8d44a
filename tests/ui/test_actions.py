from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from ocelot.service import Service
from ocelot.ui.actions import Actions
from ocelot.ui.cards import Cards
from ocelot.ui.filters import CATEGORIES, NUMBERS
from ocelot.ui.pictures import QueryPictures
from ocelot.ui.state import Session, View
from tests.rerankers.chat_server import ChatServer, Reply, ranking


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
    actions = Actions(service, Cards("./"), QueryPictures(service, tmp_path))
    fields = [*[None] * (CATEGORIES + 2 * NUMBERS), "", "generative", 3]

    async def go() -> tuple[View, list[View]]:
        coming = actions.search(Session(), None, "a blue kettle", *fields)
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
