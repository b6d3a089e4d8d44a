"""Answers kept as JSON files, one for each question."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from ocelot.types import Ranking

__all__ = ["RankingCache", "cache_key"]

_log = logging.getLogger(__name__)


def cache_key(**parts: Any) -> str:
    """SHA-256, 64 hex digits, of everything that the answer depends on.

    >>> cache_key(model="a", hits=[1, 2]) == cache_key(hits=[1, 2], model="a")
    True
    """
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


class RankingCache:
    """A folder of rankings. Whatever is wrong with it, a search goes on without it.

    Args:
        directory: Made at the first `put`.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)

    def get(self, key: str, count: int) -> Ranking | None:
        """The ranking of `count` hits kept under `key`: cached, without usage.

        A file that is damaged, or is of another number of hits, counts as none.
        """
        try:
            kept = json.loads((self.directory / f"{key}.json").read_bytes())
            order, match = kept["order"], kept["match"]
            words = {name: kept[name] for name in ("reason", "reranker", "status", "detail")}
            if (
                all(type(index) is int for index in order)
                and sorted(order) == list(range(count))
                and all(isinstance(word, str) for word in words.values())
                and words["status"] in ("ok", "repaired")
                and (match is None or isinstance(match, bool))
            ):
                return Ranking(tuple(order), **words, match=match, cached=True)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        return None

    def put(self, key: str, ranking: Ranking) -> None:
        """Keep a ranking, whole or not at all; a folder that cannot be written is only logged."""
        kept = {
            "order": ranking.order,
            "reason": ranking.reason,
            "reranker": ranking.reranker,
            "status": ranking.status,
            "detail": ranking.detail,
            "match": ranking.match,
        }
        name = ""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", dir=self.directory, suffix=".part", delete=False
            ) as file:
                name = file.name
                json.dump(kept, file)
            os.replace(name, self.directory / f"{key}.json")
        except OSError as error:
            _log.warning("Cannot keep the ranking in %s: %s", self.directory, error.strerror)
            if name:
                with contextlib.suppress(OSError):
                    os.unlink(name)
