"""Types of vector index: which deployment offers which, and how widely each searches."""

from __future__ import annotations

from collections.abc import Sequence

from ocelot.errors import CollectionError

__all__ = ["AUTO_INDEX", "INDEXES", "MAX_RESULTS", "index_type", "listed", "search_params"]

MAX_RESULTS = 16_384  # Milvus's own window for one search or query
INDEXES = {
    "lite": ("FLAT", "HNSW", "HNSW_SQ", "IVF_FLAT", "IVF_SQ8", "AUTOINDEX"),
    "server": ("FLAT", "HNSW", "IVF_FLAT", "IVF_SQ8", "DISKANN", "AUTOINDEX"),
    "zilliz": ("AUTOINDEX",),
}
# Lite's graph search loses hits under a filter, and its exact search is fast enough for the
# sizes one process holds.
AUTO_INDEX = {"lite": "FLAT", "server": "AUTOINDEX", "zilliz": "AUTOINDEX"}


def index_type(index: str, deployment: str, shown: str) -> str:
    """Check a type of index; "" stands for the default one."""
    if index in ("", "AUTO"):
        return ""
    index = "IVF_FLAT" if index == "IVF" else index
    # Lite accepts any name and fails later, in the background; a server refuses at once.
    if deployment == "lite" and index not in INDEXES["lite"]:
        raise CollectionError(
            f"The local database {shown} has no index {index!r}; it has {listed(INDEXES['lite'])}."
        )
    return index


def search_params(index: str, deployment: str, wanted: int, thorough: bool) -> dict[str, int]:
    """Search parameters of an approximate index; {} if the index has none."""
    if index.startswith("HNSW") or (index == "AUTOINDEX" and deployment == "lite"):
        return {"ef": max(wanted, MAX_RESULTS if thorough else 128)}
    if index.startswith("IVF"):
        return {"nprobe": 65_536 if thorough else 32}
    if index == "DISKANN":
        return {"search_list": max(wanted, 100)}
    return {}


def listed(names: Sequence[str]) -> str:
    """Names as text: "a, b or c"."""
    return ", ".join(names[:-1]) + " or " + names[-1] if len(names) > 1 else names[0]
