"""The connection to Milvus, embedded or remote, and its errors as sentences."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
from pymilvus import MilvusClient, MilvusException

from ocelot.collection.filters import literal
from ocelot.collection.lite.database import LocalDatabase, database_path, in_use
from ocelot.errors import (
    CollectionError,
    CollectionNotFound,
    ConfigurationError,
    DatabaseUnavailable,
    OcelotError,
)

__all__ = [
    "Access", "Database", "cause", "failure", "in_order", "nothing_stored", "quiet", "rpc_code",
]  # fmt: skip

# The embedded server hangs up on pings of an idle client, and gRPC says so on stderr.
_NO_PINGS = {"grpc.keepalive_time_ms": 2**31 - 1, "grpc.keepalive_permit_without_calls": 0}
# pymilvus makes a new channel after a failure; sharing connections, gRPC would let it wait for the
# old one's next attempt, up to two minutes.
_SERVER = {"grpc.use_local_subchannel_pool": 1}
_CONNECT_FAILED = 2  # what pymilvus raises if it cannot connect again
_OLD_LITE = (
    "The database {path} is a file, and this version of Milvus Lite keeps a folder. If Milvus Lite "
    "before 3.0 made it, write its rows to a folder with `pip install 'milvus-lite<3' "
    "'pymilvus[bulk_writer]'` and `milvus-lite dump -d {path} -c COLLECTION -p FOLDER` in another "
    "environment; or index the pictures again into another path."
)
_LOGGERS = [
    logging.getLogger(name)
    for name in ("pymilvus", "pymilvus.milvus_client", "milvus_lite.adapter",
                 "milvus_lite.server_manager")
]  # fmt: skip


_NOWHERE = logging.NullHandler()


class _Quiet:
    """Silences some loggers of pymilvus and Milvus Lite while calls are in progress.

    They print tracebacks of errors that are also raised, and that become sentences here. What
    Milvus Lite says about its files is shown. Importing Ocelot leaves the loggers alone.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0
        self._before: list[tuple[list[logging.Handler], bool]] = []

    def __enter__(self) -> None:
        with self._lock:
            self._calls += 1
            if self._calls == 1:
                # Not their levels: each change of one walks through all loggers of the process.
                self._before = [(logger.handlers, logger.propagate) for logger in _LOGGERS]
                for logger in _LOGGERS:
                    logger.handlers, logger.propagate = [_NOWHERE], False

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._calls -= 1
            if not self._calls:
                for logger, before in zip(_LOGGERS, self._before, strict=True):
                    logger.handlers, logger.propagate = before


quiet = _Quiet()


@dataclass(frozen=True)
class Access:
    """How a Milvus server is entered, apart from its address; a local database needs none of it.

    Attributes:
        token: `user:password` or an API key.
        user, password: The same, apart.
        database: Name of a database of the server; "" for its default one.
        ca: File of the certificates (PEM) that the server's is checked with; by default those
            that gRPC carries.
        certificate, key: Files (PEM) of a client, for a server that wants its certificate, too.
    """

    token: str = field(default="", repr=False)
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def options(self, shown: str) -> dict[str, str]:
        """Arguments of `MilvusClient` for a server; `ConfigurationError` if they do not fit."""
        user = f"{self.user}:{self.password}" if self.user and self.password else ""
        login = {"token": self.token or user, "db_name": self.database}
        names = {"ca_pem_path": self.ca, "client_pem_path": self.certificate}
        names["client_key_path"] = self.key
        files = {name: str(file) for name, file in names.items() if file is not None}
        if files and not shown.startswith("https://"):
            raise ConfigurationError(
                f"Certificates are for an https:// server, and {shown} is none: write https://, "
                "or leave out tls_ca, tls_cert and tls_key."
            )
        if len(files) == 2 or (files and self.ca is None):
            raise ConfigurationError(
                "A client's certificate needs three files: tls_ca, tls_cert and tls_key."
            )
        for file in files.values():
            try:
                open(file, "rb").close()
            except OSError as error:
                raise ConfigurationError(
                    f"The certificate file {file} cannot be read ({error.strerror}); correct "
                    "tls_ca, tls_cert or tls_key."
                ) from error
        if len(files) == 1:  # pymilvus's name for what it checks the server with
            return login | {"server_pem_path": files["ca_pem_path"]}
        return login | files


