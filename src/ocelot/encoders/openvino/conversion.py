"""Conversion of the PyTorch network to OpenVINO graphs, by tracing it."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from ocelot.encoders.openvino.graphs import Graphs, openvino, short_cause
from ocelot.errors import EncoderError
from ocelot.model.checkpoint import Checkpoint, build
from ocelot.model.preprocess import CLIP_MEAN, CLIP_STD
from ocelot.model.visualized_bge import Network

__all__ = ["convert"]


class _Vision(nn.Module):
    """Pixels (uint8) to the tokens between [CLS] and the words."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", 255 * torch.tensor(CLIP_MEAN)[:, None, None])
        self.register_buffer("std", 255 * torch.tensor(CLIP_STD)[:, None, None])

    def forward(self, pixels: Tensor) -> Tensor:
        patches = self.network.vision((pixels.float() - self.mean) / self.std)
        tokens: Tensor = self.network.embeddings.place(
            self.network.projection(patches), first_position=1
        )
        return tokens


class _Reader(nn.Module):
    """[CLS], image tokens (or none) and the words to the vector."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor, ids: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        words = self.network.embeddings(ids, positions)
        sequence = torch.cat([words[:, :1], tokens, words[:, 1:]], dim=1)
        return nn.functional.normalize(self.network.encoder(sequence, mask), dim=-1)


def convert(checkpoint: Checkpoint) -> Graphs:
    """Convert a checkpoint's network in fp32, for any batch size and number of words.

    Raises:
        CheckpointError: Weights and geometry do not fit.
        EncoderError: OpenVINO cannot convert the network.
    """
    ov = openvino()
    network = build(checkpoint, torch.float32)
    vision = checkpoint.geometry.vision
    size, width, n = vision.image_size, checkpoint.geometry.dimension, vision.tokens
    words = 4
    pixels = torch.zeros(2, 3, size, size, dtype=torch.uint8)
    sequence = (
        torch.zeros(2, n, width),
        torch.zeros(2, words, dtype=torch.int64),
        torch.arange(words),
        torch.ones(2, n + words, dtype=torch.bool),
    )
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the tracer reports each shape that it fixes
            vision_graph = ov.convert_model(
                _Vision(network),
                example_input=pixels,
                input=[("pixels", [-1, 3, size, size], ov.Type.u8)],
            )
            reader_graph = ov.convert_model(
                _Reader(network),
                example_input=sequence,
                input=[
                    ("tokens", [-1, -1, width], ov.Type.f32),
                    ("ids", [-1, -1], ov.Type.i64),
                    ("positions", [-1], ov.Type.i64),
                    ("mask", [-1, -1], ov.Type.boolean),
                ],
            )
    except Exception as error:  # its frontend raises bare Exception
        raise EncoderError(
            f"OpenVINO cannot convert {checkpoint.name} ({short_cause(error)}): "
            "use --backend torch."
        ) from error
    return Graphs(vision_graph, reader_graph)
