"""Many items in one request over HTTP: a line of JSON for each, and a line for each answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TypeAlias
from weakref import WeakValueDictionary

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ocelot.errors import Overloaded
from ocelot.service import Service
from ocelot.types import Item
from ocelot.web.api.bodies import check_type
from ocelot.web.api.dependencies import CurrentService, load_images
from ocelot.web.api.items import ItemRequest
from ocelot.web.api.openapi import problems
from ocelot.web.api.problems import Problem, invalid, problem_of
from ocelot.web.api.responses import BulkLine

__all__ = ["router"]

router = APIRouter(tags=["items"])

NDJSON = "application/x-ndjson"
_AT_ONCE = 8  # lines that are stored at the same time
_UNREAD = 10_000  # answers that wait for the client; after that nothing more is read
_PAUSE = 0.2  # seconds before a line is tried again that the service had no room for

Locks: TypeAlias = "WeakValueDictionary[str, asyncio.Lock]"  # by item, while a line needs it


class _Duplex(StreamingResponse):
    """Is sent while the body is read. Starlette's would read it to see the client leave."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.stream_response(send)


@router.post(
    "/v1/bulk",
    operation_id="addItems",
    summary="Store many pictures",
    response_class=Response,
    responses={
        200: {
            "description": "A line of JSON for each line, in order: a [BulkLine](#bulkline).",
            "content": {NDJSON: {"schema": {"type": "string"}}},
        },
        **problems(403, 415, 429),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                NDJSON: {
                    "schema": {
                        "type": "string",
                        "format": "binary",
                        "examples": ['{"image": {"base64": "/9j/4AAQSkZJRgABAQAAAQABAAD…"}}\n'],
                    }
                }
            },
        }
    },
)
async def add_items(request: Request, service: CurrentService) -> Response:
    """Each line of the body is an [ItemRequest](#itemrequest) as JSON (NDJSON).

    A line is answered as soon as it is stored, while others are still sent; blank lines are left
    out. A line that cannot be used has a problem in its answer and stops nothing. The limit of a
    request's size is that of a line here. Read the answers while you send, or send at most 10,000
    lines in one request.
    """
    check_type(request, NDJSON, "application/jsonl")
    return _Duplex(_answers(request, service), media_type=NDJSON)


async def _answers(request: Request, service: Service) -> AsyncIterator[bytes]:
    answers: asyncio.Queue[asyncio.Task[BulkLine] | BulkLine | None] = asyncio.Queue(_UNREAD)
    running: set[asyncio.Task[BulkLine]] = set()
    room = asyncio.Semaphore(_AT_ONCE)
    locks: Locks = WeakValueDictionary()

    def finished(task: asyncio.Task[BulkLine]) -> None:
        running.discard(task)
        room.release()

    async def read() -> None:
        number = 0
        try:
            async for line in _lines(request.stream(), service.limits.upload_bytes):
                number += 1
                if line is None or line.strip():
                    await room.acquire()
                    task = asyncio.ensure_future(_answered(number, line, service, locks))
                    running.add(task)
                    task.add_done_callback(finished)
                    await answers.put(task)
        except Exception as error:  # the rest of the body did not arrive
            await answers.put(_failed(None, error))
        await answers.put(None)

    reading = asyncio.ensure_future(read())
    try:
        while (answer := await answers.get()) is not None:
            if isinstance(answer, asyncio.Task):
                answer = await answer
            yield answer.model_dump_json(exclude_none=True).encode() + b"\n"
    finally:
        for task in (reading, *running):
            task.cancel()


async def _lines(parts: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes | None]:
    """The lines of a body; None for one of more than `most` bytes, which is skipped."""
    held, is_skipped = bytearray(), False
    async for part in parts:
        *ends, rest = part.split(b"\n")
        for end in ends:
            fits = not is_skipped and len(held) + len(end) <= most
            yield bytes(held + end) if fits else None
            held, is_skipped = bytearray(), False
        held += rest
        if len(held) > most:
            held, is_skipped = bytearray(), True
    if held or is_skipped:
        yield None if is_skipped else bytes(held)


async def _answered(number: int, line: bytes | None, service: Service, locks: Locks) -> BulkLine:
    try:
        item, created = await _stored(line, service, locks)
        answer = BulkLine(line=number, status=201 if created else 200, id=item.id)
    except Exception as error:
        answer = _failed(number, error)
    service.metrics.lines.labels(str(answer.status)).inc()
    return answer


async def _stored(line: bytes | None, service: Service, locks: Locks) -> tuple[Item, bool]:
    """Store what a line says, after earlier lines of the same item."""
    if line is None:
        most = service.limits.upload_bytes / 2**20
        raise Problem(413, f"The line is longer than the limit of {most:g} MiB.")
    try:
        request = ItemRequest.model_validate_json(line)
    except ValidationError as error:
        raise invalid(error, "line") from None
    lock = locks.setdefault(request.id or str(hash(request.image.base64)), asyncio.Lock())
    async with lock:  # whoever asks first has it first
        (image,) = await load_images(service, [request.image.base64])
        until = asyncio.get_running_loop().time() + service.limits.seconds
        while True:
            try:
                return await service.add(image, request.metadata, request.id)
            except Overloaded:
                if service.closed or asyncio.get_running_loop().time() > until:
                    raise
                await asyncio.sleep(_PAUSE)


def _failed(number: int | None, error: Exception) -> BulkLine:
    problem = problem_of(error)
    return BulkLine.model_validate(
        {"line": number, "status": problem.status, "problem": problem.body()}
    )
