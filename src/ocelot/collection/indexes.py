"""Types of vector index: which deployment has which, and how widely each looks."""

from __future__ import annotations

from collections.abc import Sequence

from ocelot.errors import CollectionError

__all__ = ["index_type", "listed", "search_params"]

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
    """The type wanted, or "" for the default one."""
    if index in ("", "AUTO"):
        return ""
    index = "IVF_FLAT" if index == "IVF" else index
    # Lite takes any name and fails later, in the background; a server says no at once.
    if deployment == "lite" and index not in INDEXES["lite"]:
        raise CollectionError(
            f"The local database {shown} has no index {index!r}; it has {listed(INDEXES['lite'])}."
        )
    return index


def search_params(index: str, deployment: str, wanted: int, thorough: bool) -> dict[str, int]:
    """How widely an approximate index looks; {} where the index decides for itself."""
    if index.startswith("HNSW") or (index == "AUTOINDEX" and deployment == "lite"):
        return {"ef": max(wanted, MAX_RESULTS if thorough else 128)}
    if index.startswith("IVF"):
        return {"nprobe": 65_536 if thorough else 32}
    if index == "DISKANN":
        return {"search_list": max(wanted, 100)}
    return {}


def listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " or " + names[-1] if len(names) > 1 else names[0]
