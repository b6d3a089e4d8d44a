"""From the network in PyTorch to OpenVINO graphs, by tracing it once."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from ocelot.encoders.openvino.graphs import Graphs, ModelSpec, openvino
from ocelot.errors import EncoderError
from ocelot.model.checkpoint import Checkpoint, build
from ocelot.model.preprocess import CLIP_MEAN, CLIP_STD
from ocelot.model.visualized_bge import Network

__all__ = ["convert", "outline_of"]


class _Vision(nn.Module):
    """Pixels as bytes to the tokens that stand between [CLS] and the words."""

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
    """[CLS], a picture's tokens (or none) and the words to the vector."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor, ids: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        words = self.network.embeddings(ids, positions)
        sequence = torch.cat([words[:, :1], tokens, words[:, 1:]], dim=1)
        return nn.functional.normalize(self.network.encoder(sequence, mask), dim=-1)


def outline_of(checkpoint: Checkpoint) -> ModelSpec:
    """What an encoder must know beside the graphs."""
    geometry = checkpoint.geometry
    return ModelSpec(
        name=checkpoint.name,
        fingerprint=checkpoint.fingerprint,
        dimension=geometry.dimension,
        image_size=geometry.vision.image_size,
        image_tokens=geometry.vision.tokens,
        longest_text=geometry.longest_text,
        longest_caption=geometry.longest_caption,
        first_position=geometry.text.first_position,
        pad_id=geometry.text.pad_id,
    )


def convert(checkpoint: Checkpoint) -> Graphs:
    """Trace a checkpoint's network in fp32; batch and number of words stay free.

    Raises:
        CheckpointError: Weights and geometry do not fit.
        EncoderError: OpenVINO cannot convert the network.
    """
    ov = openvino()
    network = build(checkpoint, torch.float32)
    outline = outline_of(checkpoint)
    size, width, n = outline.image_size, outline.dimension, outline.image_tokens
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
            warnings.simplefilter("ignore")  # the tracer tells of each shape that is fixed
            vision = ov.convert_model(
                _Vision(network),
                example_input=pixels,
                input=[("pixels", [-1, 3, size, size], ov.Type.u8)],
            )
            reader = ov.convert_model(
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
        cause = str(error).strip().splitlines()[-1][:200] if str(error).strip() else "no cause told"
        raise EncoderError(
            f"OpenVINO cannot convert {checkpoint.name} ({cause}): use --backend torch."
        ) from error
    return Graphs(vision, reader)
