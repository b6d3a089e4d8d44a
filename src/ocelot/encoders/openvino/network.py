"""The network of VISTA's design (arXiv 2406.04292) as OpenVINO graphs, made from its weights.

It computes what `ocelot.model.visualized_bge` computes, without torch. Weights have the names of
that network; each is used once, as stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ocelot.encoders.openvino.graphs import Graphs, mapped_errors, package
from ocelot.model.checkpoint import Checkpoint
from ocelot.model.geometry import ConvolutionConfig, EvaConfig, Geometry
from ocelot.model.preprocess import CLIP_MEAN, CLIP_STD

__all__ = ["build_graphs"]

_VISION_EPS = 1e-6  # of the layer norms of EVA02
_BATCH_NORM_EPS = 1e-5
_ALL = np.iinfo(np.int64).max  # the end of a slice

Node = Any  # openvino.Node
Array = np.ndarray[Any, Any]


def build_graphs(checkpoint: Checkpoint) -> Graphs:
    """Build both graphs, for any batch size and number of words.

    Raises:
        CheckpointError: A weight is missing or has another shape than the geometry says.
    """
    builder = _Builder(checkpoint.state)
    with mapped_errors(f"OpenVINO cannot build {checkpoint.name}", "use --backend torch"):
        return Graphs(builder.vision(checkpoint.geometry), builder.reader(checkpoint.geometry))


class _Builder:
    """Makes nodes from weights. Shapes are those of the torch network's docstrings."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self.weights = weights
        self.ov = package("openvino")
        self.ops: Any = package("openvino.opset13")

    # The two graphs

    def vision(self, geometry: Geometry) -> Any:
        config, ops = geometry.vision, self.ops
        size = config.image_size
        pixels = ops.parameter([-1, 3, size, size], np.uint8, name="pixels")
        mean, std = (
            255 * np.array(one, np.float32)[:, None, None] for one in (CLIP_MEAN, CLIP_STD)
        )
        x = (ops.convert(pixels, np.float32) - mean) / std
        x = (
            self._convolutions(x, config)
            if isinstance(config, ConvolutionConfig)
            else self._eva(x, config)
        )
        positions = self.weights["embeddings.positions.weight"][1 : 1 + config.tokens]
        x = self._linear(x, "projection") + self._constant(positions)
        return self._model(self._norm(x, "embeddings.norm", geometry.text.eps), [pixels], "vision")

    def reader(self, geometry: Geometry) -> Any:
        text, ops = geometry.text, self.ops
        tokens = ops.parameter([-1, -1, text.width], np.float32, name="tokens")
        ids = ops.parameter([-1, -1], np.int64, name="ids")
        positions = ops.parameter([-1], np.int64, name="positions")
        mask = ops.parameter([-1, -1], np.bool_, name="mask")
        words = ops.gather(self._weight("embeddings.words.weight"), ids, 0)
        words += ops.gather(self._weight("embeddings.positions.weight"), positions, 0)
        words += self._constant(self.weights["embeddings.types.weight"][0])
        words = self._norm(words, "embeddings.norm", text.eps)
        x = ops.concat([self._rows(words, 0, 1), tokens, self._rows(words, 1, _ALL)], 1)
        seen = ops.unsqueeze(mask, [1, 2])
        for number in range(text.layers):
            last = number == text.layers - 1
            x = self._text_layer(x, seen, f"encoder.layers.{number}.", geometry, first_row=last)
        vector = ops.normalize_l2(ops.squeeze(x, [1]), [-1], 1e-24, "add")
        return self._model(vector, [tokens, ids, positions, mask], "reader")

    # The towers

    def _convolutions(self, x: Node, config: ConvolutionConfig) -> Node:
        x = self.ops.relu(self._convolve(x, "vision.stem.0", "vision.stem.1", stride=2))
        strides = [2 if place == 0 else 1 for depth in config.depths for place in range(depth)]
        for number, stride in enumerate(strides):
            block = f"vision.blocks.{number}."
            inner = self.ops.relu(
                self._convolve(x, f"{block}conv1", f"{block}norm1", stride=stride)
            )
            inner = self._convolve(inner, f"{block}conv2", f"{block}norm2")
            if f"{block}skip.0.weight" in self.weights:
                x = self._convolve(x, f"{block}skip.0", f"{block}skip.1", stride=stride)
            x = self.ops.relu(inner + x)
        return self._tokens(x)

    def _eva(self, x: Node, config: EvaConfig) -> Node:
        size = config.patch_size
        kernel = self._weight("vision.patches.weight")
        patches = self.ops.convolution(x, kernel, [size, size], [0, 0], [0, 0], [1, 1])
        patches = self._tokens(patches) + self._weight("vision.patches.bias")
        first = self.weights["vision.cls"] + self.weights["vision.positions"][0]
        patches += self._constant(self.weights["vision.positions"][1:])
        batch = self.ops.gather(self.ops.shape_of(x), [0], 0)
        shape = self.ops.concat([batch, np.array([1, config.width])], 0)
        x = self.ops.concat([self.ops.broadcast(self._constant(first), shape), patches], 1)
        for number in range(config.layers):
            block = f"vision.blocks.{number}."
            x += self._eva_attention(self._norm(x, f"{block}norm1"), f"{block}attention.", config)
            inner = self._norm(x, f"{block}norm2")
            gate = self.ops.swish(self._linear(inner, f"{block}mlp.gate"))
            inner = self._norm(gate * self._linear(inner, f"{block}mlp.value"), f"{block}mlp.norm")
            x += self._linear(inner, f"{block}mlp.out")
        return self._rows(x, 1, _ALL)

    def _eva_attention(self, x: Node, name: str, config: EvaConfig) -> Node:
        q_bias, v_bias = (self.weights[name + part] for part in ("q_bias", "v_bias"))
        bias = np.concatenate([q_bias, np.zeros_like(q_bias), v_bias])
        qkv = self._product(x, self._weight(name + "qkv.weight")) + self._constant(bias)
        q, k, v = self._heads(qkv, 3, config.heads, config.head_size)
        q, k = self._rotate(q), self._rotate(k)
        mixed = self.ops.scaled_dot_product_attention(q, k, v)
        return self._linear(
            self._norm(self._join(mixed, config.width), name + "norm"), name + "proj"
        )

    def _rotate(self, x: Node) -> Node:
        """Rotate pairs of neighbouring channels, but for the class token's: angle 0."""
        cos, sin = (self.weights[f"vision.{part}"].astype(np.float32) for part in ("cos", "sin"))
        cos = np.concatenate([np.ones_like(cos[:1]), cos])
        sin = np.concatenate([np.zeros_like(sin[:1]), sin])
        size = cos.shape[1]
        swap = np.zeros((size, size), np.float32)  # (even, odd) -> (-odd, even)
        swap[np.arange(1, size, 2), np.arange(0, size, 2)] = -1
        swap[np.arange(0, size, 2), np.arange(1, size, 2)] = 1
        turned = self.ops.matmul(x, swap, False, False)
        return self.ops.multiply(x, cos) + self.ops.multiply(turned, sin)

    def _text_layer(
        self, x: Node, seen: Node, name: str, geometry: Geometry, *, first_row: bool
    ) -> Node:
        text = geometry.text
        size = text.width // text.heads
        if first_row:
            weight, bias = (self.weights[f"{name}qkv.{part}"] for part in ("weight", "bias"))
            first, width = self._rows(x, 0, 1), text.width
            q_row = self._product(first, self._constant(weight[:width])) + self._constant(
                bias[:width]
            )
            kv = self._product(x, self._constant(weight[width:])) + self._constant(bias[width:])
            (q,) = self._heads(q_row, 1, text.heads, size)
            k, v = self._heads(kv, 2, text.heads, size)
            x = first
        else:
            q, k, v = self._heads(self._linear(x, name + "qkv"), 3, text.heads, size)
        mixed = self._join(self.ops.scaled_dot_product_attention(q, k, v, seen), text.width)
        x = self._norm(
            x + self._linear(mixed, name + "attention_out"), name + "attention_norm", text.eps
        )
        inner = self.ops.gelu(self._linear(x, name + "hidden"), "erf")
        return self._norm(x + self._linear(inner, name + "out"), name + "norm", text.eps)

    # The parts

    def _constant(self, value: Array) -> Node:
        """A weight, kept in its own format and computed with in that of the graph."""
        constant = self.ops.constant(np.ascontiguousarray(value), shared_memory=True)
        return constant if value.dtype == np.float32 else self.ops.convert(constant, np.float32)

    def _weight(self, name: str) -> Node:
        return self._constant(self.weights[name])

    def _product(self, x: Node, weight: Node) -> Node:
        return self.ops.matmul(x, weight, False, True)

    def _linear(self, x: Node, name: str) -> Node:
        return self._product(x, self._weight(f"{name}.weight")) + self._weight(f"{name}.bias")

    def _norm(self, x: Node, name: str, eps: float = _VISION_EPS) -> Node:
        scaled = self.ops.mvn(x, [-1], True, eps, "inside_sqrt")
        return scaled * self._weight(f"{name}.weight") + self._weight(f"{name}.bias")

    def _convolve(self, x: Node, name: str, norm: str, *, stride: int = 1) -> Node:
        """Convolve with the batch norm that follows folded in."""
        kernel, gain, shift, mean, variance = (
            self.weights[key].astype(np.float32)
            for key in (
                f"{name}.weight",
                *(f"{norm}.{part}" for part in ("weight", "bias", "running_mean", "running_var")),
            )
        )
        scale = gain / np.sqrt(variance + _BATCH_NORM_EPS)
        pad = [kernel.shape[-1] // 2] * 2
        kernel *= scale[:, None, None, None]
        bias = (shift - mean * scale)[:, None, None]
        return self.ops.convolution(x, kernel, [stride, stride], pad, pad, [1, 1]) + bias

    def _tokens(self, x: Node) -> Node:
        """Shape: (batch, channels, height, width) -> (batch, height * width, channels)."""
        flat = self.ops.reshape(x, [0, 0, -1], True)
        return self.ops.transpose(flat, [0, 2, 1])

    def _rows(self, x: Node, start: int, stop: int) -> Node:
        return self.ops.slice(x, [start], [stop], [1], [1])

    def _heads(self, x: Node, parts: int, heads: int, size: int) -> Sequence[Node]:
        """Shape: (batch, tokens, parts * width) -> `parts` of (batch, heads, tokens, size)."""
        split = self.ops.reshape(x, [0, 0, parts * heads, size], True)
        return self.ops.split(self.ops.transpose(split, [0, 2, 1, 3]), 1, parts).outputs()

    def _join(self, x: Node, width: int) -> Node:
        """Shape: (batch, heads, tokens, size) -> (batch, tokens, width)."""
        return self.ops.reshape(self.ops.transpose(x, [0, 2, 1, 3]), [0, 0, width], True)

    def _model(self, result: Node, inputs: Sequence[Node], name: str) -> Any:
        return self.ov.Model([result], list(inputs), name)
