"""Types of vector index: where there are which, how each is built and searched, what it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

__all__ = ["MAX_RESULTS", "build_params", "index_bytes", "names", "search_params", "steps"]

MAX_RESULTS = 16_384  # Milvus's own window for one search or query
_TUNED_HITS = 16  # hits, exclusions included, for which tuned parameters were measured
_USUAL_HITS = 128  # the same for the defaults below
# Parameters that say how many candidates are kept: they grow with the hits that are wanted.
_CANDIDATES = ("ef", "search_list", "reorder_k")

_GRAPH = {"M": 16, "efConstruction": 200}
_LISTS = {"nlist": 128}
_EF = tuple({"ef": ef} for ef in (16, 32, 64, 128, 256, 512, 1024))
_NPROBE = tuple({"nprobe": n} for n in (1, 2, 4, 8, 16, 32, 64, 128))
_GRAPH_BYTES = 8 * 16  # of links a vector: 2 M of 4 bytes on the lowest layer


@dataclass(frozen=True)
class _Kind:
    build: Mapping[str, Any] = field(default_factory=dict)  # build parameters
    search: Mapping[str, int] = field(default_factory=dict)  # where none are tuned
    widest: Mapping[str, int] = field(default_factory=dict)  # to look at everything
    steps: Sequence[Mapping[str, int]] = ({},)  # search parameters to measure
    bytes: tuple[float, float] | None = None  # memory of a vector: for each dimension, and beside


def _graph(per_dimension: float) -> _Kind:
    return _Kind(_GRAPH, {"ef": 128}, {"ef": MAX_RESULTS}, _EF, (per_dimension, _GRAPH_BYTES))


def _lists(per_dimension: float) -> _Kind:
    return _Kind(_LISTS, {"nprobe": 32}, {"nprobe": 65_536}, _NPROBE, (per_dimension, 8))


_LITE = {
    "FLAT": _Kind(bytes=(4, 0)),
    "HNSW": _graph(4),
    "HNSW_SQ": _graph(1),
    "IVF_FLAT": _lists(4),
    "IVF_SQ8": _lists(1),
    "AUTOINDEX": _graph(4),  # HNSW
}
# Names and ranges of parameters are those of Milvus's documentation, "Index explained", for 2.6. A
# server that is older than a type refuses it. pymilvus would send True as "True", which Milvus 2.3
# cannot read: it then tries to build the index for ever.
_SERVER = {
    "FLAT": _LITE["FLAT"],
    "HNSW": _LITE["HNSW"],
    "HNSW_SQ": _Kind(
        {**_GRAPH, "sq_type": "SQ8", "refine": "true", "refine_type": "FP16"},
        {"ef": 128, "refine_k": 2},
        {"ef": MAX_RESULTS},
        [{"ef": ef, "refine_k": k} for k, ef in product((1, 2), (16, 32, 64, 128, 256, 512))],
        (1 + 2, _GRAPH_BYTES),
    ),
    "IVF_FLAT": _LITE["IVF_FLAT"],
    "IVF_SQ8": _LITE["IVF_SQ8"],
    "IVF_RABITQ": _Kind(
        {**_LISTS, "refine": "true", "refine_type": "SQ8"},
        {"nprobe": 32, "refine_k": 3},
        {"nprobe": 65_536},
        [
            {"nprobe": n, "rbq_query_bits": bits, "refine_k": k}
            for bits, k, n in product((0, 6), (1, 3), (4, 8, 16, 32, 64, 128))
        ],
        (1 / 8 + 1, 16),
    ),
    "SCANN": _Kind(
        _LISTS,
        {"nprobe": 32, "reorder_k": 256},
        {"nprobe": 65_536, "reorder_k": MAX_RESULTS},
        [{**step, "reorder_k": 160} for step in _NPROBE],
        (4 + 1 / 4, 8),
    ),
    # In memory are codes of 12.5 % of the vectors' bytes and a cache of 10 %, as Milvus is set by
    # default; the rest is on the disk. Old servers accept no longer list than 10 candidates a hit.
    "DISKANN": _Kind(
        {},
        {"search_list": 128},
        {},
        [{"search_list": n} for n in (16, 32, 64, 128, 160)],
        (0.225 * 4, 0),
    ),
    # HNSW. The ef that Milvus would choose misses a third of the nearest rows in hard cases, and is
    # no quicker.
    "AUTOINDEX": _Kind(search={"ef": 128}, widest={"ef": MAX_RESULTS}, steps=_EF),
}
_ZILLIZ = {"AUTOINDEX": _Kind(steps=[{"level": level} for level in range(1, 11)])}
_KINDS = {"lite": _LITE, "server": _SERVER, "zilliz": _ZILLIZ}
_UNKNOWN = _Kind()


def names(deployment: str) -> tuple[str, ...]:
    """The types of index of a deployment, "lite", "server" or "zilliz"."""
    return tuple(_KINDS[deployment])


def build_params(index: str, deployment: str) -> dict[str, Any]:
    """Build parameters of an index."""
    return dict(_KINDS[deployment].get(index, _UNKNOWN).build)


def search_params(
    index: str,
    deployment: str,
    wanted: int,
    thorough: bool,
    tuned: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Search parameters of an index for so many hits; {} if it has none.

    Args:
        thorough: Whether to look at everything.
        tuned: The collection's own parameters, as `steps` lists them.
    """
    kind = _KINDS[deployment].get(index, _UNKNOWN)
    params = {**kind.search, **(tuned or {})}
    hits = _TUNED_HITS if tuned else _USUAL_HITS
    for name in _CANDIDATES:
        if name in params:
            grown = params[name] * max(wanted, hits) // hits
            params[name] = min(grown, MAX_RESULTS)
    return {**params, **kind.widest} if thorough else params


def steps(index: str, deployment: str) -> Sequence[Mapping[str, int]]:
    """Search parameters to measure; one empty mapping for an exact index."""
    return _KINDS[deployment].get(index, _UNKNOWN).steps


def index_bytes(index: str, deployment: str, rows: int, dimension: int) -> int | None:
    """Memory that the index takes by its structure, in bytes; None if that is not known."""
    known = _KINDS[deployment].get(index, _UNKNOWN).bytes
    return known and round(rows * (known[0] * dimension + known[1]))
