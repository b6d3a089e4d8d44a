"""Models in the format of sentence-transformers: their files, loading them, pictures for them.

Only weights as safetensors, configurations and vocabularies are fetched. Code that comes with a
model is never run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocelot.errors import (
    CheckpointError,
    ConfigurationError,
    DownloadError,
    ImageError,
    OcelotError,
    requires_extra,
)
from ocelot.images.decode import hash_bytes
from ocelot.model.checkpoint import sha256_of

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "MAX_PIXELS", "Pretrained", "bounded", "first_sentence", "loading", "locate", "plain",
    "refuse_code",
]  # fmt: skip

MAX_PIXELS = 1280 * 32 * 32  # what Qwen3-VL-Embedding takes
_MAX_RATIO = 150  # of a picture's sides: the processors of the Qwen-VL kind refuse 200
_FILES = ("*.json", "*.safetensors", "*.txt", "*.jinja", "*.model")


@dataclass(frozen=True)
class Pretrained:
    """Where the files of a model are.

    Attributes:
        name: Of its repository on the hub, or of its folder.
        revision: The commit on the hub; of a folder, a hash over its weights, configuration and
            vocabulary.
    """

    name: str
    folder: Path
    revision: str

    def read(self, file: str) -> Any:
        """Return a JSON file, None if there is none; `CheckpointError` if it is damaged."""
        try:
            return json.loads((self.folder / file).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            cause = f"Cannot read {self.folder / file}: {first_sentence(error)}."
            raise CheckpointError(cause) from None

    def modules(self) -> list[str]:
        """Return the types in modules.json; [] for a plain model of transformers."""
        return [str(module.get("type")) for module in self.read("modules.json") or ()]

    def custom_code(self) -> str | None:
        """Return the class that the model cannot be loaded without and that comes with it."""
        from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

        foreign = [kind for kind in self.modules() if not kind.startswith("sentence_transformers.")]
        config = self.read("config.json") or {}
        if config.get("auto_map") and config.get("model_type") not in CONFIG_MAPPING_NAMES:
            foreign += map(str, config["auto_map"].values())
        return next(iter(foreign), None)


def locate(name: str, owner: str) -> Pretrained:
    """Find a model: a folder, or NAME, OWNER/NAME or OWNER/NAME@REVISION on the hub.

    Once fetched, a model is taken from the hub's cache without a request.

    Args:
        owner: The owner of a NAME without one.

    Raises:
        CheckpointError: The folder holds no model, or the hub has no such repository.
        ConfigurationError: There is no such folder.
        DownloadError: The hub cannot be reached.
    """
    folder = Path(os.path.expanduser(name))
    if folder.is_dir():
        if not any((folder / file).is_file() for file in ("config.json", "modules.json")):
            raise CheckpointError(f"The folder {folder} holds no model: it has no config.json.")
        files = sorted(file for pattern in _FILES for file in folder.rglob(pattern))
        names = [file.relative_to(folder).as_posix() for file in files]
        revision = hash_bytes(f"{names} {sha256_of(*files)}".encode())
        return Pretrained(folder.resolve().name, folder, revision)
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise ConfigurationError(f"There is no folder {name} with a model.")
    repository, _, wanted = name.partition("@")
    if "/" not in repository:
        repository = f"{owner}/{repository}"
    folder = _snapshot(repository, wanted or None)
    return Pretrained(repository, folder, folder.name)


def _snapshot(repository: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    def fetch(*, cached: bool) -> Path:
        return Path(
            snapshot_download(
                repository, revision=revision, allow_patterns=[*_FILES], local_files_only=cached
            )
        )

    try:
        try:
            return fetch(cached=True)
        except LocalEntryNotFoundError:
            return fetch(cached=False)
    except (RepositoryNotFoundError, HFValidationError):
        raise CheckpointError(
            f"There is no repository {repository!r} on the Hugging Face hub, or it is private."
        ) from None
    except RevisionNotFoundError:
        raise CheckpointError(f"The repository {repository} has no revision {revision}.") from None
    except Exception as error:  # the client raises errors of its HTTP library, OSError, its own
        raise DownloadError(
            f"Cannot fetch {repository} from the Hugging Face hub: it cannot be reached from here. "
            "Offline, download the repository elsewhere and name its folder."
        ) from error


@contextmanager
def loading(what: str) -> Iterator[None]:
    """Load a model in the block, quietly; whatever the libraries raise becomes an error of ours.

    Args:
        what: For messages, such as "the encoder st:NAME".

    Raises:
        ConfigurationError: The extra `st` is not installed.
        CheckpointError: The model cannot be loaded.
    """
    with requires_extra("st", what[0].upper() + what[1:]):
        import sentence_transformers  # noqa: F401
        from transformers.utils import logging
    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    except OcelotError:
        raise
    except ImportError as error:
        raise ConfigurationError(
            f"Cannot load {what}: {first_sentence(error)}; install what is missing (for models "
            "of the Qwen-VL kind, the torchvision that fits your torch)."
        ) from error
    except Exception as error:
        raise CheckpointError(f"Cannot load {what}: {first_sentence(error)}.") from error
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def refuse_code(found: Pretrained, what: str) -> None:
    """Raise a `ConfigurationError` if a model needs code that comes with it."""
    if code := found.custom_code():
        raise ConfigurationError(
            f"Cannot load {what}: it needs code that comes with it ({code}), which Ocelot does "
            "not run; choose a model that sentence-transformers knows."
        )


def first_sentence(error: BaseException) -> str:
    """Return the first sentence of an error's message without its full stop, or its type."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].partition(". ")[0].rstrip(". ")


def plain(text: str, tokenizer: Any) -> str:
    """Return a text without special tokens: they would stand for a picture, or end the input."""
    for token in getattr(tokenizer, "all_special_tokens", ()):
        if len(token) > 2:  # others are ordinary signs, such as the ! of some CLIPs
            text = text.replace(token, " ")
    return text


def bounded(image: Image.Image, name: str, most: int = MAX_PIXELS) -> Image.Image:
    """Return the image with at most so many pixels, in its own proportions.

    Raises:
        ImageError: It is so long and narrow that vision models refuse it.
    """
    width, height = image.size
    if max(width, height) > _MAX_RATIO * min(width, height):
        raise ImageError(name, f"one side is more than {_MAX_RATIO} times as long as the other")
    scale = (most / (width * height)) ** 0.5
    if scale >= 1:
        return image
    return image.resize((max(1, int(width * scale)), max(1, int(height * scale))))
