"""The network and tokenizer that a run starts with: new ones, or those of a checkpoint."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import chain

import numpy as np
from torch import nn

from ocelot.errors import ConfigurationError
from ocelot.model.checkpoint import Array, Checkpoint
from ocelot.model.convolution import ConvolutionVision
from ocelot.model.geometry import ConvolutionConfig, EvaConfig, Geometry, MobileConfig, TextConfig
from ocelot.model.mobile import MobileVision
from ocelot.model.tokenizer import TextTokenizer
from ocelot.model.visualized_bge import Network, build
from ocelot.training.batch import BatchSource
from ocelot.training.config import LONGEST_TEXT, NetworkConfig, TrainConfig
from ocelot.training.vocabulary import build_tokenizer

__all__ = ["adapted_network", "deepened", "freeze", "new_network", "starting_point", "with_words"]


def starting_point(
    config: TrainConfig, initial: Checkpoint | None, source: BatchSource
) -> tuple[Network, TextTokenizer]:
    """Return the network and tokenizer of a new run, or raise a `ConfigurationError`."""
    data = config.data
    if initial is not None:
        words = _new_tokenizer(source, data.vocabulary) if data.vocabulary else None
        tokenizer = words or initial.tokenizer
        if data.vision_depths:
            initial = deepened(initial, data.vision_depths)
        if (share := data.picture_share) is not None:
            initial = replace(initial, geometry=replace(initial.geometry, picture_share=share))
        network = adapted_network(initial, tokenizer, data.image_size)
        freeze(network, data.frozen_stages)
        return network, tokenizer
    if config.network is None:
        raise ConfigurationError(
            "The run has no [network] section: add one, or start from a checkpoint (--initial)."
        )
    tokenizer = _new_tokenizer(source, data.vocabulary)
    network = new_network(config.network, tokenizer.tokenizer.get_vocab_size())
    network.geometry = replace(network.geometry, picture_share=data.picture_share or 0.0)
    return network, tokenizer


def _new_tokenizer(source: BatchSource, vocabulary: int) -> TextTokenizer:
    return build_tokenizer(chain(source.texts(), source.further_words()), vocabulary)


def new_network(config: NetworkConfig, vocabulary: int) -> Network:
    """Build a network with random weights from the current torch seed."""
    text = TextConfig(
        vocabulary=vocabulary, width=config.width, hidden=config.hidden, layers=config.layers,
        heads=config.heads, positions=config.positions, token_types=1, first_position=0, pad_id=0,
        eps=1e-12,
    )  # fmt: skip
    vision = ConvolutionConfig(config.image_size, config.vision_widths, config.vision_depths)
    network = Network(Geometry(vision, text))
    for module in network.modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
    return network


def adapted_network(initial: Checkpoint, tokenizer: TextTokenizer, image_size: int = 0) -> Network:
    """Build a checkpoint's network for another tokenizer and another picture size (0: its own).

    Sub-words that both tokenizers have keep their embeddings; a new one starts as the mean of its
    pieces in the checkpoint's tokenizer.

    Raises:
        ConfigurationError: The network cannot read such pictures beside a text.
    """
    geometry = initial.geometry
    size = image_size or geometry.vision.image_size
    if size != geometry.vision.image_size:
        if isinstance(geometry.vision, EvaConfig):
            raise ConfigurationError(
                f"{initial.name} reads pictures of {geometry.vision.image_size} pixels only: "
                "remove image_size."
            )
        geometry = replace(geometry, vision=replace(geometry.vision, image_size=size))
    tokens = geometry.vision.tokens
    if not tokens or geometry.longest_caption < LONGEST_TEXT:
        raise ConfigurationError(
            f"{initial.name} cannot be trained on pictures of {size} pixels: they are {tokens} "
            f"image tokens, and its {geometry.text.positions} positions must hold at least one of "
            f"them and a text of {LONGEST_TEXT}; choose another image_size or encoder."
        )
    # A copy: the caller's tensors stay as they are.
    return copy.deepcopy(build(with_words(replace(initial, geometry=geometry), tokenizer)))


def with_words(initial: Checkpoint, tokenizer: TextTokenizer) -> Checkpoint:
    """A checkpoint with another tokenizer, and embeddings for its sub-words."""
    if tokenizer is initial.tokenizer:
        return initial
    state, geometry = dict(initial.state), initial.geometry
    for name in ("embeddings.words.weight", "share_logits"):
        if name in state:
            state[name] = _of_words(state[name], initial.tokenizer, tokenizer)
    text = replace(geometry.text, vocabulary=tokenizer.tokenizer.get_vocab_size())
    geometry = replace(geometry, text=text)
    return replace(initial, geometry=geometry, state=state, tokenizer=tokenizer)


def deepened(initial: Checkpoint, depths: tuple[int, ...]) -> Checkpoint:
    """Add residual blocks at the end of each stage of a convolutional vision tower.

    The last batch norm of an added block starts at 0, so that the block passes on what it gets
    and the embeddings stay as they are (arXiv 1706.02677, section 5.1).

    Raises:
        ConfigurationError: The tower is not convolutional, or has more blocks already.
    """
    vision = initial.geometry.vision
    if not isinstance(vision, ConvolutionConfig):
        raise ConfigurationError(f"{initial.name} has another vision tower: remove vision_depths.")
    if len(depths) != len(vision.depths) or any(map(int.__lt__, depths, vision.depths)):
        raise ConfigurationError(
            f"[data] vision_depths must be at least {list(vision.depths)}, those of "
            f"{initial.name}, was: {list(depths)}."
        )
    deeper = replace(vision, depths=depths)
    kept: list[int] = []  # numbers of the blocks within the deeper tower
    added: list[int] = []
    for before, after in zip(vision.depths, depths, strict=True):
        first = len(kept) + len(added)
        kept += range(first, first + before)
        added += range(first + before, first + after)
    part = initial.geometry.instance
    part = part and replace(part, block=kept[part.block])
    geometry = replace(initial.geometry, vision=deeper, instance=part)
    state = {}
    for name, value in initial.state.items():
        if name.startswith("vision.blocks."):
            _, _, number, rest = name.split(".", 3)
            name = f"vision.blocks.{kept[int(number)]}.{rest}"
        state[name] = value
    tower = ConvolutionVision(deeper)  # random weights for the added blocks
    for place in added:
        block = tower.blocks[place]
        nn.init.zeros_(block.norm2.weight)
        for name, value in block.state_dict().items():
            state[f"vision.blocks.{place}.{name}"] = value.numpy()
    return replace(initial, geometry=geometry, state=state)


def freeze(network: Network, stages: int) -> None:
    """Let the first stages of the vision tower, and all before them, stay as they are.

    Raises:
        ConfigurationError: The tower is not one of inverted residuals, or has fewer stages.
    """
    if not stages:
        return
    vision, tower = network.geometry.vision, network.vision
    most = len(vision.depths) if isinstance(vision, MobileConfig) else 0
    if stages > most:
        raise ConfigurationError(
            f"[data] frozen_stages must be at most {most} for this encoder, was: {stages}."
        )
    assert isinstance(vision, MobileConfig) and isinstance(tower, MobileVision)
    for part in (tower.stem, *tower.blocks[: sum(vision.depths[:stages])]):
        part.requires_grad_(False)


def _of_words(words: Array, old: TextTokenizer, new: TextTokenizer) -> Array:
    """What a new tokenizer's sub-words have, a row each, from what those of the old one have."""
    known, vocabulary = old.tokenizer.get_vocab(), new.tokenizer.get_vocab()
    rows = np.empty((len(vocabulary), *words.shape[1:]), np.float32)
    for piece, row in vocabulary.items():
        spelled = old.tokenizer.encode(piece.lstrip("#")).ids[1:-1]
        ids = [known[piece]] if piece in known else spelled
        rows[row] = (words[ids] if ids else words).mean(axis=0, dtype=np.float32)
    return rows
