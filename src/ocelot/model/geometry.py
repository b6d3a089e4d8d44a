"""Sizes of a network's parts; without torch, so that they are known before it is imported."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ocelot.errors import CheckpointError

__all__ = [
    "ConvolutionConfig", "EvaConfig", "Geometry", "InstanceConfig", "MobileConfig", "TextConfig",
    "VisionConfig", "channels",
]  # fmt: skip

_FROM_0 = ("eps", "first_position", "pad_id")  # other sizes are at least 1


@dataclass(frozen=True)
class EvaConfig:
    """Geometry of the EVA02 vision tower, in pixels and channels."""

    image_size: int
    patch_size: int
    width: int
    hidden: int
    layers: int
    head_size: int

    @property
    def grid(self) -> int:
        """Patches along one side."""
        return self.image_size // self.patch_size

    @property
    def tokens(self) -> int:
        """Patch tokens of one image."""
        return self.grid**2

    @property
    def heads(self) -> int:
        return self.width // self.head_size


@dataclass(frozen=True)
class ConvolutionConfig:
    """Geometry of the convolutional vision tower; stem and stages halve the resolution each."""

    image_size: int  # pixels along one side
    widths: tuple[int, ...]  # channels of each stage; the last are those of the tokens
    depths: tuple[int, ...]  # residual blocks of each stage

    @property
    def width(self) -> int:
        return self.widths[-1]

    @property
    def tokens(self) -> int:
        return (self.image_size // 2 ** (1 + len(self.widths))) ** 2


@dataclass(frozen=True)
class MobileConfig:
    """Geometry of a tower of inverted residuals; the stem halves the resolution."""

    image_size: int  # pixels along one side
    stem: int  # channels
    widths: tuple[int, ...]  # channels of each stage
    depths: tuple[int, ...]  # blocks of each stage
    kernels: tuple[int, ...]  # pixels along one side, of each stage
    strides: tuple[int, ...]  # of the first block of each stage
    expansions: tuple[int, ...]  # of the channels within a block of each stage
    width: int  # channels of the tokens

    @property
    def tokens(self) -> int:
        return (self.image_size // 2 // math.prod(self.strides)) ** 2

    @property
    def blocks(self) -> list[tuple[int, int, int, int]]:
        """Channels, kernel, stride and expansion of each block; `ValueError` if stages differ."""
        stages = zip(
            self.widths, self.depths, self.kernels, self.strides, self.expansions, strict=True
        )
        return [
            (width, kernel, 1 if place else stride, expansion)
            for width, depth, kernel, stride, expansion in stages
            for place in range(depth)
        ]


VisionConfig = EvaConfig | ConvolutionConfig | MobileConfig


def channels(vision: VisionConfig) -> list[int]:
    """Channels of each block that an instance part can be made from; none for EVA02."""
    if isinstance(vision, MobileConfig):
        return [width for width, *_ in vision.blocks]
    if isinstance(vision, ConvolutionConfig):
        stages = zip(vision.widths, vision.depths, strict=True)
        return [width for width, depth in stages for _ in range(depth)]
    return []


_TOWERS: Mapping[str, type[VisionConfig]] = {
    "eva02": EvaConfig, "convolution": ConvolutionConfig, "inverted-residual": MobileConfig,
}  # fmt: skip


@dataclass(frozen=True)
class TextConfig:
    """Geometry of the text tower."""

    vocabulary: int
    width: int
    hidden: int
    layers: int
    heads: int
    positions: int  # rows of the position table
    token_types: int
    first_position: int  # of a text on its own: 0 for BERT, the padding id + 1 for XLM-RoBERTa
    pad_id: int  # fills short rows
    eps: float  # of the layer norms


@dataclass(frozen=True)
class InstanceConfig:
    """The part of a picture's vector that tells one design from another, whatever its colour.

    A linear map of the mean of a block's channels over the picture, scaled to length 1. It is
    fitted, not trained: see `ocelot.model.instance`.
    """

    block: int  # of the vision tower, from 0
    width: int  # of the part
    weight: float  # its length in a picture's vector, beside the network's reading of length 1


@dataclass(frozen=True)
class Geometry:
    """Everything needed to build the network.

    Attributes:
        picture_share: An image with a text is embedded as the network's reading of both, plus
            this share of the image's own embedding, scaled to length 1. With an instance part, it
            is the length of this part instead. 0 is VISTA's design.
        share_by_words: The text says how much of that share is added: the weights have
            `share_logits`, a number for each sub-word (0 for [CLS] and [SEP]), and the share is
            multiplied by the logistic function of their mean over the text.
        instance: None, or vectors have an instance part after the network's reading; zeros for a
            text.
    """

    vision: VisionConfig
    text: TextConfig
    picture_share: float = 0.0
    share_by_words: bool = False
    instance: InstanceConfig | None = None

    @property
    def dimension(self) -> int:
        """Width of the embedding."""
        return self.text.width + (self.instance.width if self.instance else 0)

    @property
    def instance_channels(self) -> int:
        """Channels that the instance part is made from; 0 without one."""
        return channels(self.vision)[self.instance.block] if self.instance else 0

    @property
    def longest_text(self) -> int:
        """Most tokens of a text alone, special ones included."""
        return self.text.positions - self.text.first_position

    @property
    def longest_caption(self) -> int:
        """Most tokens of a text beside an image, special ones included."""
        return self.text.positions - self.vision.tokens

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as in a checkpoint's `config.json`."""
        kind = next(name for name, tower in _TOWERS.items() if type(self.vision) is tower)
        towers = {"vision": {"kind": kind} | asdict(self.vision), "text": asdict(self.text)}
        extras = {
            "picture_share": self.picture_share,
            "share_by_words": self.share_by_words,
            "instance": self.instance and asdict(self.instance),
        }
        return towers | {name: value for name, value in extras.items() if value}

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> Geometry:
        """Return the geometry that `to_dict` described; other keys are ignored."""
        try:
            vision = dict(config["vision"])
            kind = vision.pop("kind")
            text, share = TextConfig(**config["text"]), float(config.get("picture_share", 0))
            if kind in _TOWERS:
                lists = {name: tuple(v) for name, v in vision.items() if isinstance(v, list)}
                by_words = bool(config.get("share_by_words"))
                instance = config.get("instance")
                instance = None if instance is None else InstanceConfig(**instance)
                tower = _TOWERS[kind](**vision | lists)
                return cls(tower, text, share, by_words, instance)._checked()
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise CheckpointError(f"The config does not describe a network: {error}.") from None
        raise CheckpointError(
            f"The vision tower must be one of {', '.join(_TOWERS)}, was: {kind!r}."
        )

    def _checked(self) -> Geometry:
        """Return it; `ValueError` if a size is none, or the parts do not fit together."""
        for name, value in (*asdict(self.vision).items(), *asdict(self.text).items()):
            for one in value if isinstance(value, tuple) else (value,):
                number = type(one) is int or (name == "eps" and isinstance(one, float))
                if not (number and one >= (0 if name in _FROM_0 else 1)):
                    raise ValueError(f"{name} was {value!r}")
        if not 0 <= self.picture_share < math.inf:
            raise ValueError(f"picture_share was {self.picture_share}")
        self.check_instance()
        longest = min(self.longest_text, self.longest_caption)
        if self.vision.tokens < 1 or longest < 2 or self.text.width % self.text.heads:
            raise ValueError("its sizes do not fit together")
        return self

    def check_instance(self) -> None:
        """Raise `ValueError` if the tower cannot have such an instance part."""
        if (instance := self.instance) is None:
            return
        block, width, known = instance.block, instance.width, channels(self.vision)
        if type(block) is not int or not 0 <= block < len(known):
            raise ValueError(f"instance.block was {block!r}")
        if type(width) is not int or not 1 <= width <= known[block]:
            raise ValueError(f"instance.width was {width!r}")
        if not (type(instance.weight) in (int, float) and 0 < instance.weight < math.inf):
            raise ValueError(f"instance.weight was {instance.weight!r}")
