"""One question to a chat model, over the `openai` package.

Endpoints speak dialects: some refuse `response_format`, some know only `max_tokens`, others only
`max_completion_tokens`, some take no temperature. A refusal that names one of these is answered
with a request without it, and the dialect that worked is remembered.

Whatever goes wrong becomes a :class:`ChatError` with one sentence; no API key is ever in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urlsplit

import openai

from ocelot.cancel import stop_if_cancelled
from ocelot.errors import ConfigurationError, RerankError
from ocelot.rerankers.llm.credentials import Redactor, Secret, check_address, check_key
from ocelot.rerankers.llm.prompt import SCHEMA, one_line
from ocelot.types import Usage

__all__ = ["Chat", "ChatError", "ChatReply", "Structured"]

Structured = Literal["auto", "on", "off"]
Kind = Literal["question", "passing", "lasting"]
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
    """No usable answer came.

    Attributes:
        kind: What to expect of the next question: "question", it was this one that got no
            answer; "passing", the endpoint failed and may recover; "lasting", it will not.
        usage: What the attempt cost all the same.
    """

    def __init__(self, message: str, kind: Kind, usage: Usage | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.usage = usage or Usage()


@dataclass(frozen=True)
class ChatReply:
    """The words of an answer, whether they were cut at the token limit, and their cost."""

    text: str
    cut: bool
    usage: Usage


@dataclass(frozen=True)
class _Dialect:
    structured: bool
    tokens: Literal["max_tokens", "max_completion_tokens"]
    temperature: bool


class Chat:
    """A chat model at OpenAI, at Azure OpenAI, or at a compatible base URL.

    Raises:
        ConfigurationError: The key or an address is missing or cannot be used.
    """

    def __init__(
        self,
        model: str,
        *,
        api_key: str | Secret | None = None,
        base_url: str | None = None,
        azure_endpoint: str | None = None,
        azure_api_version: str = "2024-10-21",
        timeout: float = 60.0,
        retries: int = 2,
        max_tokens: int = 1024,
        temperature: float | None = 0.0,
        structured: Structured = "auto",
    ) -> None:
        if azure_endpoint and base_url:
            raise ConfigurationError(
                "Both an Azure endpoint and a base URL are set for the reranker; keep one of them."
            )
        address = check_address(azure_endpoint or base_url or _OPENAI)
        key = check_key(api_key, model, needed=not base_url)
        self.model = model
        self.endpoint = address
        self.max_tokens = max_tokens
        self._where = "{0.scheme}://{0.netloc}".format(urlsplit(address))
        self._timeout = timeout
        self._temperature = temperature
        self._structured = structured
        self._hide = Redactor(key)
        theirs = azure_endpoint or ".openai." in self._where
        self._dialect = _Dialect(
            structured != "off",
            "max_completion_tokens" if theirs else "max_tokens",
            temperature is not None,
        )
        # Everything is passed, so that the SDK takes nothing from its own environment variables.
        common: dict[str, Any] = {
            "api_key": key or "none",
            "timeout": timeout,
            "max_retries": retries,
            # Asked before each try, so that retries end when nobody waits for the answer.
            "http_client": openai.DefaultHttpxClient(
                event_hooks={"request": [lambda _: stop_if_cancelled()]}
            ),
        }
        self._client: openai.OpenAI = (
            openai.AzureOpenAI(azure_endpoint=address, api_version=azure_api_version, **common)
            if azure_endpoint
            else openai.OpenAI(base_url=address, **common)
        )

    def __repr__(self) -> str:
        return f"Chat(model={self.model!r}, endpoint={self.endpoint!r})"

    def hide(self, text: str) -> str:
        """`text` without the API key, should it hold it."""
        return self._hide(text)

    def ask(self, build: Callable[[bool], Messages]) -> ChatReply:
        """Send one question and return the answer.

        Args:
            build: Makes the messages; its argument says whether the endpoint enforces the
                JSON schema.

        Raises:
            ChatError: No usable answer came, whatever the cause.
        """
        dialect, tried = self._dialect, {self._dialect}
        while True:
            try:
                raw = self._client.chat.completions.with_raw_response.create(
                    **self._request(dialect, build)
                )
                body = raw.text
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                other = self._other_dialect(dialect, error)
                if other is None or other in tried:
                    raise self._explain(error) from None
                dialect = other
                tried.add(other)
            except Exception as error:  # the SDK lets errors of many packages through
                raise self._explain(error) from None
            else:
                self._dialect = dialect
                return self._read(body)

    def _request(self, dialect: _Dialect, build: Callable[[bool], Messages]) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.model,
            "messages": build(dialect.structured),
            dialect.tokens: self.max_tokens,
        }
        if dialect.structured:
            request["response_format"] = _FORMAT
        if dialect.temperature:
            request["temperature"] = self._temperature
        return request

    def _other_dialect(self, dialect: _Dialect, error: openai.APIStatusError) -> _Dialect | None:
        said = str(error.body).lower()
        if dialect.structured and self._structured == "auto" and _ABOUT_FORMAT.search(said):
            return replace(dialect, structured=False)
        if dialect.tokens in said:
            tokens: Literal["max_tokens", "max_completion_tokens"] = (
                "max_completion_tokens" if dialect.tokens == "max_tokens" else "max_tokens"
            )
            return replace(dialect, tokens=tokens)
        if dialect.temperature and "temperature" in said:
            return replace(dialect, temperature=False)
        return None

    def _read(self, body: str) -> ChatReply:
        who = f"{self.model} at {self._where}"
        if not body.strip():
            raise ChatError(f"{who} answered with an empty body; try again.", "passing", Usage(1))
        try:
            reply = json.loads(body)
        except (ValueError, RecursionError):
            reply = None
        if not isinstance(reply, dict):
            raise ChatError(
                f"{who} answered with something that is not a chat completion; check that the "
                "address is that of an OpenAI-compatible API (it often ends in /v1).",
                "lasting",
                Usage(1),
            )
        usage = _usage(reply)
        choices = reply.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            said = self._said(reply.get("error"))
            cause = f"{who} answered without a choice{said}; try again."
            raise ChatError(cause, "passing", usage)
        message = choice.get("message")
        message = message if isinstance(message, dict) else {}
        finish, refusal = choice.get("finish_reason"), message.get("refusal")
        text = self._hide(_content(message.get("content")))
        if finish == "content_filter":
            cause = "was stopped by a content filter; take out the picture that it objects to"
        elif isinstance(refusal, str) and refusal.strip():
            cause = f"refused to answer{self._said(refusal)}; ask with other words"
        elif text.strip():
            return ChatReply(text, finish == "length", usage)
        elif finish == "length":
            cause = f"used up max_tokens={self.max_tokens} before it answered; raise max_tokens"
        else:
            cause = "gave an empty answer; try again or use another model"
        raise ChatError(f"{who} {cause}.", "question", usage)

    def _said(self, body: object) -> str:
        # What a server says about an error comes in many shapes; one line of it, in brackets.
        for name in ("error", "message", "detail"):
            if isinstance(body, dict) and body.get(name):
                body = body[name]
        words = one_line(self._hide(str(body or "")[:4000], error=True), 200).rstrip(".")
        return f" ({words})" if words else ""

    def _explain(self, error: Exception) -> ChatError:
        who = f"{self.model} at {self._where}"
        if isinstance(error, openai.APITimeoutError):
            cause = f"did not answer within {self._timeout:g} s; raise the timeout or try again"
            return ChatError(f"{who} {cause}.", "passing")
        if isinstance(error, openai.APIConnectionError):
            reason = error.__cause__
            if type(reason).__name__ in ("ConnectError", "ProxyError", "UnsupportedProtocol"):
                cause = f"cannot be reached{self._said(reason)}"
                mend = "check the address and that the server runs"
                return ChatError(f"{who} {cause}; {mend}.", "lasting")
            return ChatError(f"The connection to {who} broke; try again.", "passing")
        if not isinstance(error, openai.APIStatusError):
            return ChatError(f"Asking {who} failed ({type(error).__name__}); try again.", "passing")
        status, kind = error.status_code, _kind(error)
        cause, mend = _STATUS.get(status, ("failed", "try again later"))
        if kind == "question":
            cause, mend = "was stopped by a content filter", "take out what it objects to"
        said = f" (HTTP {status}){self._said(error.body)}"
        return ChatError(f"{who} {cause}{said}; {mend}.", kind)


def _kind(error: openai.APIStatusError) -> Kind:
    if "content_filter" in (error.code or ""):
        return "question"
    passing = error.status_code >= 500 or error.status_code in (408, 409, 429)
    return "passing" if passing and error.code != "insufficient_quota" else "lasting"


def _content(content: object) -> str:
    if isinstance(content, list):  # some servers answer in parts
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _usage(reply: dict[str, Any]) -> Usage:
    counted = reply.get("usage")
    counted = counted if isinstance(counted, dict) else {}
    tokens = (counted.get(name) for name in ("prompt_tokens", "completion_tokens"))
    return Usage(1, *(n if isinstance(n, int) and n > 0 else 0 for n in tokens))
