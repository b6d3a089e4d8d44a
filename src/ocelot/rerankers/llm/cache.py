"""Rankings kept as JSON files, one for each question."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ocelot.files import atomic_path
from ocelot.images.decode import hash_bytes
from ocelot.types import Ranking, Usage

__all__ = ["RankingCache", "cache_key"]

_log = logging.getLogger(__name__)
_RANKING = TypeAdapter(Ranking)


def cache_key(*parts: Any) -> str:
    """SHA-256, 64 hex digits, of everything that the answer depends on."""
    return hash_bytes(json.dumps(parts, sort_keys=True, default=str).encode("ascii"))


class RankingCache:
    """A folder of rankings, made at the first `put`. Its errors never fail a search."""

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)

    def get(self, key: str, count: int) -> Ranking | None:
        """The ranking of `count` hits, marked as cached and without usage; None if there is none.

        A damaged file, or one that ranks another number of hits, counts as none.
        """
        try:
            data = (self.directory / f"{key}.json").read_bytes()
            ranking = _RANKING.validate_json(data, strict=True)
        except (OSError, ValueError):
            return None
        if len(ranking.order) != count or ranking.status == "fallback":
            return None
        return replace(ranking, usage=Usage(), cached=True)

    def put(self, key: str, ranking: Ranking) -> None:
        """Keep a ranking; failures are logged."""
        try:
            with atomic_path(self.directory / f"{key}.json") as partial:
                partial.touch(mode=0o600)
                partial.write_bytes(_RANKING.dump_json(ranking))
        except OSError as error:
            _log.warning("Cannot keep the ranking in %s: %s", self.directory, error.strerror)
