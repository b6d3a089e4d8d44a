"""The making of an evaluation set from photographs: its pictures on disk and its queries."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from recipes.ocelot_tiny import edits
from recipes.ocelot_tiny.augment import Augmenter
from recipes.ocelot_tiny.batch_plan import PictureSpec
from recipes.ocelot_tiny.colours import RGB
from recipes.ocelot_tiny.photographs import SIDE, PhotoSet
from recipes.ocelot_tiny.pools import StencilPool
from recipes.ocelot_tiny.words import spoken

__all__ = ["BenchmarkWriter"]

_STRENGTH = 0.6  # of crops, turns and light
_AT_ONCE = 32  # pictures made in one piece


@dataclass
class BenchmarkWriter:
    """A set in the making: pictures are written and named, queries are gathered.

    Attributes:
        folder: Gets the pictures, under `images`; there is such a folder.
        task: What the queries say that they are.
        held_out: File names of the photographs that may be asked with and for.
        rng: Decides everything.
        queries: How many at most, or None.
        lines: The queries so far, as JSON.
    """

    folder: Path
    task: str
    photos: PhotoSet
    held_out: frozenset[str]
    rng: random.Random
    queries: int | None
    lines: list[str] = field(default_factory=list)
    _pictures: int = 0

    @property
    def numbers(self) -> list[int]:
        """Of the held-out photographs within the photos."""
        photographs = enumerate(self.photos.photographs)
        return [n for n, photograph in photographs if photograph.file_name in self.held_out]

    def sample(self, numbers: Sequence[int], count: int | None) -> list[int]:
        """`count` of them at most, in order."""
        if count is None or count >= len(numbers):
            return list(numbers)
        return sorted(self.rng.sample(numbers, count))

    def ask(self, reference: str | None, text: str | None, targets: Sequence[str]) -> None:
        """A query, unless there are enough."""
        if self.queries is None or len(self.lines) < self.queries:
            line = {"reference": reference, "text": text, "targets": targets, "task": self.task}
            self.lines.append(json.dumps(line))

    def add(self, pixels: Tensor) -> list[str]:
        """Write pictures, 0…255, shape (n, 3, height, width)."""
        names = []
        for picture in pixels.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy():
            names.append(f"images/{self._pictures:06}.jpg")
            Image.fromarray(picture).save(self.folder / names[-1], "JPEG", quality=90)
            self._pictures += 1
        return names

    def render(
        self, specs: Sequence[PictureSpec], stencils: StencilPool | None = None
    ) -> list[str]:
        """Make and write pictures of SIDE x SIDE pixels."""
        augmenter = Augmenter(SIDE, photos=self.photos, stencils=stencils, strength=_STRENGTH)
        pieces = [specs[start : start + _AT_ONCE] for start in range(0, len(specs), _AT_ONCE)]
        return [name for piece in pieces for name in self.add(augmenter.render(piece, self.rng))]

    def original(self, number: int) -> str:
        """Write a photograph as it is, in its own shape."""
        return self.add(self._cut(self._sheet(number)[:, :3], number))[0]

    def recoloured(self, number: int, colours: Sequence[RGB]) -> list[str]:
        """Write a photograph with its article in other colours, nothing else changed."""
        photograph, n = self.photos.photographs[number], len(colours)
        sheet = self._sheet(number).expand(n, -1, -1, -1)
        made = edits.recolour(
            sheet[:, :3],
            sheet[:, 3:] / 255,
            torch.tensor(photograph.main).expand(n, -1),
            torch.tensor(photograph.reach).expand(n),
            torch.tensor(colours),
        )
        return self.add(self._cut(made, number))

    def word(self, number: int) -> str:
        """What a photograph shows, as people write it."""
        return spoken(self.photos.photographs[number].kind)

    def _sheet(self, number: int) -> Tensor:
        return torch.from_numpy(np.array(self.photos.pixels[[number]])).float()

    def _cut(self, pixels: Tensor, number: int) -> Tensor:
        """Without what fills the square around a photograph."""
        box = self.photos.photographs[number].box
        left, top, right, bottom = (round(SIDE * edge) for edge in box)
        return pixels[:, :, top:bottom, left:right]
