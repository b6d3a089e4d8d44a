"""A Milvus server to measure: the given one, or the one that the tests start."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["milvus"]

_TESTS = Path(__file__).parents[1] / "tests"


@contextmanager
def milvus(
    folder: Path, uri: str | None = None, token: str = ""
) -> Iterator[dict[str, str] | None]:
    """Give the address of a server as arguments of `Collection.open`; None where there is none.

    Args:
        folder: An existing folder, for the data of a server that is started here.
        uri, token: A server that runs already.
    """
    if uri:
        yield {"uri": uri, "token": token}
        return
    sys.path.insert(0, str(_TESTS))
    from milvus_server import TOKEN, is_installed, milvus_server

    if not is_installed():
        print("\nNo Milvus server is measured: name one (--server), or pip install milvus.")
        yield None
        return
    with milvus_server(folder) as started:
        yield {"uri": started, "token": TOKEN}
