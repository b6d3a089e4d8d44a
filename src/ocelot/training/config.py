"""The configuration of a training run: a TOML file, checked by pydantic."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    model_validator,
)
from typing_extensions import Self

from ocelot.errors import ConfigurationError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "LONGEST_TEXT", "DataConfig", "NetworkConfig", "OptimiserConfig", "Section", "TrainConfig",
    "read_config",
]  # fmt: skip

LONGEST_TEXT = 64  # tokens of a training text, special ones included

Numbers = Annotated[tuple[PositiveInt, ...], Field(strict=False, min_length=1)]  # TOML has lists


class Section(BaseModel):
    """Settings that are checked strictly and cannot change."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NetworkConfig(Section):
    """Geometry of a new network: convolutional vision tower, BERT text tower.

    Attributes:
        image_size: Pixels along one side.
        vision_widths, vision_depths: Channels and residual blocks of each stage.
        width, hidden, layers, heads: Size of the text tower, which also fuses image and text.
        positions: Longest sequence, image tokens included.
    """

    image_size: PositiveInt
    vision_widths: Numbers
    vision_depths: Numbers
    width: PositiveInt
    hidden: PositiveInt
    layers: PositiveInt
    heads: PositiveInt
    positions: PositiveInt

    @model_validator(mode="after")
    def _check_geometry(self) -> NetworkConfig:
        stages = len(self.vision_widths)
        if stages != len(self.vision_depths):
            raise ValueError("vision_widths and vision_depths must have the same length")
        if self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads, was: {self.width}")
        side = self.image_size // 2 ** (1 + stages)
        if side < 1:
            raise ValueError(f"image_size is too small for {stages} stages: {self.image_size}")
        needed = side * side + LONGEST_TEXT
        if self.positions < needed:
            raise ValueError(
                f"positions must be at least {needed}, for {side * side} image tokens and a text "
                f"of {LONGEST_TEXT}, was: {self.positions}"
            )
        return self


class DataConfig(Section):
    """What a run trains on; paths are relative to the working directory.

    Attributes:
        triplets: File of triplets; see `ocelot.training.triplets`.
        validation: Another one, never trained on, for the held-out R@1. It may change when a run
            is resumed, so it is not in the repr, by which a run knows its configuration.
        batch_size: Triplets in one batch, of each process.
        image_size: Pixels along one side of the encoder's pictures, if not those of the initial
            checkpoint (convolutional towers only); 0 keeps them.
        vision_depths: Residual blocks of each stage, if more than the initial checkpoint has
            (convolutional towers only); the added ones change nothing at first.
        frozen_stages: Stages of the vision tower, from the first, that stay as they are (towers of
            inverted residuals only).
        picture_share: How much an image alone counts where a text comes with it,
            see `ocelot.model.geometry.Geometry`; None keeps that of the initial checkpoint.
        vocabulary: Largest number of sub-words of a tokenizer that is built from the texts;
            0 keeps the tokenizer of the initial checkpoint.
        augmentation: Strength of crops and light; 0 is none.
    """

    triplets: str = ""
    validation: str = Field(default="", repr=False)
    batch_size: PositiveInt = 64
    image_size: NonNegativeInt = 0
    vision_depths: Numbers | None = None
    frozen_stages: NonNegativeInt = 0
    picture_share: NonNegativeFloat | None = None
    vocabulary: NonNegativeInt = 0
    augmentation: NonNegativeFloat = 1.0


class OptimiserConfig(Section):
    """AdamW with warm-up and cosine decay (arXiv 1711.05101, 1608.03983).

    Attributes:
        steps: Length of the schedule.
        stop: End at this step, before the schedule does; 0 runs the whole schedule. It may
            change when a run is resumed, as `validation` may.
        learning_rate: At its peak.
        warmup: Steps until the peak.
        final: Share of the peak that is left at the last step.
        temperature: Of the softmax, at first; it is learned.
        weight_decay: Of the matrices.
        vision_share: Learning rate of the vision tower, as a share of that of the rest.
        average: Decay of the moving average of the weights, which becomes the encoder; it
            forgets faster during the first steps.
        memory: Pictures of earlier steps that stay as negatives (arXiv 1912.06798).
        chunk: Pictures that are computed at once: a large batch is computed in chunks with
            cached gradients (arXiv 2101.06983), with the same result; 0 is all at once.
        bf16: Compute in bfloat16 where it is safe.
        save_every: Steps from one saved state to the next.
        evaluate_every: Steps from one held-out R@1 to the next; 0 never measures it.
        minutes: End after so much time, if that is before the last step: the learning rate
            follows whichever of both is nearer to its end. 0 is no limit.
        keep_best: Write the encoder of the best held-out R@1 (the mean of all searches) instead
            of the last one.
    """

    steps: PositiveInt
    stop: NonNegativeInt = Field(default=0, repr=False)
    learning_rate: NonNegativeFloat = 1e-3
    warmup: NonNegativeInt = 100
    final: NonNegativeFloat = 0.01
    temperature: float = Field(default=0.07, ge=0.01, le=1)
    weight_decay: NonNegativeFloat = 0.05
    vision_share: NonNegativeFloat = 1.0
    average: float = Field(default=0.998, ge=0, lt=1)
    memory: NonNegativeInt = 0
    chunk: NonNegativeInt = 0
    bf16: bool = True
    save_every: PositiveInt = 100
    evaluate_every: NonNegativeInt = 200
    minutes: NonNegativeFloat = Field(default=0.0, repr=False)
    keep_best: bool = Field(default=False, repr=False)


class TrainConfig(Section):
    """A whole run; equal configurations give equal data in the same order.

    Attributes:
        name: Name of the encoder.
        network: None when the run starts from a checkpoint, which has its own geometry.
    """

    name: str
    seed: int = 0
    network: NetworkConfig | None = None
    data: DataConfig = DataConfig()
    optimiser: OptimiserConfig

    @model_validator(mode="after")
    def _check_depths(self) -> Self:
        if self.network is not None and self.data.vision_depths is not None:
            raise ValueError(
                "[data] vision_depths is for --initial; a [network] has its own vision_depths"
            )
        return self


Config = TypeVar("Config", bound=TrainConfig)


def read_config(file: Path, kind: type[Config]) -> Config:
    """Read and check a run's TOML file; without `name`, the file's name is the run's.

    Args:
        kind: `TrainConfig`, or a class that adds sections to it.

    Raises:
        ConfigurationError: It cannot be read, or a value is missing, unknown or wrong.
    """
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        return kind(**{"name": file.stem, **table})
    except OSError as error:
        raise ConfigurationError(f"Cannot read {file}: {error.strerror}.") from None
    except ValidationError as error:
        raise ConfigurationError(f"{file}: {_first_of(error)}.") from None
    except ValueError as error:
        raise ConfigurationError(f"{file} is not TOML: {error}.") from None


def _first_of(errors: ValidationError) -> str:
    """The first error as a clause: which setting, and what is wrong with it."""
    error = errors.errors(include_url=False)[0]
    if error["type"] == "value_error":  # of a section or of the whole, from a validator
        names = [f"[{name}] " for name in error["loc"]]
        return "".join(names) + error["msg"].removeprefix("Value error, ")
    section, *names = map(str, error["loc"])
    name = " ".join([f"[{section}]", *names[:1]]) if names else section
    if error["type"] == "extra_forbidden":
        return f"there is no setting or section {name}"
    if error["type"] == "missing":
        return f"{name} is missing"
    message = error["msg"].replace("Input", "the value", 1)
    return f"{name}: {message}, was: {error['input']!r}"
