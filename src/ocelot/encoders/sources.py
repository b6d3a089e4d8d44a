"""Where the files of a named encoder are: the package, a folder, a file, the hub."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from ocelot.errors import CheckpointError, ConfigurationError, DownloadError
from ocelot.images.decode import hash_bytes

__all__ = ["BUNDLED", "PUBLISHED", "Published", "Source", "locate"]

BUNDLED = "ocelot-tiny"
_FILES_OF_TEXT = ("config.json", "tokenizer.json", "vocab.txt", "tokenizer_config.json")


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
class Source:
    """The files of an encoder, found and not read.

    Attributes:
        name: What a `.pth` is called; a folder's config says its own.
        weights: `model.safetensors` of a folder in Ocelot's own format, or a `.pth`.
        text: The folder with config and tokenizer.
        expected: SHA-256 that the weights must have, where they are published ones.
    """

    name: str
    weights: Path
    text: Path
    expected: str | None = None

    @property
    def own(self) -> bool:
        """Whether it is a folder of Ocelot's own format."""
        return self.weights.suffix == ".safetensors"

    def stamp(self) -> str:
        """Another one when any of the files has changed; they are not read for it."""
        seen: list[tuple[object, ...]] = [(self.name, self.expected)]
        for file in (self.weights, *(self.text / name for name in _FILES_OF_TEXT)):
            with suppress(OSError):
                stat = file.stat()
                seen.append((str(file.resolve()), stat.st_size, stat.st_mtime_ns))
        return hash_bytes(repr(seen).encode())


def locate(
    name_or_path: str | Path, text_model: str | Path | None = None, *, fetch: bool = True
) -> Source:
    """Find the files of an encoder by its name or path; published ones are fetched once.

    Args:
        fetch: Whether what the hub's cache lacks may be fetched; without it nothing waits for
            the network.

    Raises:
        CheckpointError: Files are missing or not of the published size.
        ConfigurationError: There is no such encoder, or a `.pth` came without its text model.
        DownloadError: Files are not in the hub's cache, and it cannot be reached or must not be.
    """
    name = str(name_or_path)
    if name == BUNDLED:
        return _folder(Path(str(files("ocelot") / "assets" / BUNDLED)))
    if name in PUBLISHED:
        return _published(name, PUBLISHED[name], text_model, fetch)
    path = Path(name).expanduser()
    if path.is_dir():
        return _folder(path)
    if path.is_file():
        if text_model is None:
            raise ConfigurationError(
                f"{path} holds weights only: say where its text model's config.json and "
                "tokenizer are (--text-model DIR)."
            )
        return Source(path.stem, path, _text_folder(text_model, fetch))
    raise ConfigurationError(
        f"There is no encoder {name!r}: give {BUNDLED}, {', '.join(PUBLISHED)}, a .pth file, "
        "or a folder made by 'ocelot train'."
    )


def _folder(folder: Path) -> Source:
    return Source(folder.name, folder / "model.safetensors", folder)


def _published(
    name: str, published: Published, text_model: str | Path | None, fetch: bool
) -> Source:
    weights = _fetch(published.repository, published.file, fetch)
    if weights.stat().st_size != published.size:
        raise CheckpointError(
            f"{weights} has {weights.stat().st_size:,} bytes where the published file has "
            f"{published.size:,}: delete it and fetch it again."
        )
    folder = _text_folder(text_model or published.text_model, fetch)
    return Source(name, weights, folder, expected=published.sha256)


def _text_folder(text_model: str | Path, fetch: bool) -> Path:
    folder = Path(text_model).expanduser()
    if folder.is_dir():
        return folder
    if str(text_model).count("/") != 1 or str(text_model).startswith((".", "/", "~")):
        raise CheckpointError(f"There is no folder {text_model} with a text model.")
    repository = str(text_model)
    config = _fetch(repository, "config.json", fetch)
    try:
        _fetch(repository, "tokenizer.json", fetch)
    except CheckpointError:  # an older repository: a list of words
        _fetch(repository, "vocab.txt", fetch)
        with suppress(CheckpointError):
            _fetch(repository, "tokenizer_config.json", fetch)
    return config.parent


def _fetch(repository: str, file: str, fetch: bool) -> Path:
    """A file of a repository on the hub: from its cache without a request, else fetched."""
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
    except LocalEntryNotFoundError as error:
        raise _unreachable(repository, file) from error
    except EntryNotFoundError:
        raise CheckpointError(f"The repository {repository} has no file {file}.") from None
    except Exception as error:  # the hub client raises httpx, OSError and its own by turns
        raise _unreachable(repository, file) from error


def _unreachable(repository: str, file: str) -> DownloadError:
    return DownloadError(
        f"Cannot fetch {file} of {repository} from the Hugging Face hub: it cannot be reached "
        "from here. Offline, download the files elsewhere and name them with "
        f"--weights FILE --text-model DIR, or use the bundled encoder ({BUNDLED})."
    )
