"""One question to a chat model, with the `openai` package; its connections end with the answer.

Endpoints differ: some refuse `response_format`, some accept only `max_tokens`, others only
`max_completion_tokens`, some accept no temperature. If a request is refused with a message that
names one of these, it is repeated without it, and the options that worked are remembered.

Every failure becomes a `ChatError`; see `failures.py`.
"""

from __future__ import annotations

import contextvars
import importlib
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, cast
from urllib.parse import urlsplit

import openai
from pydantic import SecretStr

from ocelot.cancel import stop_if_cancelled
from ocelot.errors import ConfigurationError
from ocelot.request_id import request_id
from ocelot.rerankers.llm.failures import Failures, LateError, redactor
from ocelot.rerankers.llm.prompt import SCHEMA
from ocelot.telemetry import note, span
from ocelot.types import Usage

__all__ = ["Chat", "ChatReply", "Messages"]

Messages = list[dict[str, Any]]

_STEP = 0.25  # seconds between looks whether anybody still waits
_MOST_TOKENS = 2**40  # of one answer; a larger number is none, and too large for SQLite in the end
_OPENAI = "https://api.openai.com/v1"
_ABOUT_FORMAT = re.compile(r"response.?format|json.?schema|json.?object|structured|grammar|guided")


@dataclass(frozen=True)
class ChatReply:
    """The text of an answer, whether it was cut at the token limit, and its cost."""

    text: str
    cut: bool
    usage: Usage


class Chat:
    """A chat model at OpenAI, at Azure OpenAI (address and API version), or at a base URL.

    Other arguments and errors: see `LLMReranker`.
    """

    def __init__(
        self,
        model: str,
        api_key: str | SecretStr | None,
        base_url: str | None,
        azure: tuple[str, str] | None,
        timeout: float,
        retries: int,
        max_tokens: int,
    ) -> None:
        if azure and base_url:
            raise ConfigurationError(
                "Both an Azure endpoint and a base URL are set for the reranker; keep one of them."
            )
        self.model, self.timeout, self.max_tokens = model, timeout, max_tokens
        self.endpoint = _checked_address(azure[0] if azure else base_url or _OPENAI)
        key = _checked_key(api_key, model, needed=not base_url)
        self.redact = redactor(key)
        address = urlsplit(self.endpoint)
        who = f"{model} at {address.scheme}://{address.netloc}"
        self._failures = Failures(model, who, timeout, self.redact)
        self._retries = retries
        newer = azure or ".openai." in address.netloc
        tokens = "max_completion_tokens" if newer else "max_tokens"
        self._options = {"response_format": "json_schema", tokens: max_tokens, "temperature": 0.0}
        # All options are given, so that the SDK reads none of its own environment variables.
        sdk: dict[str, Any] = {"api_key": key or "none", "max_retries": 0}
        if azure:
            sdk |= {"azure_endpoint": self.endpoint, "api_version": azure[1]}
        else:
            sdk["base_url"] = self.endpoint
        kind = openai.AzureOpenAI if azure else openai.OpenAI
        # A function, as a partial would show the key.
        self._connect: Callable[[], openai.OpenAI] = lambda: kind(
            http_client=openai.DefaultHttpxClient(verify=_certificates()), **sdk
        )

    def ask(
        self,
        build: Callable[[bool], Messages],
        deadline: float,
        schema: Mapping[str, Any] = SCHEMA,
    ) -> ChatReply:
        """Send one question and return the answer, over a connection that then ends.

        Args:
            build: Makes the messages; its argument says whether the endpoint enforces the
                JSON schema.
            deadline: When to give up, as `time.monotonic` counts.
            schema: The JSON schema of the answer.

        Raises:
            ChatError: There is no usable answer, for whatever reason.
        """
        about = {"gen_ai.operation.name": "chat", "gen_ai.request.model": self.model}
        about["server.address"] = urlsplit(self.endpoint).hostname or ""
        with span(f"chat {self.model}", about, kind="CLIENT"):
            try:
                with self._connect() as client:
                    body = self._negotiate(client, build, deadline, schema)
            except Exception as error:  # the SDK passes on errors of many packages
                raise self._failures.explain(error) from None
            return self._read(body)

    def _negotiate(
        self,
        client: openai.OpenAI,
        build: Callable[[bool], Messages],
        deadline: float,
        schema: Mapping[str, Any],
    ) -> str:
        """The body of the answer to a request with options that the endpoint accepts."""
        options = self._options
        tried = [options]
        while True:
            structured = "response_format" in options
            request = {"model": self.model, "messages": build(structured)} | options
            if structured:
                wanted = {"name": "answer", "strict": True, "schema": dict(schema)}
                request["response_format"] = {"type": "json_schema", "json_schema": wanted}
            try:
                body = self._send(client, request, deadline)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                options = _other_options(options, str(error.body).lower())
                if options in tried:
                    raise
                tried.append(options)
            else:
                self._options = options
                return body

    def _send(self, client: openai.OpenAI, request: dict[str, Any], deadline: float) -> str:
        """The body of the answer; what may work next time is repeated while there is time."""
        # The raw reply: the SDK's models accept anything and then fail on use.
        create: Any = client.chat.completions.with_raw_response.create
        if id := request_id():
            request["extra_headers"] = {"X-Request-Id": id}
        attempt = 0
        while True:
            try:
                return _within(deadline, lambda left: create(**request, timeout=left).text)
            except openai.OpenAIError as error:
                pause = _pause(error, attempt)
                last = attempt == self._retries or time.monotonic() + pause >= deadline
                if last or self._failures.explain(error).kind != "temporary":
                    raise
            while pause > 0:
                stop_if_cancelled()
                time.sleep(min(pause, _STEP))
                pause -= _STEP
            attempt += 1

    def _read(self, body: str) -> ChatReply:
        error = self._failures.error
        if not body.strip():
            raise error("answered with an empty body; try again", "temporary", Usage(1))
        reply = None
        with suppress(ValueError, RecursionError):
            reply = json.loads(body)
        if not isinstance(reply, dict):
            cause = (
                "answered with something that is not a chat completion; check that the address is "
                "that of an OpenAI-compatible API (it often ends in /v1)"
            )
            raise error(cause, "permanent", Usage(1))
        tokens = (_get(reply, "usage", name) for name in ("prompt_tokens", "completion_tokens"))
        usage = Usage(1, *(n if isinstance(n, int) and 0 < n < _MOST_TOKENS else 0 for n in tokens))
        note({"gen_ai.usage.input_tokens": usage.prompt_tokens})
        note({"gen_ai.usage.output_tokens": usage.completion_tokens})
        choice = _get(reply, "choices", 0)
        if not isinstance(choice, dict):
            said = self._failures.quote(reply.get("error"))
            raise error(f"answered without a choice{said}; try again", "temporary", usage)
        finish, refusal = choice.get("finish_reason"), _get(choice, "message", "refusal")
        text = self.redact(_text(_get(choice, "message", "content")))
        if finish == "content_filter":
            cause = "was stopped by a content filter; take out the picture that it objects to"
        elif isinstance(refusal, str) and refusal.strip():
            cause = f"refused to answer{self._failures.quote(refusal)}; ask with other words"
        elif text.strip():
            return ChatReply(text, finish == "length", usage)
        elif finish == "length":
            cause = f"used up max_tokens={self.max_tokens} before it answered; raise max_tokens"
        else:
            cause = "gave an empty answer; try again or use another model"
        raise error(cause, "question", usage)


