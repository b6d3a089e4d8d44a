"""Conversion of the PyTorch network to OpenVINO graphs, by tracing it."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from ocelot.encoders.openvino.graphs import Graphs, mapped_errors, package
from ocelot.model.checkpoint import Checkpoint
from ocelot.model.preprocess import CLIP_MEAN, CLIP_STD
from ocelot.model.visualized_bge import Network, build

__all__ = ["convert"]


class _Vision(nn.Module):
    """Pixels (uint8) to the tokens between [CLS] and the words."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.mean = 255 * torch.tensor(CLIP_MEAN)[:, None, None]
        self.std = 255 * torch.tensor(CLIP_STD)[:, None, None]

    def forward(self, pixels: Tensor) -> Tensor:
        patches = self.network.vision((pixels.float() - self.mean) / self.std)
        return self.network.embeddings.place(self.network.projection(patches))


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
    """Convert a checkpoint's network in fp32, for any batch size and number of words."""
    ov = package("openvino")
    network = build(checkpoint, torch.float32)
    vision, width = checkpoint.geometry.vision, checkpoint.geometry.dimension
    image, words = (3, vision.image_size, vision.image_size), 4
    sequence = (
        torch.zeros(2, vision.tokens, width),
        torch.zeros(2, words, dtype=torch.int64),
        torch.arange(words),
        torch.ones(2, vision.tokens + words, dtype=torch.bool),
    )
    inputs = [
        ("tokens", [-1, -1, width], ov.Type.f32),
        ("ids", [-1, -1], ov.Type.i64),
        ("positions", [-1], ov.Type.i64),
        ("mask", [-1, -1], ov.Type.boolean),
    ]
    with (
        mapped_errors(f"OpenVINO cannot convert {checkpoint.name}", "use --backend torch"),
        warnings.catch_warnings(),
        torch.no_grad(),
    ):
        warnings.simplefilter("ignore")  # the tracer reports each shape that it fixes
        return Graphs(
            ov.convert_model(
                _Vision(network),
                example_input=torch.zeros(2, *image, dtype=torch.uint8),
                input=[("pixels", [-1, *image], ov.Type.u8)],
            ),
            ov.convert_model(_Reader(network), example_input=sequence, input=inputs),
        )