class Database:
    """A connection, and for a local database the embedded server behind it."""

    def __init__(
        self, client: Any, shown: str, timeout: float, local: LocalDatabase | None = None
    ) -> None:
        self.client = client
        self.shown = shown  # the address without credentials
        self.timeout = timeout
        self.closed = False
        self._local = local
        is_zilliz = not local and client.get_server_type() == "zilliz"
        self.deployment = "lite" if local else "zilliz" if is_zilliz else "server"

    @classmethod
    def connect(
        cls, uri: str, access: Access, timeout: float, *, create: bool, must_exist: bool = False
    ) -> Database:
        """Connect to a server, or start the embedded one; arguments as of `Collection.open`.

        Args:
            must_exist: Whether to refuse a local database that is missing, even with `create`.
        """
        scheme = urlsplit(uri).scheme if "://" in uri else ""
        shown = re.sub(r"(?<=://).*@", "", uri)  # a password may hold / and @
        if scheme not in ("http", "https", "tcp"):
            if scheme or not uri.endswith(".db"):
                raise ConfigurationError(
                    f"The database {shown!r} cannot be used: give a path that ends with .db, "
                    "or the http:// or https:// address of a Milvus server."
                )
            if access.database:
                raise ConfigurationError(
                    f"The local database {shown} has no databases in it, such as "
                    f"{access.database!r}: leave out the name, or give another path."
                )
            return cls._open_local(shown, timeout, create=create, must_exist=must_exist)
        options: dict[str, Any] = access.options(shown)
        if access.database:
            shown = f"{shown.rstrip('/')}/{access.database}"  # as addresses name databases, too
        wait = min(timeout, 10.0)  # for an address that does not answer
        with _opening(shown):
            client = MilvusClient(
                uri, timeout=wait, dedicated=True, grpc_options=_SERVER, **options
            )
            return cls(client, shown, timeout)

    @classmethod
    def _open_local(cls, shown: str, timeout: float, *, create: bool, must_exist: bool) -> Database:
        path = database_path(shown)
        if (must_exist or not create) and not path.exists():
            raise nothing_stored(shown)
        if path.is_file():
            raise DatabaseUnavailable(_OLD_LITE.format(path=shown))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseUnavailable(
                f"The folder of the database {shown} cannot be made "
                f"({error.strerror}); choose another path."
            ) from error
        with _opening(shown):
            local = LocalDatabase.open(path, create=create)
            try:
                client = MilvusClient(
                    str(local.uri), timeout=timeout, dedicated=True, grpc_options=_NO_PINGS
                )
            except BaseException:
                local.close()
                raise
            return cls(client, shown, timeout, local)

    @contextmanager
    def writing(self, collection: str) -> Iterator[None]:
        """Hold during each write to a collection."""
        if not self._local:
            yield
            return
        with self._local.writing():
            try:
                yield
            except MilvusException as error:
                if rpc_code(error) is None:  # Milvus Lite has answered, so it writes no more
                    self._local.forget(collection)
                raise

    def make_ready(self, collection: str) -> None:
        """Load a collection that was forgotten; to be called before each use."""
        if self._local and collection in self._local.forgotten:
            self.client.load_collection(collection, timeout=self.timeout)
            self._local.forgotten.discard(collection)

    def query(
        self, collection: str, expression: str, fields: list[str], limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Entities of a collection, in no order, with all that was written before."""
        options: dict[str, Any] = {"consistency_level": "Strong", "timeout": self.timeout}
        if limit is not None:
            options["limit"] = limit
        return list(
            self.client.query(collection, filter=expression, output_fields=fields, **options)
        )

    def close(self) -> None:
        """Disconnect; stop the embedded server if nobody else in this process uses it."""
        with quiet:
            if self.closed:
                return
            self.closed = True
            self.client.close()
            if self._local:
                self._local.close()


def in_order(
    query: Callable[[str], list[dict[str, Any]]],
    key: str,
    window: int,
    edges: Sequence[str | int | None] = (None, None),
    split: int | None = None,
) -> Iterator[list[dict[str, Any]]]:
    """Pages of entities in the order of a key; a range with too many of them is split.

    Milvus returns any entities of a range, not the first ones, and pymilvus's own iterator finds
    nothing on servers that do not tell it their time.

    Args:
        query: Returns entities that an expression over the key selects, at most `window`.
        edges: Between which keys to look, in ascending order; None is open.
        split: How many of the entities found lie in the lower part; by default half of them.
    """
    ranges = list(pairwise(edges))[::-1]
    while ranges:
        low, high = ranges.pop()
        bounds = [] if low is None else [f"{key} > {literal(low)}"]
        bounds += [] if high is None else [f"{key} <= {literal(high)}"]
        page = sorted(query(" and ".join(bounds)), key=lambda entity: entity[key])
        if len(page) >= window:
            middle = page[split or window // 2][key]
            ranges += [(middle, high), (low, middle)]
        else:
            yield page


def nothing_stored(shown: str, name: str = "ocelot") -> CollectionNotFound:
    """The error for a collection that does not exist."""
    where, option = shown, ""
    if name != "ocelot":
        where, option = f"the collection {name!r} in {shown}", f" --collection {name}"
    return CollectionNotFound(
        f"Nothing has been indexed in {where} yet: run `ocelot index DIR --db {shown}{option}` "
        "first, or correct the address."
    )


@contextmanager
def _opening(shown: str) -> Iterator[None]:
    """Map whatever fails while a database is opened to a sentence."""
    try:
        with quiet:
            yield
    except OcelotError:
        raise
    except Exception as error:
        raise failure(error, shown, "open") from error


def failure(error: BaseException, shown: str, doing: str) -> CollectionError:
    """Map an error of Milvus, gRPC or the file system to one sentence."""
    code = rpc_code(error)
    if type(error).__name__ == "DataDirLockedError":
        return in_use(shown)
    if "No space left" in str(error):
        sentence = (
            f"The disk of the database {shown} is full: free some space. What was written "
            "before is kept."
        )
    elif isinstance(error, OSError):
        sentence = (
            f"The database {shown} cannot be opened ({error.strerror or error}); "
            "check the permissions and the disk, or choose another path."
        )
    elif code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        sentence = (
            f"Milvus at {shown} refused the credentials; check the token (user:password or an "
            "API key), or user and password."
        )
    elif isinstance(error, MilvusException) and "database not found" in str(error.message):
        sentence = (
            f"There is no database {shown}: correct its name, or create it with Milvus first."
        )
    elif code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        tls = ", and its certificate (tls_ca)" if shown.startswith("https://") else ""
        sentence = (
            f"Milvus at {shown} does not answer; check the address, that the server runs{tls}."
        )
    elif code is grpc.StatusCode.UNIMPLEMENTED or "UNIMPLEMENTED" in str(error):
        sentence = (
            f"The server at {shown} is not Milvus; check the host and the port (usually 19530)."
        )
    elif "://" in shown and isinstance(error, ValueError):
        sentence = f"The address {shown} cannot be used; check the host and the port."
    elif not isinstance(error, (MilvusException, grpc.RpcError)):
        sentence = (
            f"The database {shown} cannot be opened: its files are damaged "
            f"({type(error).__name__}); restore a copy, or index into another path."
        )
    else:
        return CollectionError(f"Milvus at {shown} could not {doing}: {cause(error)}.")
    return DatabaseUnavailable(sentence)


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
    if any(isinstance(one, MilvusException) and one.code == _CONNECT_FAILED for one in seen):
        return grpc.StatusCode.UNAVAILABLE
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
    return "; ".join(kept).strip(" .=>?")[:300] or type(error).__name__
