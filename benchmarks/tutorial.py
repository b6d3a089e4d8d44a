"""The tutorial's way of encoding pictures: a plain baseline for the benchmarks.

One picture at a time, in fp32, in one thread: Pillow decodes, resizes and crops; the empty text
is tokenised for each picture; attention is softmax(QK^T)V in plain operations; every row of the
last layer is computed; the vector becomes a list of Python numbers. `check` compares the vectors
with those of `VisualizedBGE`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from ocelot.encoders import VisualizedBGE
from ocelot.model.checkpoint import Checkpoint
from ocelot.model.preprocess import CLIP_MEAN, CLIP_STD
from ocelot.model.vision import EvaVision
from ocelot.model.visualized_bge import build

__all__ = ["Tutorial", "check"]


class Tutorial:
    """Visualized BGE, computed plainly.

    Args:
        checkpoint: With either vision tower.
        device: Where to compute.
    """

    def __init__(self, checkpoint: Checkpoint, device: str = "cpu") -> None:
        self.device = torch.device(device)
        self.network = build(checkpoint).to(self.device)
        self.tokenizer = checkpoint.tokenizer.tokenizer
        self.size = checkpoint.geometry.vision.image_size
        self.mean = torch.tensor(CLIP_MEAN)[:, None, None]
        self.std = torch.tensor(CLIP_STD)[:, None, None]

    @torch.no_grad()
    def encode(self, picture: Path, text: str = "") -> list[float]:
        """Return the vector of one picture, alone or with a text; its length is 1."""
        pixels = self.pixels(picture)[None].to(self.device)
        vision, geometry = self.network.vision, self.network.geometry
        own, part = None, geometry.instance
        if part:  # of the vector, as some of our own encoders have it
            patches, mean = vision.tokens_and_mean(pixels, part.block)
            own = F.normalize(self.network.instance(mean), dim=-1)[0]
        else:
            patches = look(vision, pixels) if isinstance(vision, EvaVision) else vision(pixels)
        vector = self.read(patches, text)
        share = geometry.picture_share  # another thing that some of our own have
        if text and geometry.share_by_words:
            words = self.tokenizer.encode(text).ids[1:-1]
            share *= float(self.network.share_logits[words].mean().sigmoid())
        if own is not None:
            vector = torch.cat([vector, own * (share if text else part.weight)])
        elif text and share:
            vector = vector + share * self.read(patches, "")
        return F.normalize(vector, dim=-1).tolist()

    def read(self, patches: Tensor, text: str) -> Tensor:
        """Return the network's vector of a picture and a text, shape (width,)."""
        ids = torch.tensor([self.tokenizer.encode(text).ids], device=self.device)
        rows = self.fuse(patches, ids)
        for layer in self.network.encoder.layers:
            rows = read(layer, rows)
        return F.normalize(rows[:, 0], dim=-1)[0]

    def pixels(self, picture: Path) -> Tensor:
        """Return normalised pixels, shape (3, size, size): bicubic shortest side, centre crop."""
        with Image.open(picture) as file:
            image = file.convert("RGB")
        scale = self.size / min(image.size)
        width, height = int(image.width * scale), int(image.height * scale)
        image = image.resize((width, height), Image.Resampling.BICUBIC)
        left, top = round((width - self.size) / 2), round((height - self.size) / 2)
        image = image.crop((left, top, left + self.size, top + self.size))
        values = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float() / 255
        return (values - self.mean) / self.std

    def fuse(self, patches: Tensor, ids: Tensor) -> Tensor:
        """Return [CLS], image tokens and text tokens: shape (1, 1 + n + words, width)."""
        tables = self.network.embeddings
        image = self.network.projection(patches)
        n = image.shape[1]
        image = tables.norm(image + tables.positions.weight[1 : n + 1])
        places = torch.tensor([0, *range(n + 1, n + ids.shape[1])], device=self.device)
        words = tables.norm(tables.words(ids) + tables.positions(places) + tables.types.weight[0])
        return torch.cat([words[:, :1], image, words[:, 1:]], dim=1)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Return softmax(QK^T / sqrt(d))V. Shape: each (1, heads, tokens, d) -> (1, tokens, width)."""
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


def heads(x: Tensor, number: int) -> Tensor:
    """Shape: x (1, tokens, width) -> (1, heads, tokens, d)."""
    return x.unflatten(-1, (number, -1)).transpose(1, 2)


def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate all tokens but the first. Shape: x (1, heads, tokens, d)."""
    first, rest = x[:, :, :1], x[:, :, 1:]
    turned = torch.stack([-rest[..., 1::2], rest[..., ::2]], dim=-1).flatten(-2)
    return torch.cat([first, rest * cos + turned * sin], dim=2)


def look(tower: EvaVision, pixels: Tensor) -> Tensor:
    """Run the EVA02 tower. Shape: pixels (1, 3, size, size) -> (1, patches, width)."""
    x = tower.patches(pixels).flatten(2).transpose(1, 2)
    x = torch.cat([tower.cls[None, None], x], dim=1) + tower.positions
    for block in tower.blocks:
        x = x + mix(block.attention, block.norm1(x), tower.cos, tower.sin)
        y = block.norm2(x)
        mlp = block.mlp
        x = x + mlp.out(mlp.norm(F.silu(mlp.gate(y)) * mlp.value(y)))
    return x[:, 1:]


def mix(attention: nn.Module, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Run the attention of one vision block. Shape: x (1, tokens, width)."""
    weights = attention.qkv.weight.chunk(3)
    biases = (attention.q_bias, None, attention.v_bias)
    q, k, v = (
        heads(F.linear(x, weight, bias), attention.heads)
        for weight, bias in zip(weights, biases, strict=True)
    )
    mixed = attend(turn(q, cos, sin), turn(k, cos, sin), v)
    out: Tensor = attention.proj(attention.norm(mixed))
    return out


def read(layer: nn.Module, x: Tensor) -> Tensor:
    """Run one text layer, all rows. Shape: x (1, tokens, width)."""
    weights, biases = layer.qkv.weight.chunk(3), layer.qkv.bias.chunk(3)
    q, k, v = (
        heads(F.linear(x, weight, bias), layer.heads)
        for weight, bias in zip(weights, biases, strict=True)
    )
    x = layer.attention_norm(x + layer.attention_out(attend(q, k, v)))
    out: Tensor = layer.norm(x + layer.out(F.gelu(layer.hidden(x))))
    return out


def check(checkpoint: Checkpoint, pictures: list[Path]) -> float:
    """Return the largest difference from `VisualizedBGE` in fp32, with and without a text.

    Raises:
        AssertionError: The difference is larger than rounding errors.
    """
    ours = VisualizedBGE(checkpoint, device="cpu", dtype="fp32", reduced_decoding=False)
    plain = Tutorial(checkpoint)
    texts = [None, "in blue"]
    expected = [plain.encode(picture, text or "") for picture in pictures for text in texts]
    found = ours.encode([(picture, text) for picture in pictures for text in texts])
    difference = float(np.abs(found - np.array(expected)).max())
    assert difference < 1e-4, f"The vectors differ by {difference:.2g}."
    return difference
