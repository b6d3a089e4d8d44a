"""The part of an adapted encoder's vectors that tells the catalogue's designs apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ocelot.adapting.understand import Row
from ocelot.model.checkpoint import Checkpoint
from ocelot.model.instance import Grouped, default_part, with_instance
from ocelot.training.augment import Random, crop, relight
from ocelot.training.source import PictureReader

__all__ = ["with_designs"]

_MOST, _SEEN_TWICE = 2_000, 500  # pictures
_CROP, _LIGHT = 1.5, 1.0  # strengths
_BATCH = 64


def with_designs(trained: Checkpoint, rows: Sequence[Row]) -> Checkpoint:
    """Fit the instance part (see `ocelot.model.instance`) on the rows that were trained on.

    It should tell designs apart whatever their attributes, and know a picture again in another
    crop and light. An encoder with a vision tower of patches stays as it is.
    """
    part = trained.geometry.instance or default_part(trained.geometry.vision)
    if part is None:
        return trained
    rows = sorted(rows, key=lambda row: not row.varies)[:_MOST]
    reader = PictureReader(
        [row.path for row in rows], trained.geometry.vision.image_size, reduced=True
    )
    readable = reader.read(range(len(rows)))
    pixels = torch.split(torch.from_numpy(np.stack([*readable.values()])), _BATCH)
    designs = [rows[number].design if rows[number].varies else None for number in readable]
    twice = pixels[: -(-_SEEN_TWICE // _BATCH)]
    places = range(sum(map(len, twice)))
    sets = [Grouped([*_changed(twice, 0), *_changed(twice, 1)], [*places, *places])]
    if max(Counter(filter(None, designs)).values(), default=0) > 1:
        sets.append(Grouped(pixels, designs))
    return with_instance(trained, sets, part)


def _changed(batches: Sequence[Tensor], seed: int) -> list[Tensor]:
    """The pictures, each in another crop and light."""
    random = Random(torch.Generator().manual_seed(seed), torch.device("cpu"))
    return [relight(random, crop(random, one.float(), _CROP), _LIGHT) for one in batches]
