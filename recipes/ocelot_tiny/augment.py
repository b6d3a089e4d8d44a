"""Makes the pictures of a batch: all at once, as tensors, on the device."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ocelot.model.preprocess import Pixels
from ocelot.training.augment import Random, relight
from recipes.ocelot_tiny import edits
from recipes.ocelot_tiny.batch_plan import PictureSpec
from recipes.ocelot_tiny.photographs import Joined, PhotoSet
from recipes.ocelot_tiny.pictures import number_in_pool
from recipes.ocelot_tiny.pools import GAIN, DrawingPool, StencilPool

__all__ = ["Augmenter"]

_WORN = frozenset(
    {"t-shirt", "longsleeve", "shirt", "dress", "outwear", "polo", "undershirt", "blazer"}
    | {"hoodie", "body", "top", "blouse"}
)


class Augmenter:
    """Makes the pictures of a plan.

    Args:
        size: Pixels along one side of what it makes.
        photos, drawings, stencils: What they are made from; None if the run has none.
        strength: Of crops, turns, bends and light; 0 changes nothing.
        device: Where the pictures are made.
    """

    def __init__(
        self,
        size: int,
        *,
        photos: PhotoSet | None = None,
        drawings: DrawingPool | None = None,
        stencils: StencilPool | None = None,
        strength: float = 1.0,
        device: torch.device | None = None,
    ) -> None:
        self.size, self.strength = size, strength
        self.photos, self.drawings, self.stencils = photos, drawings, stencils
        self.device = device or torch.device("cpu")

    def render(self, specs: Sequence[PictureSpec], rng: random.Random) -> Tensor:
        """Make pictures: float32, 0 to 255, shape (n, 3, size, size)."""
        source = Random(torch.Generator().manual_seed(rng.getrandbits(63)), self.device)
        made = torch.empty(len(specs), 3, self.size, self.size, device=self.device)
        for kind, make in (
            ("photograph", self._photographs),
            ("stencil", self._stencils),
            ("drawing", self._drawings),
        ):
            rows = [row for row, spec in enumerate(specs) if spec.source == kind]
            if rows:
                made[rows] = make([specs[row] for row in rows], source, rng)
        return relight(source, made, self.strength)

    def _photographs(self, specs: list[PictureSpec], source: Random, rng: random.Random) -> Tensor:
        assert self.photos is not None
        photos, n = self.photos, len(specs)
        numbers = [number_in_pool(spec) for spec in specs]
        photographs = [photos.photographs[number] for number in numbers]
        away = self._tensor([float(spec.setting == "elsewhere") for spec in specs])
        close = self._tensor([float(spec.setting == "close") for spec in specs])
        boxes = self._tensor([one.box for one in photographs])
        objects = self._tensor([one.object_box for one in photographs])
        rows = [row for row, spec in enumerate(specs) if spec.setting == "inside"]
        if rows:
            boxes[rows] = _inner(objects[rows], source, 0.25, 0.48)
        matrix, seen = self._frame(boxes, objects, away, close, source)
        # Tables often have pictures that were squeezed into a square.
        squeeze = torch.exp(0.45 * self.strength * source.uniform(-1, 1, n))
        table = self._tensor([one.listing is not None for one in photographs])
        squeeze = torch.where(table > 0, squeeze, 1.0).sqrt()
        matrix[:, :, :2] *= torch.stack([squeeze, 1 / squeeze], dim=1)[:, None]
        bend = source.normal(n, 2, 4, 4)
        bend = bend * (0.03 * self.strength * (0.4 + away))[:, None, None, None]
        sheets = self._load(photos.pixels, numbers)
        views = edits.warp(sheets[:, :3], matrix, self.size, bend)
        mask = edits.warp(sheets[:, 3:] / 255, matrix, self.size, bend, pad="zeros")
        main = self._tensor([one.main for one in photographs])
        rows = [row for row, spec in enumerate(specs) if spec.colour is not None]
        if rows:
            reach = self._tensor([photographs[row].reach for row in rows])
            target = self._tensor([specs[row].colour for row in rows])
            views[rows] = edits.recolour(views[rows], mask[rows], main[rows], reach, target)
        rows = [row for row, spec in enumerate(specs) if spec.printed is not None]
        if rows:
            patch = self._patches([specs[row] for row in rows], self.size, source)
            under = [photographs[row] for row in rows]
            reach = self._tensor([one.reach if one.listing else math.inf for one in under])
            flat = self._tensor([one.reach for one in under]).isinf()
            where = mask[rows] * edits.nearness(views[rows], main[rows], 1.3 * reach)
            views[rows] = edits.print_on(views[rows], where, main[rows], patch, flat)
        rows = [row for row, spec in enumerate(specs) if spec.setting == "elsewhere"]
        if rows:
            worn = [row for row, at in enumerate(rows) if photographs[at].kind in _WORN]
            views[rows] = self._elsewhere(views[rows], mask[rows], seen[rows], worn, source, rng)
        return views

    def _frame(
        self, boxes: Tensor, objects: Tensor, away: Tensor, close: Tensor, source: Random
    ) -> tuple[Tensor, Tensor]:
        """Where each photograph lies in its view: matrices, and the article's box in the view."""
        n, s = len(boxes), self.strength
        # A photograph with its own background is seen through a square window, as search does.
        short = (boxes[:, 2:] - boxes[:, :2]).amin(dim=1)
        share = 1 - s * (1 - source.uniform(0.66, 1.08, n))
        share = share - close * source.uniform(0.2, 0.55, n)
        room = (boxes[:, 2:] - boxes[:, :2] - (short * share)[:, None]).abs()
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2 + s * room * source.uniform(-0.45, 0.45, n, 2)
        half = (short * share / 2)[:, None]
        windows = torch.cat([middle - half, middle + half], dim=1)
        # An article that is cut out lies anywhere, at any size.
        size = 1 - s * away * (1 - source.uniform(0.5, 1.02, n))
        centre = away[:, None] * (1 - size.clamp(max=1))[:, None] * source.uniform(-1, 1, n, 2)
        shown = torch.where(away[:, None] > 0, objects, windows)
        turn = s * source.uniform(-0.2, 0.2, n) * (0.6 + away)
        mirror = torch.where(source.uniform(0, 1, n) < 0.5 * min(s, 1), -1.0, 1.0)
        matrix = edits.place(shown, size, centre, turn, mirror)
        extent = shown[:, 2:] - shown[:, :2]
        extent = extent / extent.amax(dim=1, keepdim=True) * size[:, None]
        return matrix, torch.cat([centre - extent, centre + extent], dim=1)

    def _elsewhere(
        self,
        views: Tensor,
        alpha: Tensor,
        seen: Tensor,
        worn: list[int],
        source: Random,
        rng: random.Random,
    ) -> Tensor:
        """Cut-out articles before other backgrounds, some of them worn."""
        behind = self._backgrounds(len(views), source, rng)
        worn = [row for row in worn if rng.random() < 0.35]
        if worn:
            behind[worn] = edits.add_figure(source, behind[worn], seen[worn])
        shadow = F.avg_pool2d(F.pad(alpha, (3, 1, 1, 3)), 5, stride=1)
        dark = source.uniform(-0.3, 0.5, len(views), 1, 1, 1).clamp(min=0)
        return (behind * (1 - dark * shadow)).lerp(views, alpha)

    def _backgrounds(self, n: int, source: Random, rng: random.Random) -> Tensor:
        """Plain ones, and corners of photographs."""
        behind = edits.backdrop(source, n, self.size)
        if self.photos is None:
            return behind
        rows = [row for row in range(n) if rng.random() < 0.45]
        if rows:
            others = [rng.randrange(len(self.photos.photographs)) for _ in rows]
            corner = torch.sign(source.uniform(-1, 1, len(rows), 2))
            boxes = self._tensor([self.photos.photographs[other].box for other in others])
            share = source.uniform(0.2, 0.5, len(rows), 1)
            half = (boxes[:, 2:] - boxes[:, :2]) * share / 2
            inside = (boxes[:, 2:] - boxes[:, :2]) / 2 - half
            middle = (boxes[:, :2] + boxes[:, 2:]) / 2 + corner * inside
            matrix = edits.place(
                torch.cat([middle - half, middle + half], dim=1),
                source.uniform(1.4, 1.6, len(rows)),
                torch.zeros(len(rows), 2, device=self.device),
                source.uniform(-0.5, 0.5, len(rows)),
                torch.ones(len(rows), device=self.device),
            )
            behind[rows] = edits.warp(
                self._load(self.photos.pixels, others)[:, :3], matrix, self.size, pad="reflection"
            )
        return behind

    def _patches(self, specs: Sequence[PictureSpec], side: int, source: Random) -> Tensor:
        """Parts of photographs, or their things on a ground, as prints: (n, 3, side, side)."""
        assert self.photos is not None
        photos, n = self.photos, len(specs)
        chosen = [spec.printed for spec in specs if spec.printed is not None]
        objects = self._tensor([photos.photographs[number].object_box for number in chosen])
        tiled = torch.tensor([spec.tiled for spec in specs], device=self.device)
        parts = _inner(objects, source, 0.22, 0.45)
        # Sometimes a small part of that: what is printed of a leopard may be its spots.
        middle = (parts[:, :2] + parts[:, 2:]).repeat(1, 2) / 2
        parts = middle.lerp(parts, source.uniform(0.45, 1.4, n, 1).clamp(max=1))
        boxes = torch.where(tiled[:, None], objects, parts)
        size = torch.where(tiled, source.uniform(0.12, 0.45, n), 1.0)
        matrix = edits.place(
            boxes,
            size,
            torch.zeros(n, 2, device=self.device),
            source.uniform(-0.4, 0.4, n),
            torch.sign(source.uniform(-1, 1, n)),
        )
        sheets = self._load(photos.pixels, chosen)
        patches = edits.warp(sheets[:, :3], matrix, side, pad="reflection")
        if tiled.any():
            colour = source.uniform(0, 255, n, 3, 1, 1).round()
            plain = source.uniform(0, 1, n, 1, 1, 1)
            colour = torch.where(plain < 0.25, source.uniform(225, 255, n, 1, 1, 1), colour)
            colour = torch.where(plain > 0.75, source.uniform(5, 45, n, 1, 1, 1), colour)
            gap = source.uniform(1.05, 1.8, n)
            motif = edits.tile(sheets, matrix, objects, side, gap)
            ground = colour.lerp(motif[:, :3], motif[:, 3:] / 255)
            patches = torch.where(tiled[:, None, None, None], ground, patches)
        return patches

    def _stencils(self, specs: list[PictureSpec], source: Random, rng: random.Random) -> Tensor:
        assert self.stencils is not None
        n = len(specs)
        layers = self._load(self.stencils.pixels, [number_in_pool(spec) for spec in specs])
        side = layers.shape[-1]
        patch = self._patches(specs, side, source)
        made = (layers[:, :3] + layers[:, 3:4] / GAIN * patch).clamp(0, 255)
        matrix = self._jitter(n, source)
        views = edits.warp(made, matrix, self.size)
        rows = [row for row in range(n) if rng.random() < 0.5 * self.strength]
        if rows:
            outline = edits.warp(layers[rows, 4:] / 255, matrix[rows], self.size, pad="zeros")
            views[rows] = self._backgrounds(len(rows), source, rng).lerp(views[rows], outline)
        return views

    def _drawings(self, specs: list[PictureSpec], source: Random, rng: random.Random) -> Tensor:
        assert self.drawings is not None
        rows = [
            self.drawings.choose(rng, spec.subject)
            for spec in specs
            if not isinstance(spec.subject, int)
        ]
        drawn = self._load(self.drawings.pixels, rows)
        return edits.warp(drawn, self._jitter(len(rows), source), self.size)

    def _jitter(self, n: int, source: Random) -> Tensor:
        """Small crops, moves, turns and mirrorings of whole pictures; matrices for `warp`."""
        s = self.strength
        angle = s * source.uniform(-0.14, 0.14, n)
        scale = 1 + s * (source.uniform(0.72, 1.08, n) - 1)
        mirror = torch.where(source.uniform(0, 1, n) < 0.5 * s, -1.0, 1.0)
        cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
        rows = torch.stack(
            [torch.stack([cos * mirror, -sin], 1), torch.stack([sin * mirror, cos], 1)], dim=1
        )
        return torch.cat([rows, s * source.uniform(-0.12, 0.12, n, 2, 1)], dim=2)

    def _load(self, pixels: Pixels | Joined, rows: Sequence[int]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(pixels[list(rows)])).to(self.device).float()

    def _tensor(self, values: Sequence[object]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=self.device)


def _inner(boxes: Tensor, source: Random, least: float, most: float) -> Tensor:
    """Squares within boxes, whose half sides are a share of the shorter side."""
    n = len(boxes)
    whole = boxes[:, 2:] - boxes[:, :2]
    half = whole.amin(dim=1, keepdim=True) * source.uniform(least, most, n, 1)
    room = whole / 2 - half
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2 + 0.7 * room * source.uniform(-1, 1, n, 2)
    return torch.cat([middle - half, middle + half], dim=1)
