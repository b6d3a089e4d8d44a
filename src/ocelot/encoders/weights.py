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
from typing import TYPE_CHECKING

from ocelot.errors import CheckpointError, ConfigurationError, DownloadError
from ocelot.images.decode import hash_bytes
from ocelot.settings import cache_folder

if TYPE_CHECKING:
    from ocelot.model.checkpoint import Checkpoint

__all__ = ["BUNDLED", "PUBLISHED", "EncoderFiles", "Published", "load_checkpoint", "locate"]

BUNDLED = "ocelot-tiny"
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
    """Where the files of an encoder are.

    Attributes:
        name: Name of the encoder, unless it is a folder whose config has one.
        weights: `model.safetensors` of a folder in Ocelot's format, or a published `.pth`.
        text: The folder with config and tokenizer.
        expected: SHA-256 that the weights must have, for published ones.
    """

    name: str
    weights: Path
    text: Path
    expected: str | None = None

    def stamp(self) -> str:
        """Return a hash that changes when a file does, from names, sizes and times alone."""
        seen: list[tuple[object, ...]] = [(self.name, self.expected)]
        for file in (self.weights, *(self.text / name for name in _TEXT_FILES)):
            with suppress(OSError):
                stat = file.stat()
                seen.append((str(file.resolve()), stat.st_size, stat.st_mtime_ns))
        return hash_bytes(repr(seen).encode())

    def read(self) -> Checkpoint:
        """Read the checkpoint.

        Raises:
            CheckpointError: Files are missing, damaged or do not fit together.
        """
        if self.weights.suffix == ".safetensors":
            from ocelot.model.checkpoint import read_folder

            return read_folder(self.text)
        from ocelot.model.published import read_published

        copies = cache_folder() / "checkpoints"
        return read_published(
            self.weights, self.text, name=self.name, copies=copies, expected=self.expected
        )


def load_checkpoint(name_or_path: str | Path, text_model: str | Path | None = None) -> Checkpoint:
    """Find a checkpoint by name or path and read it; see `locate`.

    Raises:
        CheckpointError: Files are missing, damaged or do not fit together.
        ConfigurationError: There is no such encoder, or a `.pth` came without its text model.
        DownloadError: Files are not in the hub's cache, and the hub cannot be reached.
    """
    return locate(name_or_path, text_model).read()


def locate(
    name_or_path: str | Path, text_model: str | Path | None = None, *, fetch: bool = True
) -> EncoderFiles:
    """Find the files of an encoder by its name or path; published ones are fetched once.

    Args:
        name_or_path: The bundled encoder's name, a published one's, a `.pth`, or a folder.
        text_model: For a `.pth`: the folder with the text model's config.json and tokenizer, or
            its name on the hub.
        fetch: Whether files that are not in the hub's cache may be fetched.

    Raises:
        CheckpointError: Files are missing or not of the published size.
        ConfigurationError: There is no such encoder, or a `.pth` came without its text model.
        DownloadError: Files are not in the hub's cache, and the hub cannot be reached or must
            not be asked.
    """
    name = str(name_or_path)
    if name in PUBLISHED:
        return _published(name, PUBLISHED[name], text_model, fetch)
    bundled = files("ocelot") / "assets" / BUNDLED
    path = Path(str(bundled)) if name == BUNDLED else Path(os.path.expanduser(name))
    if path.is_dir():
        return EncoderFiles(path.name, path / "model.safetensors", path)
    if not path.is_file():
        raise ConfigurationError(
            f"There is no encoder {name!r}: give {BUNDLED}, {', '.join(PUBLISHED)}, a .pth file, "
            "or a folder made by 'ocelot train'."
        )
    if text_model is None:
        raise ConfigurationError(
            f"{path} holds weights only: say where its text model's config.json and "
            "tokenizer are (--text-model DIR)."
        )
    return EncoderFiles(path.stem, path, _text_folder(text_model, fetch))


def _published(
    name: str, published: Published, text_model: str | Path | None, fetch: bool
) -> EncoderFiles:
    weights = _fetch(published.repository, published.file, fetch)
    if weights.stat().st_size != published.size:
        raise CheckpointError(
            f"{weights} has {weights.stat().st_size:,} bytes where the published file has "
            f"{published.size:,}: delete it and fetch it again."
        )
    folder = _text_folder(text_model or published.text_model, fetch)
    return EncoderFiles(name, weights, folder, expected=published.sha256)


def _text_folder(text_model: str | Path, fetch: bool) -> Path:
    folder = Path(os.path.expanduser(text_model))
    if folder.is_dir():
        return folder
    if str(text_model).count("/") != 1 or str(text_model).startswith((".", "/", "~")):
        raise CheckpointError(f"There is no folder {text_model} with a text model.")
    repository = str(text_model)
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
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    with suppress(LocalEntryNotFoundError, HFValidationError):
        return Path(hf_hub_download(repository, file, local_files_only=True))
    if not fetch:
        raise DownloadError(f"{file} of {repository} is not in the Hugging Face hub's cache.")
    try:
        return Path(hf_hub_download(repository, file))
    except (RepositoryNotFoundError, HFValidationError):
        raise CheckpointError(
            f"There is no repository {repository!r} on the Hugging Face hub, or it is private."
        ) from None
    except Exception as error:  # the client raises errors of httpx, OSError, and its own
        if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
            raise CheckpointError(f"The repository {repository} has no file {file}.") from None
        raise DownloadError(
            f"Cannot fetch {file} of {repository} from the Hugging Face hub: it cannot be reached "
            "from here. Offline, download the files elsewhere and name them with "
            f"--weights FILE --text-model DIR, or use the bundled encoder ({BUNDLED})."
        ) from error
