"""The part of an adapted encoder's vectors that tells the catalogue's designs apart."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from ocelot.adapting.understand import Row
from ocelot.errors import InputError
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

    Raises:
        InputError: No picture can be read.
    """
    part = trained.geometry.instance or default_part(trained.geometry.vision)
    if part is None:
        return trained
    rng, size = random.Random(0), trained.geometry.vision.image_size
    designs = sorted({row.design for row in rows})
    order = {design: place for place, design in enumerate(rng.sample(designs, len(designs)))}
    rows = sorted(rows, key=lambda row: (not row.varies, order[row.design]))[:_MOST]
    readable = PictureReader([row.path for row in rows], size, reduced=True).read(range(len(rows)))
    if not readable:
        raise InputError("None of the pictures that were trained on can be read any more.")
    pixels = torch.from_numpy(np.stack([*readable.values()]))
    twice = pixels[rng.sample(range(len(pixels)), min(_SEEN_TWICE, len(pixels)))]
    views = chain(_changed(twice, 0), _changed(twice, 1))
    sets = [Grouped(views, 2 * [*range(len(twice))])]
    groups = [rows[number].design if rows[number].varies else None for number in readable]
    if max(Counter(filter(None, groups)).values(), default=0) > 1:
        sets.append(Grouped(torch.split(pixels, _BATCH), groups))
    return with_instance(trained, sets, part)


def _changed(pixels: Tensor, seed: int) -> Iterator[Tensor]:
    """Batches of the pictures, each in another crop and light."""
    draw = Random(torch.Generator().manual_seed(seed), torch.device("cpu"))
    for one in torch.split(pixels, _BATCH):
        yield relight(draw, crop(draw, one.float(), _CROP), _LIGHT)
