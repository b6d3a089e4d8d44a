"""One question to a chat model, with the `openai` package.

Endpoints differ: some refuse `response_format`, some accept only `max_tokens`, others only
`max_completion_tokens`, some accept no temperature. If a request is refused with a message that
names one of these, it is repeated without it, and the options that worked are remembered.

Every failure becomes a :class:`ChatError` with one sentence, which never holds the API key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal
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
    400: ("did not accept the request", "check that the model takes pictures"),
    401: ("refused the API key", "check the key"),
    403: ("does not allow this with the given API key", "check what the key may do"),
    404: ("was not found", "check the model's name and the address"),
    413: ("found the request too large", "use a smaller window"),
    422: ("did not accept the request", "check that the model takes pictures"),
    429: ("had too many requests or no quota left", "wait, or check the plan"),
}
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
        self._timeout = timeout
        newer = azure_endpoint or ".openai." in address.netloc
        tokens = "max_completion_tokens" if newer else "max_tokens"
        self._options: dict[str, Any] = {"response_format": _FORMAT, tokens: max_tokens}
        self._options["temperature"] = 0.0
        # Called before each attempt, so that retries end when nobody waits for the answer.
        hooks = {"request": [lambda _: stop_if_cancelled()]}
        http = openai.DefaultHttpxClient(event_hooks=hooks)
        # All options are given, so that the SDK reads none of its own environment variables.
        sdk: dict[str, Any] = {"timeout": timeout, "max_retries": retries, "http_client": http}
        sdk["api_key"] = key or "none"
        if azure_endpoint:
            sdk |= {"azure_endpoint": self.endpoint, "api_version": azure_api_version}
            self._client: openai.OpenAI = openai.AzureOpenAI(**sdk)
        else:
            self._client = openai.OpenAI(base_url=self.endpoint, **sdk)

    def __repr__(self) -> str:
        return f"Chat(model={self.model!r}, endpoint={self.endpoint!r})"

    def ask(self, build: Callable[[bool], Messages]) -> ChatReply:
        """Send one question and return the answer.

        Args:
            build: Makes the messages; its argument says whether the endpoint enforces the
                JSON schema.

        Raises:
            ChatError: There is no usable answer, for whatever reason.
        """
        tried = [self._options]
        while True:
            options = tried[-1]
            messages: Any = build("response_format" in options)
            try:
                # The raw reply: the SDK's models accept anything and then fail on use.
                raw = self._client.chat.completions.with_raw_response
                body = raw.create(model=self.model, messages=messages, **options).text
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                other = _other_options(options, str(error.body).lower())
                if other in tried:
                    raise self._explain(error) from None
                tried.append(other)
            except Exception as error:  # the SDK passes on errors of many packages
                raise self._explain(error) from None
            else:
                self._options = options
                return self._read(body)

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
            if kind == "question":
                cause, mend = "was stopped by a content filter", "take out what it objects to"
            said = f"(HTTP {error.status_code}){self._quote(error.body)}"
            return self._error(f"{cause} {said}; {mend}", kind)
        if isinstance(error, openai.APITimeoutError):
            cause = f"did not answer within {self._timeout:g} s; raise the timeout or try again"
            return self._error(cause, "temporary")
        if not isinstance(error, openai.APIConnectionError):
            cause = f"Asking {self._who} failed ({type(error).__name__}); try again."
            return ChatError(cause, "temporary")
        reason = error.__cause__
        if type(reason).__name__ in ("ConnectError", "ProxyError", "UnsupportedProtocol"):
            mend = "check the address and that the server runs"
            return self._error(f"cannot be reached{self._quote(reason)}; {mend}", "permanent")
        return ChatError(f"The connection to {self._who} broke; try again.", "temporary")

    def _error(self, cause: str, kind: Kind, usage: Usage | None = None) -> ChatError:
        return ChatError(f"{self._who} {cause}.", kind, usage)

    def _quote(self, body: object) -> str:
        """What a server says about an error, in one of many shapes, as one line in brackets."""
        for name in ("error", "message", "detail"):
            if isinstance(body, dict) and body.get(name):
                body = body[name]
        line = one_line(self.redact(str(body or "")[:4000], error=True), 200).rstrip(".")
        return f" ({line})" if line else ""


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
    if "content_filter" in (error.code or ""):
        return "question"
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
