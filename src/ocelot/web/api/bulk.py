"""Many items in one request over HTTP: a line of JSON for each, and a line for each answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ocelot.errors import Overloaded
from ocelot.service import Service
from ocelot.web.api.bodies import check_encoding, media_type
from ocelot.web.api.dependencies import CurrentService, load_images
from ocelot.web.api.openapi import problems
from ocelot.web.api.problems import Problem, problem_of
from ocelot.web.api.requests import ItemRequest
from ocelot.web.api.responses import BulkLine

__all__ = ["router"]

router = APIRouter(tags=["items"])

NDJSON = "application/x-ndjson"
_AT_ONCE = 8  # lines that are stored at the same time
_UNREAD = 10_000  # answers that wait for the client; after that nothing more is read
_PAUSE = 0.2  # seconds before a line is tried again that the service had no room for


class _Duplex(StreamingResponse):
    """Is sent while the body is read. Starlette's would read it to see the client leave."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.stream_response(send)


Latest = dict[str, Any]  # a line's item -> the task of the last line about it


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
    check_encoding(request)
    if (given := media_type(request.headers)) not in (NDJSON, "application/jsonl"):
        raise Problem(415, f"The Content-Type {given[:80]!r} cannot be read here; send {NDJSON}.")
    return _Duplex(_answers(request, service), media_type=NDJSON)


async def _answers(request: Request, service: Service) -> AsyncIterator[bytes]:
    answers: asyncio.Queue[asyncio.Task[BulkLine] | Problem | None] = asyncio.Queue(_UNREAD)
    room = asyncio.Semaphore(_AT_ONCE)
    latest: Latest = {}

    async def read() -> None:
        number = 0
        end: Problem | None = None
        try:
            async for line in _lines(request.stream(), service.limits.upload_bytes):
                number += 1
                if line is not None and not line.strip():
                    continue
                await room.acquire()
                task = asyncio.ensure_future(_added(number, line, service, latest))
                task.add_done_callback(lambda _: room.release())
                await answers.put(task)
        except Exception as error:  # the rest of the body did not arrive
            end = problem_of(error)
        await answers.put(end)

    reading = asyncio.ensure_future(read())
    task: Any = None
    try:
        while isinstance(task := await answers.get(), asyncio.Task):
            answer = await task
            service.metrics.lines.labels(str(answer.status)).inc()
            yield _line(answer)
        if isinstance(task, Problem):
            yield _line(_failed(None, task))
    finally:
        reading.cancel()
        while not answers.empty():
            if isinstance(left := answers.get_nowait(), asyncio.Task):
                left.cancel()
        if isinstance(task, asyncio.Task):
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


async def _added(number: int, line: bytes | None, service: Service, latest: Latest) -> BulkLine:
    """Store what a line says, after earlier lines of the same item.

    Args:
        latest: What was begun last for each item.
    """
    me, key = asyncio.current_task(), None
    try:
        if line is None:
            most = service.limits.upload_bytes / 2**20
            raise Problem(413, f"The line is longer than the limit of {most:g} MiB.")
        request = _parsed(line)
        key = request.id or str(hash(request.image.base64))
        before, latest[key] = latest.get(key), me
        if before is not None:
            await asyncio.wait({before})
        (image,) = await load_images(service, [request.image])
        until = asyncio.get_running_loop().time() + service.limits.seconds
        while True:
            try:
                item, created = await service.add(image, request.metadata, request.id)
                return BulkLine(line=number, status=201 if created else 200, id=item.id)
            except Overloaded:
                if service.closed or asyncio.get_running_loop().time() > until:
                    raise
                await asyncio.sleep(_PAUSE)
    except Exception as error:
        return _failed(number, problem_of(error))
    finally:
        if key is not None and latest.get(key) is me:
            del latest[key]


def _parsed(line: bytes) -> ItemRequest:
    try:
        return ItemRequest.model_validate_json(line)
    except ValidationError as error:
        found = error.errors(include_url=False)
        if found[0]["type"] == "json_invalid":
            cause = found[0]["ctx"]["error"]
            raise Problem(400, f"The line is not valid JSON ({cause}).") from None
        raise RequestValidationError(
            [{**one, "loc": ("body", *one["loc"])} for one in found]
        ) from None


def _failed(number: int | None, problem: Problem) -> BulkLine:
    return BulkLine.model_validate(
        {"line": number, "status": problem.status, "problem": problem.body()}
    )


def _line(answer: BulkLine) -> bytes:
    return answer.model_dump_json(exclude_none=True).encode() + b"\n"
