"""The encoders that have a name: what they take, how large they are, what was published of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from ocelot.encoders.weights import BUNDLED, PUBLISHED

__all__ = ["CATALOG", "Entry", "status"]

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
    BUNDLED: Entry(256, 21, "Apache-2.0", _JOINT),
    "bge-visualized-base": Entry(
        768, 393, "MIT", _JOINT, "CIRR R@5 22.5", _VISTA, "BAAI/bge-visualized"
    ),
    "bge-visualized-m3": Entry(1024, 1746, "MIT", _JOINT, repository="BAAI/bge-visualized"),
    "bge-vl-base": Entry(
        512, 299, "MIT", _SUM, "CIRR R@1 36.1, CIRCO mAP@5 34.3", _MEGAPAIRS,
        "BAAI/BGE-VL-base", "st",
    ),
    "bge-vl-large": Entry(
        768, 855, "MIT", _SUM, "CIRR R@1 38.0, CIRCO mAP@5 39.2", _MEGAPAIRS,
        "BAAI/BGE-VL-large", "st",
    ),
}  # fmt: skip


def status(name: str) -> str:
    """Say whether an encoder can be used now: "installed", "not fetched yet", or what is missing.

    Neither torch nor the encoder is loaded, and the hub is not asked.
    """
    from huggingface_hub import try_to_load_from_cache

    entry = CATALOG[name]
    if entry.extra and find_spec("sentence_transformers") is None:
        return f"needs ocelot-search[{entry.extra}]"
    file = PUBLISHED[name].file if name in PUBLISHED else "model.safetensors"
    if name == BUNDLED or isinstance(try_to_load_from_cache(entry.repository, file), str):
        return "installed"
    return "not fetched yet"
