"""Visualized BGE: a text encoder reads image tokens as if they were words.

Source: VISTA, arXiv 2406.04292. The sequence of an image with a text is::

    [CLS]   image tokens   text tokens … [SEP]
    0       1 … n          n+1 …            (positions)

and the first row of the output, scaled to length 1, is the embedding. An image alone is encoded
with the empty text. A text alone takes the plain path of the text encoder. Where the geometry has
a `picture_share`, that is added afterwards, by whoever runs the network; so is the weight of an
instance part.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocelot.errors import CheckpointError
from ocelot.model.checkpoint import Checkpoint
from ocelot.model.convolution import ConvolutionVision
from ocelot.model.geometry import EvaConfig, Geometry, MobileConfig
from ocelot.model.mobile import MobileVision
from ocelot.model.preprocess import CLIP_MEAN, CLIP_STD
from ocelot.model.text import TextEmbeddings, TextEncoder
from ocelot.model.vision import EvaVision

__all__ = ["Network", "build", "normalise"]


class Network(nn.Module):
    """The whole network of a geometry."""

    share_logits: Tensor

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        self.geometry = geometry
        vision = geometry.vision
        self.vision: nn.Module
        if isinstance(vision, EvaConfig):
            self.vision = EvaVision(vision)
        elif isinstance(vision, MobileConfig):
            self.vision = MobileVision(vision)
        else:
            self.vision = ConvolutionVision(vision)
        self.projection = nn.Linear(vision.width, geometry.text.width)
        self.embeddings = TextEmbeddings(geometry.text)
        self.encoder = TextEncoder(geometry.text)
        if geometry.instance:
            self.instance = nn.Linear(geometry.instance_channels, geometry.instance.width)
            self.instance.requires_grad_(False)
        if geometry.share_by_words:
            self.register_buffer("share_logits", torch.zeros(geometry.text.vocabulary))

    def forward(self, pixels: Tensor | None, ids: Tensor, mask: Tensor | None) -> Tensor:
        """Embed one batch of images with texts, or of texts.

        Args:
            pixels: Normalised images, shape (batch, 3, size, size); None for texts alone.
            ids: Token ids from [CLS] to [SEP] and padding, shape (batch, tokens).
            mask: True at tokens, False at padding, shape (batch, tokens); None without padding.

        Returns:
            Unit vectors, shape (batch, width of the text tower). With an instance part, that
            follows, a unit vector again, or zeros for texts: (batch, dimension).
        """
        instance = self.geometry.instance
        if instance is None:
            return self.read(None if pixels is None else self.vision(pixels), ids, mask)
        if pixels is None:
            return F.pad(self.read(None, ids, mask), (0, instance.width))
        patches, mean = self.vision.tokens_and_mean(pixels, instance.block)  # type: ignore[operator]
        reading = self.read(patches, ids, mask)
        return torch.cat([reading, F.normalize(self.instance(mean), dim=-1)], dim=1)

    def read(self, patches: Tensor | None, ids: Tensor, mask: Tensor | None) -> Tensor:
        """Read the vision tower's tokens with texts, as training reads one image several times.

        Shape: patches (batch, n, width of the vision tower) -> (batch, width of the text tower).
        """
        if patches is None:
            sequence = self.embeddings(ids, self._positions(ids, self.geometry.text.first_position))
        else:
            image = self.embeddings.place(self.projection(patches))
            n = image.shape[1]
            positions = self._positions(ids, n)
            positions[0] = 0
            words = self.embeddings(ids, positions)
            sequence = torch.cat([words[:, :1], image, words[:, 1:]], dim=1)
            if mask is not None:
                image_mask = mask.new_ones(image.shape[:2])
                mask = torch.cat([mask[:, :1], image_mask, mask[:, 1:]], dim=1)
        return F.normalize(self.encoder(sequence, mask), dim=-1)

    @staticmethod
    def _positions(ids: Tensor, first: int) -> Tensor:
        return torch.arange(first, first + ids.shape[1], device=ids.device)


def normalise(pixels: Tensor) -> Tensor:
    """Return images of 0 to 255, shape (batch, 3, size, size), as the network reads them."""
    mean, std = (
        torch.tensor(one, device=pixels.device)[:, None, None] * 255
        for one in (CLIP_MEAN, CLIP_STD)
    )
    return (pixels.float() - mean) / std


def build(checkpoint: Checkpoint, dtype: torch.dtype = torch.float32) -> Network:
    """Build the network with the checkpoint's weights as `dtype`, on the CPU, in eval mode."""
    state = {}
    for name, value in checkpoint.state.items():
        tensor = torch.from_numpy(np.require(value, requirements="W"))
        state[name] = tensor.to(dtype) if tensor.is_floating_point() else tensor
    try:
        with torch.device("meta"):
            network = Network(checkpoint.geometry)
        network.load_state_dict(state, assign=True)
    except (RuntimeError, TypeError, ValueError) as error:
        cause = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"The weights of {checkpoint.name} do not fit its geometry: {cause}. "
            "Check that weights and text model belong together."
        ) from error
    return network.eval()
