"""What a failed request means, and what mends it: one sentence, which never holds the API key."""

from __future__ import annotations

import re
from concurrent.futures import TimeoutError as LateError  # the built-in one from Python 3.11 on
from dataclasses import dataclass
from typing import Literal, NamedTuple

import openai

from ocelot.errors import RerankError
from ocelot.rerankers.llm.credentials import Redactor
from ocelot.rerankers.llm.prompt import one_line
from ocelot.types import Usage

__all__ = ["ChatError", "Failures", "LateError"]

Kind = Literal["question", "temporary", "permanent"]

_STATUS = {
    400: ("did not accept the request", "check the model and the reranker's settings"),
    401: ("refused the API key", "check the key"),
    403: ("does not allow this with the given API key", "check what the key may do"),
    404: ("was not found", "check the address, which often ends in /v1, and the model's name"),
    413: ("found the request too large", "use a smaller window"),
    422: ("did not accept the request", "check the model and the reranker's settings"),
    429: ("had too many requests or no quota left", "wait, or check the plan"),
}


class _Refusal(NamedTuple):
    """What a server says about a request, and what it means."""

    said: re.Pattern[str]  # in the error's code, type, parameter or message
    cause: str
    mend: str
    kind: Kind = "permanent"


# Servers use the statuses 400, 404, 413 and 422 for all of these. The first that fits counts.
_REFUSALS = (
    _Refusal(
        re.compile(r"content.?filter|content.?policy|responsibleai"),
        "was stopped by a content filter",
        "take out what it objects to",
        "question",
    ),
    _Refusal(
        re.compile(
            r"(?:unknown|invalid|no such|not a valid)[ _]model|model_not_found|deploymentnotfound"
            r"|model.{0,60}not (?:exist|found)"
        ),
        "is not known there",
        "check the model's name",
    ),
    _Refusal(
        re.compile(r"context.{0,12}(?:length|size|window)|(?:prompt|request) is too long"),
        "found the request too long",
        "use a smaller window, or a model with a longer context",
    ),
    _Refusal(
        re.compile(r"(?:invalid|unsupported)[ _]image|image_(?:parse|too)|process.{0,20}image"),
        "could not read the picture",
        "use a smaller window, or another model",
    ),
    _Refusal(
        re.compile(r"image|vision|multi.?modal|mmproj"),
        "did not accept a picture",
        "use a model that takes pictures",
    ),
)
_REFUSED = (400, 404, 413, 422)
_SYSTEM_NUMBER = re.compile(r"\[Errno -?\d+\] ?")


class ChatError(RerankError):
    """There is no usable answer.

    Attributes:
        kind: What failed: "question", only this one; "temporary", the endpoint, which may
            recover; "permanent", the endpoint, and the next question will fail as well.
        usage: What the attempt cost.
    """

    def __init__(self, message: str, kind: Kind, usage: Usage | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.usage = usage or Usage()


@dataclass(frozen=True)
class Failures:
    """Explains the failures of one endpoint.

    Attributes:
        model: The model's name.
        who: How sentences name the endpoint: the model and its host.
        timeout: Seconds that an answer may take.
        redact: Hides the API key.
    """

    model: str
    who: str
    timeout: float
    redact: Redactor

    def error(self, cause: str, kind: Kind, usage: Usage | None = None) -> ChatError:
        """The error whose sentence begins with the endpoint."""
        return ChatError(f"{self.who} {cause}.", kind, usage)

    def explain(self, error: Exception) -> ChatError:
        """The `ChatError` for an exception of the SDK."""
        if isinstance(error, openai.APIStatusError):
            cause, mend = _STATUS.get(error.status_code, ("failed", "try again later"))
            kind = _kind(error)
            refusal = self._refusal(error)
            if refusal is not None:
                _, cause, mend, kind = refusal
            said = f"(HTTP {error.status_code}){self.quote(error.body)}"
            return self.error(f"{cause} {said}; {mend}", kind)
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

    def _refusal(self, error: openai.APIStatusError) -> _Refusal | None:
        if error.status_code not in _REFUSED:
            return None
        said = f"{error.code} {error.type} {error.param} {_message(error.body)}".lower()
        said = said.replace(self.model.lower(), "model")  # a name may hold any word
        return next((refusal for refusal in _REFUSALS if refusal.said.search(said)), None)

    def quote(self, body: object) -> str:
        """What a server says about an error, as one line in brackets."""
        line = one_line(self.redact(_message(body), error=True), 200).rstrip(".")
        return f" ({line})" if line else ""


def _message(body: object) -> str:
    """What a server says about an error, in one of many shapes."""
    if isinstance(body, list) and body:
        body = body[0]
    for name in ("error", "message", "detail"):
        if isinstance(body, dict) and body.get(name):
            body = body[name]
    return _SYSTEM_NUMBER.sub("", str(body or "")[:4000])


def _kind(error: openai.APIStatusError) -> Kind:
    temporary = error.status_code >= 500 or error.status_code in (408, 409, 429)
    return "temporary" if temporary and error.code != "insufficient_quota" else "permanent"
