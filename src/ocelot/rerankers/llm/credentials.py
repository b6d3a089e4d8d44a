"""API keys and addresses: checked before use, and kept out of every message."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import SecretStr

from ocelot.errors import ConfigurationError

__all__ = ["Redactor", "check_address", "check_key"]

_SECRETS = re.compile(
    r"""(?P<name>\bbearer\s+|\b(?:x-)?(?:api[-_]?key|authorization)["']?\s{0,9}[:=]\s{0,9}["']?"""
    r"""(?:bearer\s+|basic\s+)?)[^\s"',;]+""",
    re.I,
)
_KEYS = re.compile(r"(?<![A-Za-z0-9])sk-[\w*.-]{6,}")
_HIDDEN = "[hidden]"


class Redactor:
    """Hides an API key in texts; its repr does not show the key.

    With `error=True` it also hides what looks like another key or an Authorization header, as
    servers repeat them in their errors.
    """

    __slots__ = ("_pattern",)  # not in vars()

    def __init__(self, key: str) -> None:
        # A short key ("EMPTY", "ollama") may be part of other words: hide only whole words.
        exact = re.escape(key) if len(key) >= 8 else rf"(?<!\w){re.escape(key)}(?!\w)"
        self._pattern = re.compile(exact) if key else _KEYS

    def __call__(self, text: str, *, error: bool = False) -> str:
        text = _KEYS.sub(_HIDDEN, self._pattern.sub(_HIDDEN, text))
        return _SECRETS.sub(rf"\g<name>{_HIDDEN}", text) if error else text


def check_key(api_key: str | SecretStr | None, model: str, *, needed: bool) -> str:
    """The key as plain text, "" if there is none.

    Raises:
        ConfigurationError: It is `needed` and missing, or an HTTP header cannot hold it.
    """
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


def check_address(address: str) -> str:
    """The address of an API without a trailing slash.

    Raises:
        ConfigurationError: It is not http(s), has no host, or holds credentials.
    """
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        usable = usable and (parts.port is None or parts.port > 0)
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
