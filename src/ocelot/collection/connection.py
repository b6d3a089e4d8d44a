"""The connection to Milvus, embedded or remote, and its errors as sentences."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from urllib.parse import urlsplit

import grpc
from pymilvus import MilvusClient, MilvusException

from ocelot.collection.indexes import INDEXES
from ocelot.errors import CollectionError, ConfigurationError, DatabaseUnavailable

__all__ = ["Database", "cause", "failure", "nothing_stored", "quiet", "rpc_code"]

# The embedded server hangs up on pings of an idle client, and gRPC says so on stderr.
_NO_PINGS = {"grpc.keepalive_time_ms": 2**31 - 1, "grpc.keepalive_permit_without_calls": 0}
_LOGGERS = ("pymilvus", "pymilvus.milvus_client", "milvus_lite")


class _Quiet:
    """Silences the loggers of pymilvus and Milvus Lite while calls are in progress.

    Both print tracebacks of errors that they also raise, and that become sentences here. Their
    levels are changed during Ocelot's own calls only: importing Ocelot leaves them alone.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0
        self._levels: list[int] = []

    @contextmanager
    def __call__(self) -> Iterator[None]:
        loggers = [logging.getLogger(name) for name in _LOGGERS]
        with self._lock:
            self._calls += 1
            if self._calls == 1:
                self._levels = [logger.level for logger in loggers]
                for logger in loggers:
                    logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            with self._lock:
                self._calls -= 1
                if not self._calls:
                    for logger, level in zip(loggers, self._levels, strict=True):
                        logger.setLevel(level)


quiet = _Quiet()


class Database:
    """A connection, and for a local database the embedded server behind it.

    Attributes:
        client: The `MilvusClient`.
        shown: The address without credentials.
        deployment: "lite", "server" or "zilliz".
        writing: Must be held during each write.
    """

    _lock = threading.Lock()
    _users: dict[str, int] = {}  # noqa: RUF012  (guarded by _lock)
    _writers: dict[str, threading.RLock] = {}  # noqa: RUF012  (guarded by _lock)

    def __init__(self, client: Any, shown: str, path: str | None, timeout: float) -> None:
        self.client = client
        self.shown = shown
        self.timeout = timeout
        self.closed = False
        self._path = path
        # Lite does not lock its write-ahead log: two writes at once corrupt it, and what follows
        # is lost when the process dies.
        self.writing: AbstractContextManager[object] = nullcontext()
        if path:
            self.writing = self._writers.setdefault(path, threading.RLock())
        kind = "lite" if path else str(client.get_server_type())
        self.deployment = kind if kind in INDEXES else "server"

    @classmethod
    def connect(cls, uri: str, token: str | None, timeout: float, *, create: bool) -> Database:
        """Connect to a server, or start the embedded one; arguments as of `Collection.open`."""
        scheme = urlsplit(uri).scheme if "://" in uri else ""
        shown = re.sub(r"//[^/@]*@", "//", uri)
        path = None
        if scheme not in ("http", "https", "tcp"):
            if scheme or not uri.endswith(".db"):
                raise ConfigurationError(
                    f"The database {shown!r} cannot be used: give a path that ends with .db, "
                    "or the http:// or https:// address of a Milvus server."
                )
            uri = path = os.path.realpath(os.path.expanduser(uri))
            if not create and not os.path.isdir(path) and not os.path.isfile(path):
                raise nothing_stored(shown)
            try:
                os.makedirs(os.path.dirname(path), exist_ok=True)
            except OSError as error:
                raise DatabaseUnavailable(
                    f"The folder of the database {shown} cannot be made "
                    f"({error.strerror}); choose another path."
                ) from error
        with cls._lock, quiet(), _start_errors() as reasons:
            try:
                # How long to wait for an address that does not answer.
                client = MilvusClient(
                    uri=uri,
                    token=token or "",
                    timeout=min(timeout, 10.0),
                    dedicated=True,
                    **({"grpc_options": _NO_PINGS} if path else {}),
                )
            except Exception as error:
                reason = reasons[0] if reasons else error
                raise failure(reason, shown, "open") from error
            if path:
                cls._users[path] = cls._users.get(path, 0) + 1
            return cls(client, shown, path, timeout)

    def close(self) -> None:
        """Disconnect; stop the embedded server if nobody else in this process uses it."""
        with self._lock, quiet():
            if self.closed:
                return
            self.closed = True
            self.client.close()
            if self._path:
                self._users[self._path] -= 1
                if not self._users[self._path]:
                    del self._users[self._path]
                    from milvus_lite.server_manager import server_manager_instance

                    server_manager_instance.release_server(self._path)


