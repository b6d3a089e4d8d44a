"""Counters and histograms of a running service, in the Prometheus text format."""

from __future__ import annotations

from collections.abc import Callable

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
        self.requests = Counter(
            "ocelot_requests", "HTTP requests.", ["method", "route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "ocelot_request_seconds", "From request to last byte.", ["route"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._stages = Histogram(
            "ocelot_stage_seconds", "Parts of the work: encode, search, rerank, add, index.",
            ["stage"], buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._batches = Histogram(
            "ocelot_batch_size", "Items encoded at once.", buckets=_SIZES, registry=registry
        )
        self._vectors = Counter(
            "ocelot_query_vectors", "Vectors of queries and of their parts.", ["cached"],
            registry=registry,
        )  # fmt: skip
        self.refused = Counter(
            "ocelot_refused", "Requests refused by a full queue.", ["queue"], registry=registry
        )
        self.abandoned = Counter(
            "ocelot_abandoned", "Requests whose client disconnected.", registry=registry
        )
        self._rankings = Counter(
            "ocelot_rankings", "Rankings by rerankers.", ["reranker", "status", "cached"],
            registry=registry,
        )  # fmt: skip
        self._tokens = Counter(
            "ocelot_tokens", "Tokens of language models.", ["reranker", "kind"], registry=registry
        )
        self._cost = Counter(
            "ocelot_cost_usd", "US dollars that language models cost, by the prices that are set.",
            ["reranker"], registry=registry,
        )  # fmt: skip
        self._added = Counter(
            "ocelot_items_added", "Pictures that were sent or indexed: new, known or failed.",
            ["outcome"], registry=registry,
        )  # fmt: skip
        self.lines = Counter(
            "ocelot_bulk_lines", "Lines of bulk requests by their answer.", ["status"],
            registry=registry,
        )  # fmt: skip
        self._items = Gauge("ocelot_collection_items", "Items stored.", registry=registry)
        self._items.set(float("nan"))
        self._build = Info("ocelot_build", "What runs.", registry=registry)
        ProcessCollector(registry=registry)
        self._waiting = Gauge(
            "ocelot_waiting", "Work that waits for a thread.", ["queue"], registry=registry
        )

    def watch_queue(self, name: str, waiting: Callable[[], int]) -> None:
        """Read the length of a queue whenever the metrics are read."""
        self._waiting.labels(name).set_function(waiting)

    def batch(self, size: int) -> None:
        """Count one batch of the encoder."""
        self._batches.observe(size)

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
        self._rankings.labels(ranking.reranker, ranking.status, str(ranking.cached).lower()).inc()
        for kind in ("prompt", "completion"):
            used = getattr(ranking.usage, f"{kind}_tokens")
            if used:
                self._tokens.labels(ranking.reranker, kind).inc(used)
        if ranking.usage.cost:
            self._cost.labels(ranking.reranker).inc(ranking.usage.cost)

    def added(self, stage: str, seconds: float, **counts: int) -> None:
        """Count pictures by what became of them, and the time that it took."""
        self._stages.labels(stage).observe(seconds)
        for outcome, number in counts.items():
            self._added.labels(outcome).inc(number)

    def stored(self, items: float) -> None:
        """Note the number of items; NaN if it is not known."""
        self._items.set(items)

    def runs(self, **names: str) -> None:
        """Note the versions and the encoder that run."""
        self._build.info(names)

    def text(self) -> bytes:
        """All metrics in the Prometheus text format."""
        return generate_latest(self._registry)
