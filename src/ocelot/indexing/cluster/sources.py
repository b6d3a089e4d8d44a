"""What is to be indexed: local paths and URLs, listed; and the pictures that a listed file holds.

A tar is a WebDataset: members with one name are one sample, whose `.json` is the metadata of its
pictures, and whose `.txt` is their `text`. Each row of a Parquet file is a picture; its other
columns are metadata.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from ocelot.errors import ConfigurationError, ImageError, InputError
from ocelot.images.decode import MAX_BYTES, SUFFIXES
from ocelot.images.fetch import public_name
from ocelot.images.places import is_url
from ocelot.images.reading import opened, read_picture
from ocelot.indexing.metadata import METADATA_NAMES, MetadataTables, read_tables
from ocelot.indexing.scan import File, roots_of, scan
from ocelot.types import Failure

__all__ = ["Listing", "Picture", "is_container", "list_sources", "pictures_of"]

_CONTAINERS = (".tar", ".parquet")
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")  # by file system
_ROWS = 64  # of a Parquet file that are read at once


class Picture(NamedTuple):
    """A picture of a listed file."""

    path: str
    mtime_ns: int = 0  # 0 if unknown
    size: int = 0  # 0 if unknown
    data: bytes | None = None  # None if `path` is to be read
    metadata: Mapping[str, Any] = {}
    error: str = ""

    def read(self) -> bytes:
        return self.data if self.data is not None else read_picture(self.path).data


@dataclass
class Listing:
    """The files of all sources, and what their metadata tables say."""

    files: list[File] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)  # local ones, each with its final separator
    failures: list[Failure] = field(default_factory=list)
    tables: list[MetadataTables] = field(default_factory=list)


def is_container(path: str) -> bool:
    """Whether a file holds many pictures."""
    return path.lower().endswith(_CONTAINERS)


def list_sources(sources: Sequence[str], metadata: str | Path | None = None) -> Listing:
    """List folders, image files, `.tar` and `.parquet` files, and URLs of all these, also with `*`.

    Args:
        metadata: As of `Engine.index`, for the pictures of folders.

    Raises:
        InputError: A source does not exist, or its URL holds a secret.
        ConfigurationError: The package for a file system is missing.
        MetadataError: As of `read_tables`.
    """
    listing = Listing()
    local = [source.removeprefix("file://") for source in sources if not _is_remote(source)]
    if local:
        roots = roots_of(local)
        listing.folders = [os.path.join(root, "") for root in roots if os.path.isdir(root)]
        found = list(scan(roots))
        listing.files = [one for one in found if isinstance(one, File)]
        listing.failures = [one for one in found if isinstance(one, Failure)]
        described = [root for root in roots if not is_container(root)]
        pictures = [file.path for file in listing.files if not is_container(file.path)]
        listing.tables.append(read_tables(described, pictures, metadata))
    for source in filter(_is_remote, sources):
        _list_url(source, metadata, listing)
    return listing


def _is_remote(source: str) -> bool:
    return is_url(source) and not source.startswith("file://")


def _list_url(url: str, metadata: str | Path | None, listing: Listing) -> None:
    if public_name(url) != url:
        raise InputError(
            f"The URL {public_name(url)} was given with a user, a password or a query, which would "
            "be stored with each picture: set them where fsspec reads them, as variables of the "
            "environment."
        )
    try:
        import fsspec

        system, root = fsspec.core.url_to_fs(url)
        is_folder = "*" not in root and system.isdir(root)
        if "*" in root:
            found = system.glob(root, detail=True)
        else:
            found = system.find(root, detail=True) if is_folder else {root: system.info(root)}
    except ImportError as error:
        raise ConfigurationError(f"Reading {url} needs one more package: {error}.") from None
    except Exception as error:  # each file system has its own; their texts may hold secrets
        cause = getattr(error, "strerror", None) or type(error).__name__
        raise InputError(
            f"{url} cannot be listed ({cause}): check the URL and access to it."
        ) from None
    places = {str(system.unstrip_protocol(name)): info for name, info in found.items()}
    base = f"{str(system.unstrip_protocol(root)).rstrip('/')}/"
    for place, info in sorted(places.items()):
        below = place.removeprefix(base) if is_folder else os.path.basename(place)
        hidden = any(part.startswith(".") for part in below.split("/"))
        wanted = not is_folder or os.path.splitext(place)[1].lower() in SUFFIXES
        if wanted and not hidden and info.get("type") != "directory":
            listing.files.append(File(place, int(info.get("size") or 0), _mtime_ns(info)))
    if is_folder:
        tables = [place for name in METADATA_NAMES if (place := base + name) in places]
        mine = [file.path for file in listing.files if file.path.startswith(base)]
        listing.tables.append(_remote_tables(base, tables, mine, metadata))


def _mtime_ns(info: Mapping[str, Any]) -> int:
    for value in map(info.get, _TIMES):
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value.replace("Z", "+00:00"))
            except ValueError:
                continue
        if isinstance(value, datetime):
            value = value.timestamp()
        if isinstance(value, (int, float)):
            return int(value * 1e9)
    return 0


def _remote_tables(
    base: str, tables: Iterable[str], pictures: Iterable[str], named: str | Path | None
) -> MetadataTables:
    """The metadata tables of a remote folder, read as if it were a local one."""
    with TemporaryDirectory() as folder:
        mirror = os.path.join(os.path.realpath(folder), "")
        for table in tables:
            with opened(table) as file:
                Path(mirror, os.path.basename(table)).write_bytes(file.read())
        local = [mirror + path.removeprefix(base) for path in pictures]
        found = read_tables([mirror.rstrip(os.sep)], local, named)
    return MetadataTables(
        {path.replace(mirror, base): line for path, line in found.lines.items()},
        {path.replace(mirror, base): number for path, number in found.used.items()},
        [replace(one, path=one.path.replace(mirror, base)) for one in found.remarks],
    )


def pictures_of(file: File, column: str = "image") -> Iterator[Picture]:
    """The pictures that a listed file holds: itself, the members of a tar, the rows of a table.

    What cannot be read is a picture with an error. The `column` of a Parquet file holds bytes, a
    path, a URL, or a mapping with "bytes" or "path".
    """
    if not is_container(file.path):
        yield Picture(file.path, file.mtime_ns, file.size)
        return
    try:
        with opened(file.path) as stream:
            if file.path.lower().endswith(".tar"):
                yield from _members(file, stream)
            else:
                yield from _rows(file, stream, column)
    except ImageError as error:
        yield Picture(file.path, error=error.reason)


def _members(file: File, stream: Any) -> Iterator[Picture]:
    def contents() -> Iterator[tuple[str, bytes | None]]:
        with tarfile.open(fileobj=stream, mode="r|*") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isfile() else None
                if content is not None:
                    yield member.name, content.read() if member.size <= MAX_BYTES else None

    def sample(named: tuple[str, Any]) -> str:
        folder, name = os.path.split(named[0])
        return os.path.join(folder, name.partition(".")[0])

    for _, group in groupby(contents(), sample):
        parts = dict(group)
        metadata: dict[str, Any] = {}
        for name, data in parts.items():
            try:
                if name.lower().endswith(".json"):
                    metadata |= json.loads(data or b"{}")
                elif name.lower().endswith(".txt"):
                    metadata["text"] = (data or b"").decode().strip()
            except (ValueError, TypeError) as error:
                yield Picture(f"{file.path}#{name}", error=f"its metadata cannot be read ({error})")
        for name, data in parts.items():
            if os.path.splitext(name)[1].lower() in SUFFIXES:
                large = "" if data is not None else f"it is larger than {MAX_BYTES >> 20} MiB"
                path = f"{file.path}#{name}"
                yield Picture(path, file.mtime_ns, 0, data or b"", metadata, large)


def _rows(file: File, stream: Any, column: str) -> Iterator[Picture]:
    import pyarrow.parquet

    table = pyarrow.parquet.ParquetFile(stream)
    if column not in table.schema_arrow.names:
        names = ", ".join(table.schema_arrow.names)
        raise ImageError(file.path, f"it has no column {column}, but {names} (--image-column)")
    number = 0
    for batch in table.iter_batches(batch_size=_ROWS):
        for row in batch.to_pylist():
            cell = row.pop(column)
            data = cell.get("bytes") if isinstance(cell, dict) else cell
            path = cell.get("path") if isinstance(cell, dict) else cell
            place = f"{file.path}#{column}={number}"
            number += 1
            if isinstance(data, bytes):
                yield Picture(place, file.mtime_ns, 0, data, row)
            elif isinstance(path, str) and path:
                yield _named(path, os.path.dirname(file.path), row)
            else:
                yield Picture(place, error="the row has no picture")


def _named(path: str, folder: str, metadata: Mapping[str, Any]) -> Picture:
    """A picture that a row names by its path or URL."""
    try:
        if is_url(path):
            data = None if public_name(path) == path else read_picture(path).data
            return Picture(public_name(path), 0, 0, data, metadata)
        if is_url(folder):
            return Picture(f"{folder}/{path}", metadata=metadata)
        path = os.path.abspath(os.path.join(folder, path))
        status = os.stat(path)
        return Picture(path, status.st_mtime_ns, status.st_size, metadata=metadata)
    except ImageError as error:
        return Picture(error.name, error=error.reason)
    except OSError as error:
        return Picture(path, error=error.strerror or str(error))
