"""The files of an encoder: found by name or path, fetched from the hub, read.

Finding them needs no torch, which takes a second to import.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocelot.errors import CheckpointError, ConfigurationError, DownloadError
from ocelot.images.decode import hash_bytes
from ocelot.settings import cache_folder

if TYPE_CHECKING:
    from ocelot.model.checkpoint import Checkpoint

__all__ = [
    "BUNDLED",
    "PUBLISHED",
    "EncoderFiles",
    "Published",
    "load_checkpoint",
    "locate",
]

BUNDLED = "ocelot-tiny"
_REACHED = 4.0  # seconds in which the hub must answer
_TEXT_FILES = ("config.json", "tokenizer.json", "vocab.txt", "tokenizer_config.json")


@dataclass(frozen=True)
class Published:
    """A checkpoint on the Hugging Face hub and the files that go with it."""

    file: str
    size: int
    sha256: str
    text_model: str
    repository: str = "BAAI/bge-visualized"


PUBLISHED: Mapping[str, Published] = {
    "bge-visualized-base": Published(
        "Visualized_base_en_v1.5.pth",
        392_860_018,
        "07e58cf70ee6962530490ef1ac5b632e7e0153ba8c7ed49d55e0f41ec97bf6a6",
        "BAAI/bge-base-en-v1.5",
    ),
    "bge-visualized-m3": Published(
        "Visualized_m3.pth",
        1_746_155_890,
        "d14e7e8f2618b80d3f4a3283c08f79a16f09ce37d4447dac24117b44df6bd069",
        "BAAI/bge-m3",
    ),
}


@dataclass(frozen=True)
class EncoderFiles:
    """Where the files of an encoder are."""

    name: str  # unless it is a folder whose config has another
    weights: Path  # `model.safetensors` of a folder in Ocelot's format, or a published `.pth`
    text: Path  # the folder with config and tokenizer
    expected: str | None = None  # SHA-256 of published weights

    def stamp(self) -> str:
        """Return a hash that changes when a file does, from names, sizes and times alone."""
        seen: list[tuple[object, ...]] = [(self.name, self.expected)]
        for file in (self.weights, *(self.text / name for name in _TEXT_FILES)):
            with suppress(OSError):
                stat = file.stat()
                seen.append((str(file.resolve()), stat.st_size, stat.st_mtime_ns))
        return hash_bytes(repr(seen).encode())

    def read(self) -> Checkpoint:
        """Read the checkpoint; `CheckpointError` if files are damaged or do not fit together."""
        if self.weights.suffix == ".safetensors":
            from ocelot.model.checkpoint import read_folder

            return read_folder(self.text)
        from ocelot.model.published import read_published

        copies = cache_folder() / "checkpoints"
        return read_published(
            self.weights, self.text, name=self.name, copies=copies, expected=self.expected
        )


def load_checkpoint(name_or_path: str | Path, text_model: str | Path | None = None) -> Checkpoint:
    """Find a checkpoint by name or path and read it; arguments and errors are those of `locate`."""
    return locate(name_or_path, text_model).read()


def locate(
    name_or_path: str | Path, text_model: str | Path | None = None, *, fetch: bool = True
) -> EncoderFiles:
    """Find the files of an encoder; for the arguments see `VisualizedBGE.load`.

    Args:
        fetch: Whether files that are not in the hub's cache may be fetched.

    Raises:
        CheckpointError: Files are missing or not of the published size.
        ConfigurationError: There is no such encoder, or a `.pth` came without its text model.
        DownloadError: Files are not in the hub's cache, and cannot or must not be fetched.
    """
    name = str(name_or_path)
    if published := PUBLISHED.get(name):
        weights = _fetch(published.repository, published.file, fetch)
        if (size := weights.stat().st_size) != published.size:
            raise CheckpointError(
                f"{weights} has {size:,} bytes where the published file has "
                f"{published.size:,}: delete it and fetch it again."
            )
        folder = _text_folder(text_model or published.text_model, fetch)
        return EncoderFiles(name, weights, folder, published.sha256)
    bundled = files("ocelot") / "assets" / BUNDLED
    path = Path(str(bundled)) if name == BUNDLED else Path(os.path.expanduser(name))
    if path.is_dir():
        return EncoderFiles(path.name, path / "model.safetensors", path)
    if not path.is_file():
        raise ConfigurationError(
            f"There is no encoder {name!r}: give a name that `ocelot encoders` lists, a .pth file, "
            "a folder made by 'ocelot train', or st:NAME for a model of sentence-transformers."
        )
    if text_model is None:
        raise ConfigurationError(
            f"{path} holds weights only: say where its text model's config.json and "
            "tokenizer are (--text-model DIR)."
        )
    return EncoderFiles(path.stem, path, _text_folder(text_model, fetch))


def _text_folder(text_model: str | Path, fetch: bool) -> Path:
    folder, repository = Path(os.path.expanduser(text_model)), str(text_model)
    if folder.is_dir():
        return folder
    if repository.count("/") != 1 or repository.startswith((".", "/", "~")):
        raise CheckpointError(f"There is no folder {text_model} with a text model.")
    config = _fetch(repository, "config.json", fetch)
    try:
        _fetch(repository, "tokenizer.json", fetch)
    except CheckpointError:  # an older repository: a plain vocabulary
        _fetch(repository, "vocab.txt", fetch)
        with suppress(CheckpointError):
            _fetch(repository, "tokenizer_config.json", fetch)
    return config.parent


def _fetch(repository: str, file: str, fetch: bool) -> Path:
    """Return a file of a hub repository: from the cache without a request, else fetched."""
    from huggingface_hub import (
        get_hf_file_metadata,
        hf_hub_download,
        hf_hub_url,
        try_to_load_from_cache,
    )
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        # None: not there yet. Neither that nor a path: the repository has no such file.
        found: Any = try_to_load_from_cache(repository, file)
        if found is None and fetch:
            # The download is patient: it tries again for half a minute where there is no network.
            with suppress(HfHubHTTPError):  # what the hub answers is the download's to judge
                get_hf_file_metadata(hf_hub_url(repository, file), timeout=_REACHED)
            found = hf_hub_download(repository, file)
    except (RepositoryNotFoundError, HFValidationError):
        raise CheckpointError(
            f"There is no repository {repository!r} on the Hugging Face hub, or it is private."
        ) from None
    except Exception as error:  # the client raises errors of httpx, OSError, and its own
        if isinstance(error, LocalEntryNotFoundError) or not isinstance(error, EntryNotFoundError):
            raise DownloadError(
                f"Cannot fetch {file} of {repository} from the Hugging Face hub: it cannot be "
                "reached from here. Offline, download the files elsewhere and name them with "
                f"--weights FILE --text-model DIR, or use the bundled encoder ({BUNDLED})."
            ) from error
        found = error
    if found is None:
        raise DownloadError(f"{file} of {repository} is not in the Hugging Face hub's cache.")
    if not isinstance(found, str):
        raise CheckpointError(f"The repository {repository} has no file {file}.")
    return Path(found)
