"""What a training run is made of: read from a TOML file, written into the run's folder."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from ocelot.errors import ConfigurationError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["DataConfig", "NetworkConfig", "OptimiserConfig", "TrainConfig", "read_config"]


@dataclass(frozen=True)
class NetworkConfig:
    """Geometry of a new network: convolutional vision tower, BERT text tower.

    Attributes:
        image_size: Pixels along one side.
        vision_widths, vision_depths: Channels and residual blocks of each stage.
        width, hidden, layers, heads: Of the text tower, which also fuses.
        positions: Longest sequence, image tokens included.
    """

    image_size: int
    vision_widths: tuple[int, ...]
    vision_depths: tuple[int, ...]
    width: int
    hidden: int
    layers: int
    heads: int
    positions: int

    def __post_init__(self) -> None:
        stages = len(self.vision_widths)
        if not stages or stages != len(self.vision_depths):
            raise ValueError("vision_widths and vision_depths must be of the same length")
        if self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads, was: {self.width}")
        side = self.image_size // 2 ** (1 + stages)
        if side < 1 or self.positions < side * side + 16:
            raise ValueError(
                f"positions must leave room for {side * side} image tokens and a text, "
                f"was: {self.positions}"
            )


@dataclass(frozen=True)
class DataConfig:
    """The drawn pictures.

    Attributes:
        views, theme_views: Drawings of each article and each theme; with no views, every use
            draws afresh.
        vocabulary: Most sub-words of the tokenizer.
        augmentation: Strength of crops, turns and light; 0 is none.
    """

    views: int = 2
    theme_views: int = 12
    vocabulary: int = 2000
    augmentation: float = 1.0


@dataclass(frozen=True)
class OptimiserConfig:
    """AdamW with warm-up and cosine decay (arXiv 1711.05101, 1608.03983).

    Attributes:
        steps, batch: Steps, and triplets in each.
        learning_rate: At its peak.
        warmup: Steps until the peak.
        average: Decay of the moving average of the weights, which is what is shipped; it
            forgets faster during the first steps.
        bf16: Compute in bfloat16 where it is safe.
        save_every, evaluate_every: Steps; 0 never evaluates.
    """

    steps: int
    batch: int = 128
    learning_rate: float = 1e-3
    warmup: int = 100
    weight_decay: float = 0.05
    average: float = 0.998
    bf16: bool = True
    save_every: int = 100
    evaluate_every: int = 200

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.save_every) < 1:
            raise ValueError("steps, batch and save_every must be at least 1")


@dataclass(frozen=True)
class TrainConfig:
    """A whole run; the same file and seed give the same data in the same order.

    Attributes:
        network: None when the run starts from a checkpoint, which has its own geometry.
    """

    name: str
    seed: int
    network: NetworkConfig | None
    data: DataConfig
    optimiser: OptimiserConfig


def read_config(file: Path) -> TrainConfig:
    """Read and check a run's TOML file.

    Raises:
        ConfigurationError: It cannot be read, or a value is missing, unknown or wrong.
    """
    try:
        with open(file, "rb") as stream:
            table = tomllib.load(stream)
    except OSError as error:
        raise ConfigurationError(f"Cannot read {file}: {error.strerror}.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file} is not TOML: {error}.") from None
    for key in table.keys() - {"name", "seed", "network", "data", "optimiser"}:
        raise ConfigurationError(f"{file} has no setting or section {key!r}.")
    seed = table.get("seed", 0)
    if not isinstance(seed, int):
        raise ConfigurationError(f"{file}: seed must be a whole number, was: {seed!r}.")
    return TrainConfig(
        name=str(table.get("name", file.stem)),
        seed=seed,
        network=_section(NetworkConfig, table, "network", file) if "network" in table else None,
        data=_section(DataConfig, table, "data", file),
        optimiser=_section(OptimiserConfig, table, "optimiser", file),
    )


Section = TypeVar("Section", bound="NetworkConfig | DataConfig | OptimiserConfig")


def _section(kind: type[Section], table: Mapping[str, Any], name: str, file: Path) -> Section:
    given = table.get(name, {})
    if not isinstance(given, dict):
        raise ConfigurationError(f"{file}: {name} must be a section: write [{name}].")
    known = {field.name: field for field in fields(kind)}
    for key in given.keys() - known.keys():
        raise ConfigurationError(
            f"{file}: [{name}] has no setting {key!r}; it has {', '.join(known)}."
        )
    for key, field in known.items():
        if key not in given and field.default is MISSING:
            raise ConfigurationError(f"{file}: [{name}] lacks {key}.")
    try:
        return kind(**{key: _value(key, str(known[key].type), given[key]) for key in given})
    except ValueError as error:
        raise ConfigurationError(f"{file}: [{name}] {error}.") from None


def _value(key: str, kind: str, given: Any) -> Any:
    """A TOML value as its field's type, which is one of those below."""
    whole = isinstance(given, int) and not isinstance(given, bool)
    if kind == "bool" and isinstance(given, bool):
        return given
    if kind == "int" and whole:
        return given
    if kind == "float" and (whole or isinstance(given, float)):
        return float(given)
    if kind == "tuple[int, ...]" and isinstance(given, list):
        return tuple(_value(key, "int", one) for one in given)
    names = {"bool": "true or false", "int": "a whole number", "float": "a number"}
    raise ValueError(f"{key} must be {names.get(kind, 'a list of whole numbers')}, was: {given!r}")
