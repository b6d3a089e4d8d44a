"""A chat-completions server on loopback that a test scripts with a plain function.

    with ChatServer(lambda request: completion('{"ranking": [2, 1], …}')) as server:
        LLMReranker(base_url=server.url, …)

It looks at what it is sent as a model would: the picture is decoded from its data URL, and what
is wrong with a request is noted in `complaints`.
"""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image


@dataclass
class Request:
    """What a client sent; `headers` have lower-case names."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    prompt: str
    picture: Image.Image


@dataclass
class Reply:
    """What to send back: a JSON value or raw bytes, after `wait` if given, cut off if `drop`.

    With `drip` spaces come one by one, until it is set, before the body.
    """

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    wait: threading.Event | None = None
    drop: bool = False
    drip: threading.Event | None = None


Script = Callable[[Request], Reply]


def completion(
    content: Any,
    *,
    finish: str = "stop",
    usage: tuple[int, int] | None = (100, 20),
    refusal: str | None = None,
) -> Reply:
    """A chat completion as the service sends it."""
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "served",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {"role": "assistant", "content": content, "refusal": refusal},
            }
        ],
    }
    if usage:
        body["usage"] = {
            "prompt_tokens": usage[0],
            "completion_tokens": usage[1],
            "total_tokens": sum(usage),
        }
    return Reply(body)


def error(
    status: int, message: str, *, headers: dict[str, str] | None = None, **more: Any
) -> Reply:
    """An error as the service sends it."""
    body = {"error": {"message": message, "type": "invalid_request_error", **more}}
    return Reply(body, status, headers or {})


def ranking(order: Sequence[int], reason: str = "It fits.", match: bool = True) -> Reply:
    """The JSON answer that is asked for: positions, which it numbers from 1."""
    numbers = [position + 1 for position in order]
    return completion(json.dumps({"ranking": numbers, "reason": reason, "match": match}))


class ChatServer:
    """Serves POST /v1/chat/completions and Azure's path until the end of a `with` block.

    Attributes:
        script: Makes the reply to each request; may be set anew at any time.
        requests: All that came, in order.
        complaints: What was wrong with them; empty in a good test.
        closed: Set when a client has closed a connection.
    """

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or (lambda request: ranking([0]))
        self.requests: list[Request] = []
        self.complaints: list[str] = []
        self.closed = threading.Event()
        chat = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                chat._serve(self)

            def handle(self) -> None:
                with suppress(ConnectionError):  # the client went away, as a test wanted
                    super().handle()

            def finish(self) -> None:
                super().finish()
                chat.closed.set()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.block_on_close = False

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    def replies(self, *replies: Reply) -> None:
        """Give these replies in turn; the last one stays."""
        start = len(self.requests)
        self.script = lambda _: replies[min(len(self.requests) - start, len(replies)) - 1]

    def __enter__(self) -> ChatServer:
        thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _serve(self, http: BaseHTTPRequestHandler) -> None:
        data = http.rfile.read(int(http.headers.get("Content-Length", 0)))
        try:
            request = _read(http.path, dict(http.headers.items()), data)
        except Exception as problem:
            self.complaints.append(f"{type(problem).__name__}: {problem}")
            reply = error(400, "unreadable request")
        else:
            self.requests.append(request)
            self.complaints += _complaints(request)
            reply = self.script(request)
        if reply.wait is not None:
            reply.wait.wait(10)
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        try:
            http.send_response(reply.status)
            headers = {"Content-Type": "application/json", **reply.headers}
            for name, value in headers.items():
                http.send_header(name, value)
            http.send_header(
                "Content-Length", str(len(body) + 1000 * (reply.drop or bool(reply.drip)))
            )
            http.end_headers()
            while reply.drip is not None and not reply.drip.wait(0.02):
                http.wfile.write(b" ")
            http.wfile.write(body)
            http.close_connection = http.close_connection or reply.drop
        except OSError:
            pass  # the client went away, as a test wanted


def _read(path: str, headers: dict[str, str], data: bytes) -> Request:
    body = json.loads(data)
    words, image = body["messages"][-1]["content"]
    head, _, encoded = image["image_url"]["url"].partition(",")
    if head != "data:image/jpeg;base64":
        raise ValueError(f"the picture's URL begins with {head[:40]!r}")
    picture = Image.open(io.BytesIO(base64.b64decode(encoded, validate=True)))
    if picture.format != "JPEG":
        raise ValueError(f"the picture is a {picture.format}")
    picture.load()
    lower = {name.lower(): value for name, value in headers.items()}
    return Request(path, lower, body, words["text"], picture.convert("RGB"))


def _complaints(request: Request) -> list[str]:
    pixels = np.asarray(request.picture)
    height, width = pixels.shape[:2]
    checks = {
        "the path is not that of chat completions": request.path.split("?")[0].endswith(
            "/chat/completions"
        ),
        "the picture's sides are not between 200 and 2048": min(height, width) >= 200
        and max(height, width) <= 2048,
        "no blue border at the left": is_blue(pixels[60:260, 8:18]).any(axis=1).all(),
        "no red number at the right": is_red(pixels[:, width // 3 :]).sum() > 50,
    }
    return [complaint for complaint, fine in checks.items() if not fine]


def is_blue(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return (pixels[..., 2] > 170) & (pixels[..., 0] < 90) & (pixels[..., 1] < 130)


def is_red(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return (pixels[..., 0] > 150) & (pixels[..., 1] < 80) & (pixels[..., 2] < 90)
