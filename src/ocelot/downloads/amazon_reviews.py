"""The data of the Milvus tutorials: a subset of Amazon Reviews 2023."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from ocelot.downloads.archive import (
    MAX_FILES,
    MAX_UNPACKED_BYTES,
    Damaged,
    appearing,
    refuse_occupied,
    unpack,
    unwrapped,
)
from ocelot.downloads.transfer import MAX_BYTES, Progress, download, without_secrets
from ocelot.errors import DownloadError
from ocelot.images.decode import SUFFIXES

__all__ = ["AMAZON_REVIEWS_URL", "fetch_amazon_reviews"]

AMAZON_REVIEWS_URL = (
    "https://github.com/milvus-io/bootcamp/releases/download/data/amazon_reviews_2023_subset.tar.gz"
)

_MARKER = ".ocelot-download.json"


def fetch_amazon_reviews(
    directory: str | Path,
    *,
    url: str = AMAZON_REVIEWS_URL,
    max_bytes: int = MAX_BYTES,
    max_unpacked_bytes: int = MAX_UNPACKED_BYTES,
    max_files: int = MAX_FILES,
    timeout: float = 60.0,
    progress: Progress | None = None,
) -> Path:
    """Fetch the Amazon Reviews 2023 subset of the Milvus tutorials and unpack it.

    Running it again fetches nothing that is there, and goes on where an earlier run stopped. An
    archive of that name in the directory is unpacked without a request, and stays.

    Args:
        directory: Gets a folder `amazon_reviews_2023_subset`; made where it is missing.
        url: Another place with the same data.
        max_bytes: Refuse a larger archive.
        max_unpacked_bytes, max_files: Refuse an archive with more in it.
        timeout: Seconds without a byte before the transfer counts as stopped.
        progress: Called with the bytes so far and, where known, of the whole archive.

    Returns:
        The folder that holds the pictures.

    Raises:
        DownloadError: The archive cannot be fetched, is over a limit, damaged or unsafe.
    """
    source = without_secrets(url)
    name = PurePosixPath(urlsplit(source).path).name.lstrip(".") or "download.tar.gz"
    archive = Path(directory) / name
    stem = re.sub(r"\.(tar\.gz|tgz|tar)$", "", name)
    target = archive.with_name(stem if stem != name else f"{name}.unpacked")
    found = _fetched(target, source)
    if found is not None:
        return found
    refuse_occupied(target)
    brought = archive.is_file()  # by hand, or by a run that was stopped later on
    download(url, archive, max_bytes=max_bytes, timeout=timeout, progress=progress)
    try:
        with appearing(target) as folder:
            unpack(archive, folder, max_unpacked_bytes, max_files)
            images = _folder_of_images(unwrapped(folder))
            if images is None:
                raise DownloadError(f"{archive} holds no pictures: is {source} the right address?")
            inside = images.relative_to(unwrapped(folder)).as_posix()
            marker = {"source": source, "images": inside}
            (unwrapped(folder) / _MARKER).write_text(json.dumps(marker), encoding="utf-8")
    except Damaged as error:
        archive.unlink(missing_ok=True)
        raise DownloadError(
            f"What came from {source} is not a whole .tar.gz archive ({error.reason}): it was "
            "removed, run the command again to fetch it anew."
        ) from error
    if not brought:
        archive.unlink(missing_ok=True)
    return target / inside


def _fetched(target: Path, source: str) -> Path | None:
    # The folder of images that an earlier run left here.
    try:
        marker = json.loads((target / _MARKER).read_text(encoding="utf-8"))
        images = target / str(marker["images"])
        return images if marker["source"] == source and images.is_dir() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _folder_of_images(root: Path) -> Path | None:
    # Down from the top as long as one folder holds nine of ten pictures: `images/` rather than
    # the folder above it, which has the query picture too, and not one of several shelves.
    images = [
        path.relative_to(root)
        for path in root.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]
    if not images:
        return None
    here = Path()
    while True:
        below = Counter(
            path.parts[: len(here.parts) + 1]
            for path in images
            if path.is_relative_to(here) and len(path.parts) > len(here.parts) + 1
        )
        parts, count = max(below.items(), key=lambda entry: entry[1], default=((), 0))
        if count < 0.9 * len(images):
            return root / here
        here = Path(*parts)
