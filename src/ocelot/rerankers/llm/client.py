"""One question to a chat model, with the `openai` package; its connections end with the answer.

Endpoints differ: some refuse `response_format`, some accept only `max_tokens`, others only
`max_completion_tokens`, some accept no temperature. If a request is refused with a message that
names one of these, it is repeated without it, and the options that worked are remembered.

Every failure becomes a :class:`ChatError` with one sentence, which never holds the API key.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as LateError  # the built-in one from Python 3.11 on
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import openai
from pydantic import SecretStr

from ocelot.cancel import stop_if_cancelled
from ocelot.errors import ConfigurationError, RerankError
from ocelot.rerankers.llm.credentials import Redactor, check_address, check_key
from ocelot.rerankers.llm.prompt import SCHEMA, one_line
from ocelot.types import Usage

__all__ = ["Chat", "ChatError", "ChatReply"]

Kind = Literal["question", "temporary", "permanent"]
Messages = list[dict[str, Any]]

_OPENAI = "https://api.openai.com/v1"
_FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "ranking", "strict": True, "schema": dict(SCHEMA)},
}
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
_ABOUT_FORMAT = re.compile(r"response.?format|json.?schema|json.?object|structured|grammar|guided")


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
class ChatReply:
    """The text of an answer, whether it was cut at the token limit, and its cost."""

    text: str
    cut: bool
    usage: Usage


class Chat:
    """A chat model at OpenAI, at Azure OpenAI, or at a compatible base URL.

    Arguments and errors: see `LLMReranker`.
    """

    def __init__(
        self,
        model: str,
        *,
        api_key: str | SecretStr | None,
        base_url: str | None,
        azure_endpoint: str | None,
        azure_api_version: str,
        timeout: float,
        retries: int,
        max_tokens: int,
    ) -> None:
        if azure_endpoint and base_url:
            raise ConfigurationError(
                "Both an Azure endpoint and a base URL are set for the reranker; keep one of them."
            )
        self.endpoint = check_address(azure_endpoint or base_url or _OPENAI)
        key = check_key(api_key, model, needed=not base_url)
        self.model = model
        self.max_tokens = max_tokens
        self.redact = Redactor(key)
        address = urlsplit(self.endpoint)
        self._who = f"{model} at {address.scheme}://{address.netloc}"
        self.timeout = timeout
        self._retries = retries
        newer = azure_endpoint or ".openai." in address.netloc
        tokens = "max_completion_tokens" if newer else "max_tokens"
        self._options: dict[str, Any] = {"response_format": _FORMAT, tokens: max_tokens}
        self._options["temperature"] = 0.0
        # All options are given, so that the SDK reads none of its own environment variables.
        sdk: dict[str, Any] = {"api_key": key or "none", "max_retries": 0}
        if azure_endpoint:
            sdk |= {"azure_endpoint": self.endpoint, "api_version": azure_api_version}
        else:
            sdk["base_url"] = self.endpoint
        kind = openai.AzureOpenAI if azure_endpoint else openai.OpenAI
        # A function, as a partial would show the key.
        self._connect: Callable[[], openai.OpenAI] = lambda: kind(**sdk)

    def __repr__(self) -> str:
        return f"Chat(model={self.model!r}, endpoint={self.endpoint!r})"

    def ask(self, build: Callable[[bool], Messages], deadline: float) -> ChatReply:
        """Send one question and return the answer.

        Args:
            build: Makes the messages; its argument says whether the endpoint enforces the
                JSON schema.
            deadline: When to give up, as `time.monotonic` counts.

        Raises:
            ChatError: There is no usable answer, for whatever reason.
        """
        try:
            with self._connect() as client:
                body = self._negotiate(client, build, deadline)
        except Exception as error:  # the SDK passes on errors of many packages
            raise self._explain(error) from None
        return self._read(body)

    def _negotiate(
        self, client: openai.OpenAI, build: Callable[[bool], Messages], deadline: float
    ) -> str:
        """The body of the answer to a request with options that the endpoint accepts."""
        tried = [self._options]
        while True:
            options = tried[-1]
            messages = build("response_format" in options)
            request = {"model": self.model, "messages": messages, **options}
            try:
                body = self._send(client, request, deadline)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                other = _other_options(options, str(error.body).lower())
                if other in tried:
                    raise
                tried.append(other)
            else:
                self._options = options
                return body

    def _send(self, client: openai.OpenAI, request: dict[str, Any], deadline: float) -> str:
        """The body of the answer; what may work next time is repeated while there is time."""
        # The raw reply: the SDK's models accept anything and then fail on use.
        create: Any = client.chat.completions.with_raw_response.create
        attempt = 0
        while True:
            stop_if_cancelled()  # nobody may wait for the answer any more
            left = deadline - time.monotonic()
            try:
                return str(_within(left, partial(create, **request, timeout=left)).text)
            except openai.OpenAIError as error:
                pause = _pause(error, attempt)
                late = time.monotonic() + pause >= deadline
                if late or attempt == self._retries or self._explain(error).kind != "temporary":
                    raise
            time.sleep(pause)
            attempt += 1

    def _read(self, body: str) -> ChatReply:
        if not body.strip():
            raise self._error("answered with an empty body; try again", "temporary", Usage(1))
        reply = None
        with suppress(ValueError, RecursionError):
            reply = json.loads(body)
        if not isinstance(reply, dict):
            cause = (
                "answered with something that is not a chat completion; check that the address is "
                "that of an OpenAI-compatible API (it often ends in /v1)"
            )
            raise self._error(cause, "permanent", Usage(1))
        tokens = (_get(reply, "usage", name) for name in ("prompt_tokens", "completion_tokens"))
        usage = Usage(1, *(n if isinstance(n, int) and n > 0 else 0 for n in tokens))
        choice = _get(reply, "choices", 0)
        if not isinstance(choice, dict):
            cause = f"answered without a choice{self._quote(reply.get('error'))}; try again"
            raise self._error(cause, "temporary", usage)
        finish, refusal = choice.get("finish_reason"), _get(choice, "message", "refusal")
        text = self.redact(_text(_get(choice, "message", "content")))
        if finish == "content_filter":
            cause = "was stopped by a content filter; take out the picture that it objects to"
        elif isinstance(refusal, str) and refusal.strip():
            cause = f"refused to answer{self._quote(refusal)}; ask with other words"
        elif text.strip():
            return ChatReply(text, finish == "length", usage)
        elif finish == "length":
            cause = f"used up max_tokens={self.max_tokens} before it answered; raise max_tokens"
        else:
            cause = "gave an empty answer; try again or use another model"
        raise self._error(cause, "question", usage)

    def _explain(self, error: Exception) -> ChatError:
        """The `ChatError` for an exception of the SDK."""
        if isinstance(error, openai.APIStatusError):
            cause, mend = _STATUS.get(error.status_code, ("failed", "try again later"))
            kind = _kind(error)
            refusal = self._refusal(error)
            if refusal is not None:
                _, cause, mend, kind = refusal
            said = f"(HTTP {error.status_code}){self._quote(error.body)}"
            return self._error(f"{cause} {said}; {mend}", kind)
        if isinstance(error, (openai.APITimeoutError, LateError)):
            cause = f"did not answer within {self.timeout:g} s; raise the timeout or try again"
            return self._error(cause, "permanent")  # there is no time for another question
        if not isinstance(error, openai.APIConnectionError):
            cause = f"Asking {self._who} failed ({type(error).__name__}); try again."
            return ChatError(cause, "temporary")
        reason = error.__cause__
        if type(reason).__name__ in ("ConnectError", "ProxyError", "UnsupportedProtocol"):
            mend = "check the address and that the server runs"
            return self._error(f"cannot be reached{self._quote(reason)}; {mend}", "permanent")
        return ChatError(f"The connection to {self._who} broke; try again.", "temporary")

    def _refusal(self, error: openai.APIStatusError) -> _Refusal | None:
        if error.status_code not in _REFUSED:
            return None
        said = f"{error.code} {error.type} {error.param} {_message(error.body)}".lower()
        said = said.replace(self.model.lower(), "model")  # a name may hold any word
        return next((refusal for refusal in _REFUSALS if refusal.said.search(said)), None)

    def _error(self, cause: str, kind: Kind, usage: Usage | None = None) -> ChatError:
        return ChatError(f"{self._who} {cause}.", kind, usage)

    def _quote(self, body: object) -> str:
        """What a server says about an error, as one line in brackets."""
        line = one_line(self.redact(_message(body), error=True), 200).rstrip(".")
        return f" ({line})" if line else ""


def _within(seconds: float, work: Callable[[], Any]) -> Any:
    """What `work` returns, which runs in a thread of its own.

    The SDK's timeouts are those of single steps: a server that sends a byte now and then, or a
    name that is looked up for long, would not end. So after the time the thread is left alone.

    Raises:
        LateError: It took longer than `seconds`.
    """
    answer: Future[Any] = Future()

    def run() -> None:
        try:
            answer.set_result(work())
        except BaseException as error:
            answer.set_exception(error)

    if seconds <= 0:
        raise LateError
    threading.Thread(target=run, name="ocelot-llm", daemon=True).start()
    return answer.result(seconds)


def _pause(error: openai.OpenAIError, attempt: int) -> float:
    """Seconds to wait before a request is repeated: what the server says, else longer each time."""
    if isinstance(error, openai.APIStatusError):
        with suppress(LookupError, ValueError):
            return max(0.0, float(error.response.headers["retry-after"]))
    return 0.5 * 2.0**attempt


def _message(body: object) -> str:
    """What a server says about an error, in one of many shapes."""
    if isinstance(body, list) and body:
        body = body[0]
    for name in ("error", "message", "detail"):
        if isinstance(body, dict) and body.get(name):
            body = body[name]
    return _SYSTEM_NUMBER.sub("", str(body or "")[:4000])


def _other_options(options: dict[str, Any], message: str) -> dict[str, Any]:
    """The options of a request without the one that an error message complains about."""
    other = dict(options)
    if "response_format" in other and _ABOUT_FORMAT.search(message):
        del other["response_format"]
    elif "max_tokens" in other and "max_tokens" in message:
        other["max_completion_tokens"] = other.pop("max_tokens")
    elif "max_completion_tokens" in other and "max_completion_tokens" in message:
        other["max_tokens"] = other.pop("max_completion_tokens")
    elif "temperature" in message:
        other.pop("temperature", None)
    return other


def _kind(error: openai.APIStatusError) -> Kind:
    temporary = error.status_code >= 500 or error.status_code in (408, 409, 429)
    return "temporary" if temporary and error.code != "insufficient_quota" else "permanent"


def _get(value: Any, *path: str | int) -> Any:
    """The value at a path of keys and indices in JSON; None if there is none."""
    for key in path:
        try:
            value = value[key]
        except (LookupError, TypeError):
            return None
    return value


def _text(content: object) -> str:
    if isinstance(content, list):  # some servers answer in parts
        parts = (_get(part, "text") for part in content)
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""
