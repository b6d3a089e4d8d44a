"""Fetch and unpack the data of the Milvus tutorials, a subset of Amazon Reviews 2023.

The folder appears whole or not at all, and nothing is written outside of it.
"""

from __future__ import annotations

import gzip
import re
import tarfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

import httpx

from ocelot.errors import DownloadError
from ocelot.files import atomic_path, partials_of, remove_partial
from ocelot.images.decode import SUFFIXES, hash_bytes

__all__ = [
    "AMAZON_REVIEWS_SHA256",
    "AMAZON_REVIEWS_URL",
    "Progress",
    "fetch_amazon_reviews",
    "pictures_hash",
]

AMAZON_REVIEWS_URL = (
    "https://github.com/milvus-io/bootcamp/releases/download/data/amazon_reviews_2023_subset.tar.gz"
)
# Of the pictures in the archive: see `pictures_hash`.
AMAZON_REVIEWS_SHA256 = "ab1ffafd3390b38c66e0a7e3ca7aa7f510f6f086c4f410d6fc1b6f53f82709d6"
Progress = Callable[[int, "int | None"], None]
_MAX_BYTES = 2 * 2**30  # of the archive
_MAX_UNPACKED, _MAX_FILES = 4 * 2**30, 100_000  # bytes and files in it
_SECONDS = 60.0  # without a byte, after which the transfer is given up


def fetch_amazon_reviews(
    directory: str | Path,
    *,
    url: str = AMAZON_REVIEWS_URL,
    sha256: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Fetch the pictures of the Milvus tutorials.

    A second run fetches nothing. An archive that you saved in the directory under its own name
    is trusted: it is unpacked without a request, and stays. Proxies and certificates come from the
    usual environment variables (HTTPS_PROXY, SSL_CERT_FILE).

    Args:
        directory: Where the folder `amazon_reviews_2023_subset` is made; created if missing.
        url: Another archive, or another place with the same one.
        sha256: The expected `pictures_hash`; by default that of the tutorials' pictures at their
            own address, and no check at another one.
        progress: Called with the bytes so far and the bytes in all, where these are known.

    Returns:
        The folder that holds the pictures.

    Raises:
        DownloadError: The archive cannot be fetched or written, is too large, damaged or unsafe,
            or holds no pictures or unexpected ones.
    """
    archive = Path(directory) / PurePosixPath(url.partition("?")[0]).name
    folder = archive.with_name(archive.name.removesuffix(".tar.gz"))
    if folder == archive:
        raise DownloadError(f"Cannot fetch {url!r}: the address does not end in .tar.gz.")
    if folder.exists():
        return _pictures_in(folder)
    remove_partial(partials_of(folder))
    saved_by_hand = archive.is_file()
    if sha256 is None and url == AMAZON_REVIEWS_URL and not saved_by_hand:
        sha256 = AMAZON_REVIEWS_SHA256
    try:
        if not saved_by_hand:
            _download(url, archive, progress)
        with atomic_path(folder) as partial:
            _unpack(archive, partial)
            _pictures_in(partial)
            if sha256 is not None and pictures_hash(partial) != sha256:
                raise DownloadError(
                    f"The pictures in {archive} are not those that were published: fetch it again, "
                    "or save the archive there yourself if you trust it."
                )
    except OSError as error:
        raise DownloadError(f"Cannot write to {directory}: {error.strerror or error}.") from error
    finally:
        if not saved_by_hand:
            with suppress(OSError):
                archive.unlink()
    return _pictures_in(folder)


def pictures_hash(folder: Path) -> str:
    """SHA-256 of the sorted lines that `sha256sum` prints for all pictures below a folder.

    The lines have bare names.
    """
    lines = (f"{hash_bytes(path.read_bytes())}  {path.name}\n" for path in _pictures(folder))
    return hash_bytes("".join(sorted(lines)).encode())


def _pictures(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def _download(url: str, file: Path, progress: Progress | None) -> None:
    shown = url
    try:
        # Leave out the user, the password and the query, which may be secret.
        shown = str(httpx.URL(url).copy_with(userinfo=b"", query=None, fragment=None))
        with (
            httpx.stream("GET", url, follow_redirects=True, timeout=_SECONDS) as response,
            atomic_path(file) as partial,
            open(partial, "wb") as output,
        ):
            if response.is_error:
                raise DownloadError(
                    f"Cannot fetch {shown}: the server answered {response.status_code} "
                    f"{response.reason_phrase}; try again later, or save it as {file} yourself."
                )
            if url.startswith("https:") and response.url.scheme != "https":
                raise DownloadError(f"Cannot fetch {shown}: it redirects from https to http.")
            length = response.headers.get("Content-Length", "")
            total = int(length) if length.isdecimal() else None
            done = 0
            for chunk in response.iter_raw():
                done += len(chunk)
                if max(done, total or 0) > _MAX_BYTES:
                    raise DownloadError(f"{shown} has more than {_MAX_BYTES:,} bytes.")
                output.write(chunk)
                if progress is not None:
                    progress(done, total)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        # Without "[Errno 111] " and the like.
        cause = re.sub(r"^\[.*?\] ", "", str(error)).rstrip(".") or type(error).__name__
        raise DownloadError(
            f"Cannot fetch {shown}: {cause}; check the connection and the proxy settings, or save "
            f"it as {file} yourself."
        ) from error


def _unpack(archive: Path, folder: Path) -> None:
    def members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
        size = 0
        for count, member in enumerate(tar, 1):
            size += member.size
            if count > _MAX_FILES or size > _MAX_UNPACKED:
                limits = f"{_MAX_FILES:,} files or {_MAX_UNPACKED:,} bytes"
                raise DownloadError(f"{archive} holds more than {limits}.")
            if not (member.isreg() or member.isdir()):  # filter="data" accepts some links
                raise tarfile.SpecialFileError(member)
            if not PurePosixPath(member.name).name.startswith("._"):  # macOS adds these
                yield member

    try:
        with gzip.open(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            tar.extractall(folder, members(tar), filter="data")
            while stream.read(2**20):  # gzip compares its checksum at the end
                pass
    except tarfile.FilterError as error:
        raise DownloadError(
            f"{archive} is not safe to unpack: {error}; fetch it from a place that you trust."
        ) from error
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        cause = str(error).rstrip(".") or type(error).__name__
        raise DownloadError(
            f"{archive} is not a whole .tar.gz archive ({cause}): fetch it again."
        ) from error


def _pictures_in(folder: Path) -> Path:
    """The folder at or below `folder` that holds the most pictures."""
    folders = Counter(path.parent for path in _pictures(folder)).most_common(1)
    if not folders:
        raise DownloadError(f"{folder} holds no pictures: move it away and fetch it again.")
    return folders[0][0]
