"""Counters and histograms of a running service, in the Prometheus text format."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

from ocelot.types import Ranking, Result

__all__ = ["Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters and histograms of one service, with their own registry."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"ocelot_{name}", about, labels, registry=registry)

        def histogram(
            name: str, about: str, *labels: str, buckets: Sequence[float] = _SECONDS
        ) -> Histogram:
            return Histogram(f"ocelot_{name}", about, labels, buckets=buckets, registry=registry)

        self.requests = counter("requests", "HTTP requests.", "method", "route", "status")
        self.request_seconds = histogram("request_seconds", "From request to last byte.", "route")
        self._stages = histogram(
            "stage_seconds", "Parts of the work: encode, search, rerank, add, index.", "stage"
        )
        self.batches = histogram("batch_size", "Items encoded at once.", buckets=_SIZES)
        self._vectors = counter("query_vectors", "Vectors of queries and of their parts.", "cached")
        self.refused = counter("refused", "Requests refused by a full queue.", "queue")
        self.abandoned = counter("abandoned", "Requests whose client disconnected.")
        self._rankings = counter(
            "rankings", "Rankings by rerankers.", "reranker", "status", "cached"
        )
        self._tokens = counter("tokens", "Tokens of language models.", "reranker", "kind")
        self._cost = counter(
            "cost_usd", "US dollars that language models cost, by the prices that are set.",
            "reranker",
        )  # fmt: skip
        self._added = counter(
            "items_added", "Pictures that were sent or indexed: new, known or failed.", "outcome"
        )
        self.lines = counter("bulk_lines", "Lines of bulk requests by their answer.", "status")
        self.items = Gauge("ocelot_collection_items", "Items stored.", registry=registry)
        self.items.set(math.nan)
        self.build = Info("ocelot_build", "What runs.", registry=registry)
        ProcessCollector(registry=registry)
        self._waiting = Gauge(
            "ocelot_waiting", "Work that waits for a thread.", ["queue"], registry=registry
        )

    def watch_queue(self, name: str, waiting: Callable[[], int]) -> None:
        """Read the length of a queue whenever the metrics are read."""
        self._waiting.labels(name).set_function(waiting)

    def remembered(self, kept: int, new: int) -> None:
        """Count query vectors taken from the cache, and those that were encoded."""
        self._vectors.labels("true").inc(kept)
        self._vectors.labels("false").inc(new)

    def searched(self, result: Result) -> None:
        """Count the stages of a search."""
        for stage in ("encode", "search"):
            if stage in result.timings:
                self._stages.labels(stage).observe(result.timings[stage])

    def ranked(self, ranking: Ranking, seconds: float) -> None:
        """Count a ranking, its time and its tokens."""
        self._stages.labels("rerank").observe(seconds)
        name, used = ranking.reranker, ranking.usage
        self._rankings.labels(name, ranking.status, str(ranking.cached).lower()).inc()
        for kind, tokens in (
            ("prompt", used.prompt_tokens),
            ("completion", used.completion_tokens),
        ):
            if tokens:
                self._tokens.labels(name, kind).inc(tokens)
        if used.cost:
            self._cost.labels(name).inc(used.cost)

    def added(self, stage: str, seconds: float, **counts: int) -> None:
        """Count pictures by what became of them, and the time that it took."""
        self._stages.labels(stage).observe(seconds)
        for outcome, number in counts.items():
            self._added.labels(outcome).inc(number)

    def text(self) -> bytes:
        """All metrics in the Prometheus text format."""
        return generate_latest(self._registry)
