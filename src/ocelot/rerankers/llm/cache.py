"""Answers that are kept, so that the same question is paid once: a folder with a file for each."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from ocelot.files import atomic_path
from ocelot.images.decode import hash_bytes
from ocelot.types import Ranking, Usage

__all__ = ["AnswerCache", "RankingCache", "cache_key"]

_log = logging.getLogger(__name__)
_RANKING = TypeAdapter(Ranking)

Answer = TypeVar("Answer")


def cache_key(*parts: Any) -> str:
    """SHA-256, 64 hex digits, of everything that the answer depends on."""
    return hash_bytes(json.dumps(parts, sort_keys=True, default=str).encode("ascii"))


class AnswerCache(Generic[Answer]):
    """A folder of answers of one type, made at the first `put`. Its errors never fail a search."""

    def __init__(self, directory: str | Path, kind: TypeAdapter[Answer]) -> None:
        self.directory, self._kind = Path(directory), kind

    def get(self, key: str) -> Answer | None:
        """An answer; None if there is none, or its file is damaged."""
        try:
            data = (self.directory / f"{key}.json").read_bytes()
            return self._kind.validate_json(data, strict=True)
        except (OSError, ValueError):
            return None

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer; failures are logged."""
        try:
            with atomic_path(self.directory / f"{key}.json") as partial:
                partial.touch(mode=0o600)
                partial.write_bytes(self._kind.dump_json(answer))
        except OSError as error:
            _log.warning("Cannot keep the answer in %s: %s", self.directory, error.strerror)


class RankingCache:
    """A folder of rankings; see `AnswerCache`."""

    def __init__(self, directory: str | Path) -> None:
        self._answers = AnswerCache(directory, _RANKING)
        self.directory, self.put = self._answers.directory, self._answers.put

    def get(self, key: str, count: int) -> Ranking | None:
        """The ranking of `count` hits, marked as cached and without usage; None if there is none.

        A ranking of another number of hits counts as none.
        """
        ranking = self._answers.get(key)
        if ranking is None or len(ranking.order) != count or ranking.status == "fallback":
            return None
        return replace(ranking, usage=Usage(), cached=True)
