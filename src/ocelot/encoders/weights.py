"""Where the weights of a named encoder come from: the package, a folder, a file, the hub."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ocelot.errors import CheckpointError, ConfigurationError, DownloadError
from ocelot.images import hash_bytes
from ocelot.model.checkpoint import (
    FORMAT,
    Checkpoint,
    from_published,
    geometry_from_dict,
    geometry_to_dict,
    read_folder,
    read_published,
    sha256,
)
from ocelot.model.tokenizer import TextTokenizer
from ocelot.model.visualized_bge import Geometry
from ocelot.settings import cache_folder

__all__ = ["BUNDLED", "PUBLISHED", "Published", "resolve"]

BUNDLED = "ocelot-tiny"


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


def resolve(name_or_path: str | Path, text_model: str | Path | None = None) -> Checkpoint:
    """Find a checkpoint by name or path and read it.

    Raises:
        CheckpointError: Files are missing, damaged or do not fit together.
        ConfigurationError: There is no such encoder, or a `.pth` came without its text model.
        DownloadError: The hub cannot be reached and the files are not in its cache.
    """
    name = str(name_or_path)
    if name == BUNDLED:
        return read_folder(Path(str(files("ocelot") / "assets" / BUNDLED)))
    if name in PUBLISHED:
        return _from_hub(name, PUBLISHED[name], text_model)
    path = Path(name).expanduser()
    if path.is_dir():
        return read_folder(path)
    if path.is_file():
        if text_model is None:
            raise ConfigurationError(
                f"{path} holds weights only: say where its text model's config.json and "
                "tokenizer are (--text-model DIR)."
            )
        return _from_file(path, _text_folder(text_model), name=path.stem, expected=None)
    raise ConfigurationError(
        f"There is no encoder {name!r}: give {BUNDLED}, {', '.join(PUBLISHED)}, a .pth file, "
        "or a folder made by 'ocelot train'."
    )


def _from_hub(name: str, published: Published, text_model: str | Path | None) -> Checkpoint:
    weights = _fetch(published.repository, published.file)
    if weights.stat().st_size != published.size:
        raise CheckpointError(
            f"{weights} has {weights.stat().st_size:,} bytes where the published file has "
            f"{published.size:,}: delete it and fetch it again."
        )
    folder = _text_folder(text_model or published.text_model)
    return _from_file(weights, folder, name=name, expected=published.sha256)


def _text_folder(text_model: str | Path) -> Path:
    folder = Path(text_model).expanduser()
    if folder.is_dir():
        return folder
    if str(text_model).count("/") != 1 or str(text_model).startswith((".", "/", "~")):
        raise CheckpointError(f"There is no folder {text_model} with a text model.")
    repository = str(text_model)
    config = _fetch(repository, "config.json")
    try:
        _fetch(repository, "tokenizer.json")
    except CheckpointError:  # an older repository: a list of words
        _fetch(repository, "vocab.txt")
        with suppress(CheckpointError):
            _fetch(repository, "tokenizer_config.json")
    return config.parent


def _fetch(repository: str, file: str) -> Path:
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


def _from_file(weights: Path, text: Path, *, name: str, expected: str | None) -> Checkpoint:
    """Read a `.pth`; its safetensors copy in the cache is read in its place from then on."""
    config_file = text / "config.json"
    try:
        config = json.loads(config_file.read_text(encoding="utf-8"))
    except OSError:
        raise CheckpointError(f"The text model {text} has no readable config.json.") from None
    except ValueError as error:
        raise CheckpointError(f"{config_file} is not JSON: {error}.") from None
    stat = weights.stat()
    key = (FORMAT, str(weights.resolve()), stat.st_size, stat.st_mtime_ns, json.dumps(config))
    copy = cache_folder() / "checkpoints" / f"{hash_bytes(repr(key).encode())[:32]}.safetensors"
    found = _read_copy(copy)
    digest = sha256(weights) if found is None else found[0]
    if expected is not None and digest != expected:
        raise CheckpointError(
            f"{weights} is not the published file (SHA-256 {digest[:12]}…, expected "
            f"{expected[:12]}…): delete it and fetch it again."
        )
    if found is None:
        geometry, state = from_published(read_published(weights), config)
        _write_copy(copy, digest, geometry, state)
    else:
        _, geometry, state = found
    tokenizer = TextTokenizer.load(text)
    files_of_tokenizer = hash_bytes(tokenizer.tokenizer.to_str().encode())
    fingerprint = hash_bytes(f"{digest} {json.dumps(config)} {files_of_tokenizer}".encode())
    return Checkpoint(name, fingerprint, geometry, state, tokenizer)


def _read_copy(copy: Path) -> tuple[str, Geometry, dict[str, Tensor]] | None:
    try:
        with safe_open(copy, "pt") as file:
            notes = file.metadata()
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        return notes["sha256"], geometry_from_dict(json.loads(notes["geometry"])), state
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, CheckpointError):
        return None  # missing or damaged: it is made again


def _write_copy(copy: Path, digest: str, geometry: Geometry, state: dict[str, Tensor]) -> None:
    notes = {"sha256": digest, "geometry": json.dumps(geometry_to_dict(geometry))}
    partial = copy.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        save_file({key: value.contiguous() for key, value in state.items()}, partial, notes)
        partial.replace(copy)
    except (OSError, SafetensorError):  # no room or no right: only the next start is slower
        with suppress(OSError):
            partial.unlink()
