"""What a failed request means, and what mends it: one sentence, which never holds the API key."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import TimeoutError as LateError  # the built-in one from Python 3.11 on
from dataclasses import dataclass
from typing import Literal

import openai

from ocelot.errors import RerankError
from ocelot.rerankers.llm.prompt import one_line
from ocelot.types import Usage

__all__ = ["ChatError", "Failures", "LateError", "redactor"]

Kind = Literal["question", "temporary", "permanent"]

_STATUS = {  # HTTP status: cause and mend
    400: ("did not accept the request", "check the model and the reranker's settings"),
    401: ("refused the API key", "check the key"),
    403: ("does not allow this with the given API key", "check what the key may do"),
    404: ("was not found", "check the address, which often ends in /v1, and the model's name"),
    413: ("found the request too large", "use a smaller window"),
    422: ("did not accept the request", "check the model and the reranker's settings"),
    429: ("had too many requests or no quota left", "wait, or check the plan"),
}
_FILTER = r"content.?filter|content.?policy|responsibleai"
# Servers use the statuses 400, 404, 413 and 422 for all of these: what the error's code, type,
# parameter or message says, cause and mend. The first that fits counts.
_REFUSALS = (
    (_FILTER, "was stopped by a content filter", "take out what it objects to"),
    (
        r"(?:unknown|invalid|no such|not a valid)[ _]model|model_not_found|deploymentnotfound"
        r"|model.{0,60}not (?:exist|found)",
        "is not known there",
        "check the model's name",
    ),
    (
        r"context.{0,12}(?:length|size|window)|(?:prompt|request) is too long",
        "found the request too long",
        "use a smaller window, or a model with a longer context",
    ),
    (
        r"(?:invalid|unsupported)[ _]image|image_(?:parse|too)|process.{0,20}image",
        "could not read the picture",
        "use a smaller window, or another model",
    ),
    (
        r"image|vision|multi.?modal|mmproj",
        "did not accept a picture",
        "use a model that takes pictures",
    ),
)
_HIDDEN = "[hidden]"
_KEYS = r"(?<![A-Za-z0-9])sk-[\w*.-]{6,}"
_HEADERS = re.compile(  # servers repeat them in their errors
    r"""(?P<name>\bbearer\s+|\b(?:x-)?(?:api[-_]?key|authorization)["']?\s{0,9}[:=]\s{0,9}["']?"""
    r"""(?:bearer\s+|basic\s+)?)[^\s"',;]+""",
    re.I,
)
_SYSTEM_NUMBER = re.compile(r"\[Errno -?\d+\] ?")


def redactor(key: str) -> Callable[[str], str]:
    """A function that hides an API key in a text, and what looks like another key of OpenAI's."""
    # A short key ("EMPTY", "ollama") may be part of other words: hide only whole words.
    exact = re.escape(key) if len(key) >= 8 else rf"(?<!\w){re.escape(key)}(?!\w)"
    pattern = re.compile(f"{exact}|{_KEYS}" if key else _KEYS)

    def redact(text: str) -> str:  # a partial would show the key
        return pattern.sub(_HIDDEN, text)

    return redact


class ChatError(RerankError):
    """There is no usable answer; `usage` is what the attempt cost.

    Its kind says what failed: "question", only this one; "temporary", the endpoint, which may
    recover; "permanent", the endpoint, and the next question will fail as well.
    """

    def __init__(self, message: str, kind: Kind, usage: Usage | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.usage = usage or Usage()


@dataclass(frozen=True)
class Failures:
    """Explains the failures of one endpoint."""

    model: str
    who: str  # how sentences name the endpoint: the model and its host
    timeout: float  # seconds that an answer may take
    redact: Callable[[str], str]  # hides the API key

    def error(self, cause: str, kind: Kind, usage: Usage | None = None) -> ChatError:
        """The error whose sentence begins with the endpoint."""
        return ChatError(f"{self.who} {cause}.", kind, usage)

    def explain(self, error: Exception) -> ChatError:
        """The `ChatError` for an exception of the SDK."""
        if isinstance(error, openai.APIStatusError):
            return self._refused(error)
        if isinstance(error, (openai.APITimeoutError, LateError)):
            cause = f"did not answer within {self.timeout:g} s; raise the timeout or try again"
            return self.error(cause, "permanent")  # there is no time for another question
        if not isinstance(error, openai.APIConnectionError):
            cause = f"Asking {self.who} failed ({type(error).__name__}); try again."
            return ChatError(cause, "temporary")
        reason = error.__cause__
        if type(reason).__name__ in ("ConnectError", "ProxyError", "UnsupportedProtocol"):
            mend = "check the address and that the server runs"
            return self.error(f"cannot be reached{self.quote(reason)}; {mend}", "permanent")
        return ChatError(f"The connection to {self.who} broke; try again.", "temporary")

    def _refused(self, error: openai.APIStatusError) -> ChatError:
        status = error.status_code
        cause, mend = _STATUS.get(status, ("failed", "try again later"))
        kind: Kind = "permanent"
        if status in (400, 404, 413, 422):
            said = f"{error.code} {error.type} {error.param} {_message(error.body)}".lower()
            said = said.replace(self.model.lower(), "model")  # a name may hold any word
            for pattern, *explained in _REFUSALS:
                if re.search(pattern, said):
                    cause, mend = explained
                    kind = "question" if pattern == _FILTER else "permanent"
                    break
        elif (status >= 500 or status in (408, 409, 429)) and error.code != "insufficient_quota":
            kind = "temporary"
        return self.error(f"{cause} (HTTP {status}){self.quote(error.body)}; {mend}", kind)

    def quote(self, body: object) -> str:
        """What a server says about an error, as one line in brackets."""
        said = _HEADERS.sub(rf"\g<name>{_HIDDEN}", self.redact(_message(body)))
        line = one_line(said, 200).rstrip(".")
        return f" ({line})" if line else ""


def _message(body: object) -> str:
    """What a server says about an error, in one of many shapes."""
    if isinstance(body, list) and body:
        body = body[0]
    for name in ("error", "message", "detail"):
        if isinstance(body, dict) and body.get(name):
            body = body[name]
    return _SYSTEM_NUMBER.sub("", str(body or "")[:4000])
