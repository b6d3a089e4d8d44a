"""The encoders that have a name: what they take, how large they are, what was published of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ocelot.encoders.weights import BUNDLED, PUBLISHED, locate
from ocelot.errors import OcelotError

__all__ = ["CATALOG", "Entry", "known_dimension", "status"]

_VISTA = "VISTA, arXiv 2406.04292"
_MEGAPAIRS = "MegaPairs, arXiv 2412.14475, table 1"


@dataclass(frozen=True)
class Entry:
    """What is known of an encoder without loading it.

    Attributes:
        dimension: Length of its vectors.
        megabytes: Of its weights.
        inputs: What it takes, and how it takes a picture with words.
        figures: Zero-shot results that its authors published, in per cent; "" if none.
        source: Of the figures.
        repository: On the Hugging Face hub; "" for the bundled one.
        extra: The extra of the package that it needs, or "".
    """

    dimension: int
    megabytes: int
    licence: str
    inputs: str
    figures: str = ""
    source: str = ""
    repository: str = ""
    extra: str = ""


_JOINT = "image, text, both in one network"
_SUM = "image, text, both as a sum"

CATALOG: Mapping[str, Entry] = {
    BUNDLED: Entry(320, 17, "Apache-2.0", _JOINT),
    "bge-visualized-base": Entry(
        768, 393, "MIT", _JOINT, "CIRR R@5 22.5", _VISTA, "BAAI/bge-visualized", "bge",
    ),
    "bge-visualized-m3": Entry(
        1024, 1746, "MIT", _JOINT, repository="BAAI/bge-visualized", extra="bge"
    ),
    "bge-vl-base": Entry(
        512, 299, "MIT", _SUM, "CIRR R@1 36.1, CIRCO mAP@5 34.3", _MEGAPAIRS,
        "BAAI/BGE-VL-base", "st",
    ),
    "bge-vl-large": Entry(
        768, 855, "MIT", _SUM, "CIRR R@1 38.0, CIRCO mAP@5 39.2", _MEGAPAIRS,
        "BAAI/BGE-VL-large", "st",
    ),
}  # fmt: skip


def known_dimension(name_or_path: str | Path, text_model: str | Path | None = None) -> int | None:
    """Return the length of an encoder's vectors if it is known without fetching or loading weights.

    Arguments are those of `locate`. Whatever is wrong with the files is left to be said when they
    are loaded.
    """
    if entry := CATALOG.get(str(name_or_path)):
        return entry.dimension
    with suppress(OcelotError, OSError, ValueError, KeyError, TypeError):
        found = locate(name_or_path, text_model, fetch=False)
        config = json.loads((found.text / "config.json").read_text(encoding="utf-8"))
        in_own_format = found.weights.suffix == ".safetensors"
        if not in_own_format:
            return int(config["hidden_size"])
        return int(config["text"]["width"]) + int(config.get("instance", {}).get("width", 0))
    return None


def status(name: str) -> str:
    """Say whether an encoder can be used now: "installed", "not fetched yet", or what is missing.

    Neither torch nor the encoder is loaded, and the hub is not asked.
    """
    from huggingface_hub import try_to_load_from_cache

    entry = CATALOG[name]
    package = {"bge": "torch", "st": "sentence_transformers"}.get(entry.extra)
    if package and find_spec(package) is None:
        return f"needs ocelot-search[{entry.extra}]"
    file = PUBLISHED[name].file if name in PUBLISHED else "model.safetensors"
    if name == BUNDLED or isinstance(try_to_load_from_cache(entry.repository, file), str):
        return "installed"
    return "not fetched yet"
