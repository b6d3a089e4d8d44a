"""The network of VISTA's design (arXiv 2406.04292) as OpenVINO graphs, built from its weights.

It computes what `ocelot.model.visualized_bge` computes, without torch; weights have the names of
that network, and nodes the shapes that its docstrings give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ocelot.encoders.openvino.graphs import Graphs, mapped_errors, package
from ocelot.errors import CheckpointError
from ocelot.model.checkpoint import Array, Checkpoint
from ocelot.model.geometry import (
    ConvolutionConfig,
    EvaConfig,
    Geometry,
    MobileConfig,
    TextConfig,
)
from ocelot.model.preprocess import CLIP_MEAN, CLIP_STD

__all__ = ["IN_FLOAT", "build_graphs"]

IN_FLOAT = "instance"  # name of a node that stays in float in int8 graphs

_VISION_EPS = 1e-6  # of the layer norms of EVA02
_BATCH_NORM = ("weight", "bias", "running_mean", "running_var")
_BATCH_NORM_EPS = 1e-5
_COUNTER = ".num_batches_tracked"  # of a batch norm; training reads it
_END = np.iinfo(np.int64).max  # of a slice

Node = Any  # openvino.Node or openvino.Output


def build_graphs(checkpoint: Checkpoint) -> Graphs:
    """Build both graphs, for any batch size and number of words.

    Raises:
        CheckpointError: A weight is missing, superfluous, or not of finite floats.
        EncoderError: Weights do not fit the geometry.
    """
    geometry, builder = checkpoint.geometry, _Builder(checkpoint.state)
    if geometry.share_by_words:
        builder.weights.unread.discard("share_logits")  # `VistaEncoder` reads them
    with mapped_errors(f"The weights of {checkpoint.name} do not fit its geometry", "get it anew"):
        try:
            vision = builder.vision(geometry)
            graphs = Graphs(vision, builder.reader(geometry.text))
        except KeyError as error:
            raise CheckpointError(
                f"{checkpoint.name} has no weights {error}: get it anew."
            ) from None
        if left := [name for name in builder.weights.unread if not name.endswith(_COUNTER)]:
            raise CheckpointError(
                f"{checkpoint.name} has weights {min(left)!r} that its geometry does not: get it "
                "anew."
            )
        return graphs


class _Weights(dict[str, Array]):
    """Weights by name; it is noted which were not read."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        super().__init__(weights)
        self.unread = set(weights)

    def __getitem__(self, name: str) -> Array:
        self.unread.discard(name)
        value = super().__getitem__(name)
        if value.dtype.kind != "f":
            raise CheckpointError(f"The weights {name} are {value.dtype}, not floats.")
        return value


