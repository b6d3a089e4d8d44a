"""What a training run is made of: read from a TOML file, written into the run's folder."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from ocelot.errors import ConfigurationError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "DataConfig",
    "GroupsConfig",
    "NetworkConfig",
    "OptimiserConfig",
    "TrainConfig",
    "read_config",
]


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
        numbers = [self.image_size, self.width, self.hidden, self.layers, self.heads]
        if min(*numbers, *self.vision_widths, *self.vision_depths, self.positions) < 1:
            raise ValueError("every number must be at least 1")
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
    """What pictures are made from; paths are relative to the working directory.

    Attributes:
        views, theme_views: Drawings of each article and each theme of the catalogue.
        stencil_views: Drawings of each empty product that photographs are printed on.
        drawing_size: Pixels along one side of the drawings; 0 is the encoder's own size.
        photographs: Folder of photographs with `metadata.csv`; "" for none.
        articles: How the file names begin of those that show one article before a background,
            which are cut out; "" is all of them.
        held_out: File with the names of photographs that are never trained on, one to a line.
        triplets: File of your own triplets; see `ocelot.training.own`.
        validation: Another one, never trained on, for the held-out R@1.
        image_size: Pixels along one side that the encoder shall read, where that can differ
            from the initial checkpoint's (a convolutional tower); 0 keeps it.
        vocabulary: Most sub-words of the tokenizer; an initial checkpoint's own is extended
            to as many, 0 leaves it alone.
        augmentation: Strength of crops, turns, bends and light; 0 is none.
    """

    views: int = 2
    theme_views: int = 12
    stencil_views: int = 24
    drawing_size: int = 0
    photographs: str = ""
    articles: str = ""
    held_out: str = ""
    triplets: str = ""
    validation: str = field(default="", repr=False)  # it may change when a run is resumed
    image_size: int = 0
    vocabulary: int = 0
    augmentation: float = 1.0

    def __post_init__(self) -> None:
        numbers = (value for value in vars(self).values() if not isinstance(value, str))
        if min(numbers) < 0:
            raise ValueError("no number may be below 0")


@dataclass(frozen=True)
class GroupsConfig:
    """How many groups of each maker one batch has; see `ocelot.training.makers`.

    Attributes:
        recolourings: Garments in three colours each.
        views: Photographs, seen twice each.
        prints: Pictures, printed on two products each.
        drawings: Triplets of the drawn catalogue.
        words: Descriptions of photographs that the batch has.
        own: Triplets of your file.
    """

    recolourings: int = 0
    views: int = 0
    prints: int = 0
    drawings: int = 0
    words: int = 0
    own: int = 0

    def __post_init__(self) -> None:
        if min(vars(self).values()) < 0 or not any(vars(self).values()):
            raise ValueError("at least one number of groups must be above 0, none below")


@dataclass(frozen=True)
class OptimiserConfig:
    """AdamW with warm-up and cosine decay (arXiv 1711.05101, 1608.03983).

    Attributes:
        steps: How many the schedule is made for.
        stop: End at this step all the same; 0 goes on to the last.
        learning_rate: At its peak.
        warmup: Steps until the peak.
        final: Share of the peak that is left at the last step.
        temperature: Of the softmax, at first; it is learned.
        average: Decay of the moving average of the weights, which is what is shipped; it
            forgets faster during the first steps.
        memory: Pictures of earlier steps that stay as negatives (arXiv 1912.06798).
        chunk: Pictures that are computed at once: a large batch on a small machine is taken in
            chunks with cached gradients (arXiv 2101.06983), to the same result; 0 is all.
        bf16: Compute in bfloat16 where it is safe.
        save_every: Steps from one saved state to the next.
        evaluate_every: Steps from one held-out R@1 to the next; 0 never measures it.
    """

    steps: int
    stop: int = 0
    learning_rate: float = 1e-3
    warmup: int = 100
    final: float = 0.01
    temperature: float = 0.07
    weight_decay: float = 0.05
    average: float = 0.998
    memory: int = 0
    chunk: int = 0
    bf16: bool = True
    save_every: int = 100
    evaluate_every: int = 200

    def __post_init__(self) -> None:
        if min(self.steps, self.save_every) < 1:
            raise ValueError("steps and save_every must be at least 1")
        if min(vars(self).values()) < 0:
            raise ValueError("no number may be below 0")
        if self.average >= 1:
            raise ValueError(f"average must be below 1, was: {self.average}")
        if not 0.01 <= self.temperature <= 1:
            raise ValueError(f"temperature must lie in 0.01 to 1, was: {self.temperature}")


@dataclass(frozen=True)
class TrainConfig:
    """A whole run; the same file and seed give the same data in the same order.

    Raises ValueError where a maker lacks what its pictures are made from.

    Attributes:
        network: None when the run starts from a checkpoint, which has its own geometry.
    """

    name: str
    seed: int
    network: NetworkConfig | None
    data: DataConfig
    groups: GroupsConfig
    optimiser: OptimiserConfig

    def __post_init__(self) -> None:
        data, groups = self.data, self.groups
        if not data.photographs:
            for name in ("recolourings", "views", "prints", "words"):
                if getattr(groups, name):
                    raise ValueError(f"[groups] {name} needs photographs: name them in [data]")
        if groups.words and not (groups.recolourings or groups.views or groups.prints):
            raise ValueError("[groups] words describes photographs of the others: add views")
        if groups.drawings and min(data.views, data.theme_views) < 1:
            raise ValueError("[groups] drawings needs views and theme_views of at least 1")
        if groups.prints and data.stencil_views < 1:
            raise ValueError("[groups] prints needs stencil_views of at least 1")
        if groups.own and not data.triplets:
            raise ValueError("[groups] own needs triplets: name their file in [data]")
        if data.triplets and not groups.own:
            raise ValueError("[data] triplets are not used: say how many a batch has, [groups] own")


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
    for key in table.keys() - {"name", "seed", "network", "data", "groups", "optimiser"}:
        raise ConfigurationError(f"{file} has no setting or section {key!r}.")
    seed = table.get("seed", 0)
    if not isinstance(seed, int):
        raise ConfigurationError(f"{file}: seed must be a whole number, was: {seed!r}.")
    network = _section(NetworkConfig, table, "network", file) if "network" in table else None
    data = _section(DataConfig, table, "data", file)
    groups = _section(GroupsConfig, table, "groups", file)
    optimiser = _section(OptimiserConfig, table, "optimiser", file)
    name = str(table.get("name", file.stem))
    try:
        return TrainConfig(name, seed, network, data, groups, optimiser)
    except ValueError as error:
        raise ConfigurationError(f"{file}: {error}.") from None


Section = TypeVar("Section", bound="NetworkConfig | DataConfig | GroupsConfig | OptimiserConfig")


def _section(kind: type[Section], table: Mapping[str, Any], name: str, file: Path) -> Section:
    given = table.get(name, {})
    if not isinstance(given, dict):
        raise ConfigurationError(f"{file}: {name} must be a section: write [{name}].")
    known = {setting.name: setting for setting in fields(kind)}
    for key in given.keys() - known.keys():
        raise ConfigurationError(
            f"{file}: [{name}] has no setting {key!r}; it has {', '.join(known)}."
        )
    for key, setting in known.items():
        if key not in given and setting.default is MISSING:
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
    if kind == "str" and isinstance(given, str):
        return given
    if kind == "tuple[int, ...]" and isinstance(given, list):
        return tuple(_value(key, "int", one) for one in given)
    names = {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "a text"}
    raise ValueError(f"{key} must be {names.get(kind, 'a list of whole numbers')}, was: {given!r}")