def _within(deadline: float, work: Callable[[float], str]) -> str:
    """What `work` returns, which runs in a thread of its own and is told the seconds left.

    The SDK's timeouts are those of single steps: a server that sends a byte now and then, or a
    name that is looked up for long, would not end. So after the time, or when nobody waits for the
    answer any more, the thread is left alone.

    Raises:
        LateError: It took too long.
        Abandoned: Nobody waits any more.
    """
    left = deadline - time.monotonic()
    answer: Future[str] = Future()

    def run() -> None:
        try:
            answer.set_result(work(left))
        except BaseException as error:
            answer.set_exception(error)

    stop_if_cancelled()
    if left <= 0:
        raise LateError
    context = contextvars.copy_context()  # with the id of the request
    threading.Thread(target=context.run, args=(run,), name="ocelot-llm", daemon=True).start()
    while left > 0 and not wait([answer], min(left, _STEP)).done:
        stop_if_cancelled()
        left -= _STEP
    return answer.result(0)


def _pause(error: openai.OpenAIError, attempt: int) -> float:
    """Seconds to wait before a request is repeated: what the server says, else longer each time."""
    if isinstance(error, openai.APIStatusError):
        with suppress(LookupError, ValueError):
            return max(0.0, float(error.response.headers["retry-after"]))
    return 0.5 * 2.0**attempt


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


def _checked_key(api_key: str | SecretStr | None, model: str, *, needed: bool) -> str:
    value = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key
    key = (value or "").strip()
    if needed and not key:
        raise ConfigurationError(
            f"The reranker {model} needs an API key; give one, give the base URL of a server "
            "that needs none, or use the reranker fusion, which works offline."
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigurationError(
            f"The API key of the reranker {model} has characters that are not allowed in keys "
            "(a space, a line break or a letter outside ASCII); copy it again."
        )
    return key


@cache
def _certificates() -> ssl.SSLContext:
    """What the package `openai` trusts, read once; otherwise each connection reads it anew."""
    httpx = importlib.import_module(openai.DefaultHttpxClient.__mro__[1].__module__)  # or httpx2
    return cast(ssl.SSLContext, httpx.create_ssl_context())


def _checked_address(address: str) -> str:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError(
            f"The reranker's address must begin with http:// or https:// and name a host, "
            f"was: {address.rpartition('@')[2]!r}."
        )
    if parts.username is not None or parts.query:
        raise ConfigurationError(
            "The reranker's address must hold no user name, password or query; "
            "give the key as the API key."
        )
    return address.rstrip("/")