class _Builder:
    """Makes nodes from weights."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self.weights = _Weights(weights)
        self.model = package("openvino").Model
        self.ops: Any = package("openvino.opset13")

    # The two graphs

    def vision(self, geometry: Geometry) -> Any:
        config, size = geometry.vision, geometry.vision.image_size
        pixels = self.ops.parameter([-1, 3, size, size], np.uint8, name="pixels")
        mean, std = (255 * np.array(one)[:, None, None] for one in (CLIP_MEAN, CLIP_STD))
        x = self.ops.convert(pixels, np.float32) - self.constant(mean)
        x = x / self.constant(std)
        if isinstance(config, ConvolutionConfig):
            x, blocks = self.convolutions(x, config)
        elif isinstance(config, MobileConfig):
            x, blocks = self.inverted_residuals(x, config)
        else:
            x = self.eva(x, config)
        positions = self.weights["embeddings.positions.weight"][1 : 1 + config.tokens]
        x = self.linear(x, "projection") + self.constant(positions)
        outputs = [self.norm(x, "embeddings.norm", geometry.text.eps)]
        if geometry.instance:
            width = geometry.instance.width
            weight = self.shaped("instance.weight", (width, geometry.instance_channels))
            mean = self.ops.reduce_mean(blocks[geometry.instance.block], [2, 3])
            product = self.ops.matmul(mean, self.constant(weight), False, True)
            product.set_friendly_name(IN_FLOAT)
            part = product + self.constant(self.shaped("instance.bias", (width,)))
            outputs.append(self.ops.normalize_l2(part, [-1], 1e-24, "add"))
        return self.model(outputs, [pixels], "vision")

    def reader(self, config: TextConfig) -> Any:
        tokens = self.ops.parameter([-1, -1, config.width], np.float32, name="tokens")
        ids = self.ops.parameter([-1, -1], np.int64, name="ids")
        positions = self.ops.parameter([-1], np.int64, name="positions")
        mask = self.ops.parameter([-1, -1], np.bool_, name="mask")
        # A row that a table lacks would be read as zeros.
        table = self.shaped("embeddings.words.weight", (config.vocabulary, config.width))
        words = self.ops.gather(self.constant(table), ids, 0)
        table = self.shaped("embeddings.positions.weight", (config.positions, config.width))
        words += self.ops.gather(self.constant(table), positions, 0)
        words += self.constant(self.weights["embeddings.types.weight"][0])
        words = self.norm(words, "embeddings.norm", config.eps)
        x = self.ops.concat([self.rows(words, 0, 1), tokens, self.rows(words, 1, _END)], 1)
        seen = self.ops.unsqueeze(mask, [1, 2])
        for number in range(config.layers):
            last = number == config.layers - 1
            x = self.text_layer(x, seen, f"encoder.layers.{number}.", config, first_row_only=last)
        vector = self.ops.normalize_l2(self.ops.squeeze(x, [1]), [-1], 1e-24, "add")
        return self.model([vector], [tokens, ids, positions, mask], "reader")

    # The towers

    def convolutions(self, x: Node, config: ConvolutionConfig) -> tuple[Node, list[Node]]:
        """Return the tokens, and what each block returns."""
        blocks = []
        x = self.ops.relu(self.convolve(x, "vision.stem.0", "vision.stem.1", stride=2))
        strides = [1 if place else 2 for depth in config.depths for place in range(depth)]
        for number, stride in enumerate(strides):
            name = f"vision.blocks.{number}."
            inner = self.ops.relu(self.convolve(x, name + "conv1", name + "norm1", stride=stride))
            inner = self.convolve(inner, name + "conv2", name + "norm2")
            if name + "skip.0.weight" in self.weights:
                x = self.convolve(x, name + "skip.0", name + "skip.1", stride=stride)
            x = self.ops.relu(inner + x)
            blocks.append(x)
        return self.flat(x), blocks

    def inverted_residuals(self, x: Node, config: MobileConfig) -> tuple[Node, list[Node]]:
        """Return the tokens, and what each block returns."""
        blocks = []
        x = self.clipped(self.biased(x, "vision.stem", stride=2))
        before = config.stem
        for number, (width, _, stride, _) in enumerate(config.blocks):
            name, inner = f"vision.blocks.{number}.", x
            if name + "expand.weight" in self.weights:
                inner = self.clipped(self.biased(inner, name + "expand"))
            inner = self.clipped(self.biased(inner, name + "depthwise", stride=stride, apart=True))
            inner = self.biased(inner, name + "project")
            x = x + inner if stride == 1 and before == width else inner
            before = width
            blocks.append(x)
        return self.flat(self.clipped(self.biased(x, "vision.head"))), blocks

    def eva(self, x: Node, config: EvaConfig) -> Node:
        stride = [config.patch_size] * 2
        kernel = self.weight("vision.patches.weight")
        patches = self.flat(self.ops.convolution(x, kernel, stride, [0, 0], [0, 0], [1, 1]))
        places = self.weights["vision.positions"]
        patches = patches + self.weight("vision.patches.bias") + self.constant(places[1:])
        # The class token, once for each image.
        batch = self.ops.gather(self.ops.shape_of(x), [0], 0)
        first = self.constant(self.weights["vision.cls"] + places[0])
        first = self.ops.broadcast(first, self.ops.concat([batch, [1, config.width]], 0))
        x = self.ops.concat([first, patches], 1)
        for number in range(config.layers):
            name = f"vision.blocks.{number}."
            x += self.eva_attention(self.norm(x, name + "norm1"), name + "attention.", config)
            inner = self.norm(x, name + "norm2")
            gate = self.ops.swish(self.linear(inner, name + "mlp.gate"))
            inner = self.norm(gate * self.linear(inner, name + "mlp.value"), name + "mlp.norm")
            x += self.linear(inner, name + "mlp.out")
        return self.rows(x, 1, _END)

    def eva_attention(self, x: Node, name: str, config: EvaConfig) -> Node:
        q_bias, v_bias = self.weights[name + "q_bias"], self.weights[name + "v_bias"]
        bias = np.concatenate([q_bias, np.zeros_like(q_bias), v_bias])
        qkv = self.product(x, self.weights[name + "qkv.weight"], bias)
        q, k, v = self.heads(qkv, 3, config.heads)
        mixed = self.ops.scaled_dot_product_attention(self.rotate(q), self.rotate(k), v)
        return self.linear(self.norm(self.joined(mixed), name + "norm"), name + "proj")

    @cached_property
    def angles(self) -> tuple[Node, Node, Node]:
        """Cosines, sines, and what turns channels (a, b) to (-b, a); 0 for the class token."""
        cos = np.insert(self.weights["vision.cos"], 0, 1, axis=0)
        sin = np.insert(self.weights["vision.sin"], 0, 0, axis=0)
        turn = np.kron(np.eye(cos.shape[1] // 2), [[0, 1], [-1, 0]])
        return self.constant(cos), self.constant(sin), self.constant(turn)

    def rotate(self, x: Node) -> Node:
        """Rotate pairs of neighbouring channels."""
        cos, sin, turn = self.angles
        turned = self.ops.matmul(x, turn, False, False)
        return self.ops.multiply(x, cos) + self.ops.multiply(turned, sin)

    def text_layer(
        self, x: Node, seen: Node, name: str, config: TextConfig, *, first_row_only: bool
    ) -> Node:
        weight, bias = self.weights[name + "qkv.weight"], self.weights[name + "qkv.bias"]
        width = config.width
        k, v = self.heads(self.product(x, weight[width:], bias[width:]), 2, config.heads)
        x = self.rows(x, 0, 1) if first_row_only else x
        (q,) = self.heads(self.product(x, weight[:width], bias[:width]), 1, config.heads)
        mixed = self.joined(self.ops.scaled_dot_product_attention(q, k, v, seen))
        x = self.norm(
            x + self.linear(mixed, name + "attention_out"), name + "attention_norm", config.eps
        )
        inner = self.ops.gelu(self.linear(x, name + "hidden"), "erf")
        return self.norm(x + self.linear(inner, name + "out"), name + "norm", config.eps)

    # Their parts

    def constant(self, value: Array) -> Node:
        """A weight, kept in the format that it has and used as float32."""
        value = np.ascontiguousarray(value, None if value.dtype == np.float16 else np.float32)
        constant = self.ops.constant(value, shared_memory=True)
        return constant if value.dtype == np.float32 else self.ops.convert(constant, np.float32)

    def weight(self, name: str) -> Node:
        return self.constant(self.weights[name])

    def shaped(self, name: str, shape: tuple[int, ...]) -> Array:
        value = self.weights[name]
        if value.shape != shape:
            raise ValueError(f"{name} has shape {value.shape}, not {shape}")
        return value

    def product(self, x: Node, weight: Array, bias: Array) -> Node:
        return self.ops.matmul(x, self.constant(weight), False, True) + self.constant(bias)

    def linear(self, x: Node, name: str) -> Node:
        return self.product(x, self.weights[name + ".weight"], self.weights[name + ".bias"])

    def norm(self, x: Node, name: str, eps: float = _VISION_EPS) -> Node:
        scaled = self.ops.mvn(x, [-1], True, eps, "inside_sqrt")
        return scaled * self.weight(name + ".weight") + self.weight(name + ".bias")

    def convolve(self, x: Node, name: str, norm: str, *, stride: int = 1) -> Node:
        """Convolve, with the batch norm that follows folded into the kernel."""
        names = [name + ".weight", *(f"{norm}.{part}" for part in _BATCH_NORM)]
        kernel, gain, shift, mean, variance = (
            self.weights[one].astype(np.float32) for one in names
        )
        gain = gain / np.sqrt(variance + _BATCH_NORM_EPS)
        pad = [kernel.shape[-1] // 2] * 2
        folded = self.finite(kernel * gain[:, None, None, None], f"{name} or {norm}")
        x = self.ops.convolution(x, folded, [stride] * 2, pad, pad, [1, 1])
        return x + self.bias(shift - mean * gain, norm)

    def biased(self, x: Node, name: str, *, stride: int = 1, apart: bool = False) -> Node:
        """Convolve, each channel apart from the others or all together, and add the bias."""
        kernel, bias = self.weights[name + ".weight"], self.weights[name + ".bias"]
        spare = kernel.shape[-1] - stride
        parts = [stride] * 2, [spare // 2] * 2, [spare - spare // 2] * 2, [1, 1]
        convolve = self.ops.group_convolution if apart else self.ops.convolution
        x = convolve(x, self.finite(kernel[:, None] if apart else kernel, name), *parts)
        return x + self.bias(bias, name)

    def bias(self, value: Array, name: str) -> Node:
        """A number for each channel, in the shape that the calibration of int8 corrects."""
        return self.finite(value[None, :, None, None], name)

    def finite(self, value: Array, name: str) -> Node:
        """Weights before a relu, which would hide a number that is none."""
        if not np.isfinite(value).all():
            raise CheckpointError(f"The weights {name} are not finite.")
        return self.constant(value)

    def clipped(self, x: Node) -> Node:
        return self.ops.clamp(x, 0.0, 6.0)

    def flat(self, x: Node) -> Node:
        """Shape: (batch, channels, height, width) -> (batch, height * width, channels)."""
        return self.ops.transpose(self.ops.reshape(x, [0, 0, -1], True), [0, 2, 1])

    def rows(self, x: Node, start: int, stop: int) -> Node:
        return self.ops.slice(x, [start], [stop], [1], [1])

    def heads(self, x: Node, parts: int, heads: int) -> Sequence[Node]:
        """Shape: (batch, tokens, parts * width) -> `parts` of (batch, heads, tokens, size)."""
        split = self.ops.reshape(x, [0, 0, parts * heads, -1], True)
        return list(self.ops.split(self.ops.transpose(split, [0, 2, 1, 3]), 1, parts).outputs())

    def joined(self, x: Node) -> Node:
        """Shape: (batch, heads, tokens, size) -> (batch, tokens, width)."""
        return self.ops.reshape(self.ops.transpose(x, [0, 2, 1, 3]), [0, 0, -1], True)
