"""Unpack an archive without trusting it.

Only plain files and folders are taken, each written by this module below a fresh folder: links,
devices and paths that lead out never reach the disk.
"""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any

from ocelot.downloads.transfer import cannot_write
from ocelot.errors import DownloadError

__all__ = ["Damaged", "appearing", "extract", "refuse_occupied", "unpack", "unwrapped"]

MAX_UNPACKED_BYTES = 4 * 2**30
MAX_FILES = 100_000

_CHUNK = 2**18


def extract(
    archive: str | Path,
    directory: str | Path,
    *,
    max_unpacked_bytes: int = MAX_UNPACKED_BYTES,
    max_files: int = MAX_FILES,
) -> Path:
    """Unpack a .tar.gz or .tar archive as `directory`, which appears whole or not at all.

    A single top folder of the archive becomes `directory` itself. Modes, owners and times are
    not taken over.

    Raises:
        DownloadError: The directory exists and is not empty; or the archive is damaged, over a
            limit, or holds links, devices, the same file twice, or paths that lead out.
    """
    archive, directory = Path(archive), Path(directory)
    if not archive.is_file():
        raise DownloadError(f"There is no archive {archive} to unpack.")
    refuse_occupied(directory)
    with appearing(directory) as folder:
        unpack(archive, folder, max_unpacked_bytes, max_files)
    return directory


class Damaged(DownloadError):
    """An archive that cannot be read to its end."""

    def __init__(self, archive: Path, reason: str) -> None:
        super().__init__(
            f"{archive} is not a whole .tar.gz archive ({reason}): delete it and fetch it again."
        )
        self.reason = reason


def refuse_occupied(directory: Path) -> None:
    """Raise `DownloadError` where there is something already that unpacking would overwrite."""
    try:
        occupied = directory.exists() and (not directory.is_dir() or any(directory.iterdir()))
    except OSError as error:
        raise cannot_write(directory, error) from error
    if occupied:
        raise DownloadError(
            f"{directory} is there already and was not made by this download: move it away, or "
            "choose another folder."
        )


@contextmanager
def appearing(directory: Path) -> Iterator[Path]:
    """An empty folder that becomes `directory` when the block ends well, and else goes away."""
    staging = directory.with_name(f".{directory.name}.unpacking")
    try:
        if staging.exists():  # left by a run that was killed
            shutil.rmtree(staging)
        staging.mkdir(parents=True)
        yield staging
        if directory.exists():
            directory.rmdir()  # empty: a full one was refused
        unwrapped(staging).replace(directory)
    except OSError as error:
        raise cannot_write(directory, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def unwrapped(folder: Path) -> Path:
    """The single folder inside of `folder`, else `folder` itself."""
    entries = list(folder.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else folder


class _Bounded:
    """Reads a decompressed stream, but neither endlessly nor much at once.

    tarfile reads the long headers of PAX and GNU whole, however long they say they are.
    """

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream = stream
        self._limit = limit

    def read(self, size: int) -> bytes:
        if not 0 <= size <= 2**20:
            raise tarfile.ReadError("a header is too long")
        if self._stream.tell() > self._limit:
            raise tarfile.ReadError("it goes on after its end")
        return self._stream.read(size)

    def seek(self, offset: int) -> int:
        return self._stream.seek(offset)

    def tell(self) -> int:
        return self._stream.tell()


def unpack(archive: Path, folder: Path, max_bytes: int, max_files: int) -> None:
    """Write the files of `archive` below `folder`, which is empty.

    Raises:
        DownloadError: The archive is damaged, unsafe, or over a limit.
        OSError: A file cannot be written.
    """
    try:
        with open(archive, "rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream: Any = gzip.GzipFile(fileobj=raw) if zipped else raw
            # 2 KiB a file for headers and padding, and some for what fills the last block
            bounded: Any = _Bounded(stream, max_bytes + 2048 * max_files + 2**20)
            with tarfile.open(fileobj=bounded, mode="r:") as tar:
                _unpack_members(archive, tar, folder, max_bytes, max_files)
            while bounded.read(_CHUNK):  # gzip checks its sums only at the end
                pass
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Damaged(archive, str(error).rstrip(".") or type(error).__name__) from error
    except (ValueError, OverflowError, RecursionError) as error:  # nonsense in headers
        raise Damaged(archive, f"its headers make no sense: {type(error).__name__}") from error


def _unpack_members(
    archive: Path, tar: tarfile.TarFile, folder: Path, max_bytes: int, max_files: int
) -> None:
    size = 0
    for count, member in enumerate(tar, 1):
        size += member.size
        if count > max_files or size > max_bytes or member.size < 0:
            raise DownloadError(
                f"{archive} holds more than {max_files:,} files or {max_bytes:,} bytes: raise the "
                "limits if it is the right archive."
            )
        path = _safe_path(member.name)
        if path is None or not (member.isdir() or (member.isreg() and not member.issparse())):
            raise DownloadError(
                f"{archive} is not safe to unpack: {member.name!r} is a link, a device, or lies "
                "outside of the archive's own folder; fetch it from a place that you trust."
            )
        if path.name.startswith("._"):  # what macOS adds beside each file
            continue
        try:
            if member.isdir():
                (folder / path).mkdir(parents=True, exist_ok=True)
            else:
                _write(tar, member, folder / path)
        except (FileExistsError, NotADirectoryError):
            raise DownloadError(
                f"{archive} is not safe to unpack: it holds {member.name!r} twice; fetch it from "
                "a place that you trust."
            ) from None


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    assert source is not None  # a regular file
    with open(path, "xb") as file:
        shutil.copyfileobj(source, file, _CHUNK)


def _safe_path(name: str) -> PurePosixPath | None:
    # Read as Windows would, too: C:, backslashes and all.
    path, windows = PurePosixPath(name), PureWindowsPath(name)
    if path.is_absolute() or windows.anchor or ".." in windows.parts or "\0" in name:
        return None
    return None if "\\" in name else path