def nothing_stored(shown: str, name: str = "ocelot") -> CollectionError:
    """The error for a collection that does not exist."""
    where = f"the collection {name!r} in {shown}" if name != "ocelot" else shown
    option = f" --collection {name}" if name != "ocelot" else ""
    return CollectionError(
        f"Nothing has been indexed in {where} yet: run `ocelot index DIR --db {shown}{option}` "
        "first, or correct the address."
    )


@contextmanager
def _start_errors() -> Iterator[list[BaseException]]:
    """Collect why an embedded database does not start: pymilvus logs the reason and drops it."""
    reasons: list[BaseException] = []

    class Catcher(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info and record.exc_info[1]:
                reasons.append(record.exc_info[1])

    logger = logging.getLogger("milvus_lite.server_manager")
    before, catcher = (logger.level, logger.propagate), Catcher()
    logger.addHandler(catcher)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        yield reasons
    finally:
        logger.removeHandler(catcher)
        logger.setLevel(before[0])
        logger.propagate = before[1]


def failure(error: BaseException, shown: str, doing: str) -> CollectionError:
    """Map an error of Milvus, gRPC or the file system to one sentence."""
    if type(error).__name__ == "DataDirLockedError":
        return DatabaseUnavailable(
            f"The database {shown} is in use by another process, and a local database serves one "
            "process at a time: wait for it or stop it, or use a Milvus server."
        )
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return DatabaseUnavailable(
            f"The database {shown} cannot be opened: a file is where a Milvus Lite 3 folder "
            "should be (older versions kept a single file); move it away or choose another path."
        )
    if isinstance(error, OSError):
        return DatabaseUnavailable(
            f"The database {shown} cannot be opened ({error.strerror or error}); "
            "check the permissions and the disk, or choose another path."
        )
    code = rpc_code(error)
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return DatabaseUnavailable(
            f"Milvus at {shown} refused the credentials; check the token (user:password or an "
            "API key)."
        )
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return DatabaseUnavailable(
            f"Milvus at {shown} does not answer; check the address, and that the server runs."
        )
    if code is grpc.StatusCode.UNIMPLEMENTED or "UNIMPLEMENTED" in str(error):
        return DatabaseUnavailable(
            f"The server at {shown} is not Milvus; check the host and the port (usually 19530)."
        )
    if not isinstance(error, (MilvusException, grpc.RpcError)):
        return DatabaseUnavailable(
            f"The database {shown} cannot be opened: its files are damaged "
            f"({type(error).__name__}); restore a copy, or index into another path."
        )
    return CollectionError(f"Milvus at {shown} could not {doing}: {cause(error)}.")


def rpc_code(error: BaseException | None) -> grpc.StatusCode | None:
    """The gRPC status of a call that failed in transport; None if Milvus answered."""
    seen: list[BaseException] = []  # pymilvus raises errors from themselves
    while error is not None and error not in seen:
        seen.append(error)
        code = getattr(error, "code", None)
        code = code() if callable(code) else code
        if isinstance(code, grpc.StatusCode):
            return code
        if isinstance(error, MilvusException) and "Retry timeout" in str(error.message):
            return grpc.StatusCode.DEADLINE_EXCEEDED
        error = error.__cause__
    return None


def cause(error: BaseException) -> str:
    """The informative part of a long message of Milvus, without a full stop."""
    details = getattr(error, "details", None)
    said = str(getattr(error, "message", "") or (details() if callable(details) else error))
    said = re.split(r" expecting \{|: service internal error", said)[0]
    said = re.split(r"\berror: |\bquery plan: |query failed: (?: *=> )?", said)[-1]
    lines = [line.strip() for line in said.splitlines()]
    # Lite repeats the expression with a caret in between; a hint may come last.
    kept = lines[:1] + [line for line in lines[3:] if line]
    return "; ".join(kept).strip(" .=>")[:300] or type(error).__name__
