"""The network that a run starts with: a new one, or an adapted checkpoint."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Tensor, nn

from ocelot.errors import ConfigurationError
from ocelot.model.checkpoint import Checkpoint, build
from ocelot.model.geometry import ConvolutionConfig, Geometry, TextConfig
from ocelot.model.tokenizer import TextTokenizer
from ocelot.model.visualized_bge import Network
from ocelot.training.config import NetworkConfig

__all__ = ["adapted_network", "new_network"]

_SHORTEST_TEXT = 16  # tokens that there must be room for beside an image


def new_network(config: NetworkConfig, vocabulary: int) -> Network:
    """Build a network with random weights from the current torch seed."""
    text = TextConfig(
        vocabulary=vocabulary,
        width=config.width,
        hidden=config.hidden,
        layers=config.layers,
        heads=config.heads,
        positions=config.positions,
        token_types=1,
        first_position=0,
        pad_id=0,
        eps=1e-12,
    )
    vision = ConvolutionConfig(config.image_size, config.vision_widths, config.vision_depths)
    network = Network(Geometry(vision, text))
    for module in network.modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
    return network


def adapted_network(initial: Checkpoint, tokenizer: TextTokenizer, image_size: int = 0) -> Network:
    """Build a checkpoint's network for other sub-words and another picture size.

    Args:
        tokenizer: The checkpoint's own, or one with other sub-words. Sub-words of both keep their
            embeddings; a new one starts as the mean of the pieces that it was made of before.
        image_size: Pixels along one side; 0 keeps the checkpoint's.

    Raises:
        ConfigurationError: The network cannot read pictures of that size.
    """
    geometry, state = initial.geometry, dict(initial.state)
    if image_size and image_size != geometry.vision.image_size:
        if not isinstance(geometry.vision, ConvolutionConfig):
            raise ConfigurationError(
                f"{initial.name} reads pictures of {geometry.vision.image_size} pixels only: "
                "remove image_size."
            )
        geometry = replace(geometry, vision=replace(geometry.vision, image_size=image_size))
        if not geometry.vision.tokens or geometry.longest_caption < _SHORTEST_TEXT:
            raise ConfigurationError(
                f"{initial.name} cannot read pictures of {image_size} pixels beside a text: "
                "choose another image_size."
            )
    if tokenizer is not initial.tokenizer:
        words = state["embeddings.words.weight"]
        state["embeddings.words.weight"] = _spelled(words, initial.tokenizer, tokenizer)
        vocabulary = tokenizer.tokenizer.get_vocab_size()
        geometry = replace(geometry, text=replace(geometry.text, vocabulary=vocabulary))
    # A copy: the caller's tensors stay as they are.
    return copy.deepcopy(build(replace(initial, geometry=geometry, state=state)))


def _spelled(words: Tensor, old: TextTokenizer, new: TextTokenizer) -> Tensor:
    known = old.tokenizer.get_vocab()
    vocabulary = new.tokenizer.get_vocab()
    rows = torch.empty(len(vocabulary), words.shape[1], dtype=words.dtype)
    for piece, place in vocabulary.items():
        ids = (
            [known[piece]] if piece in known else old.tokenizer.encode(piece.lstrip("#")).ids[1:-1]
        )
        rows[place] = words[ids].float().mean(dim=0).to(words.dtype) if ids else words.mean(dim=0)
    return rows
