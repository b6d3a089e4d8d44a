"""Edits of pictures as batched tensor operations: recolour, print on, put elsewhere, relight.

Pixels are float32 from 0 to 255, shape (n, 3, height, width); masks are 0 to 1, shape
(n, 1, height, width). Everything runs on the device of its arguments; random numbers are drawn
on the CPU, so that a seed means the same edits everywhere.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from ocelot.training.augment import Random
from recipes.ocelot_tiny.colours import LUMA

__all__ = ["add_figure", "backdrop", "nearness", "place", "print_on", "recolour", "tile", "warp"]


def _luma(pixels: Tensor) -> Tensor:
    weights = torch.tensor(LUMA, device=pixels.device)[:, None, None]
    return (pixels * weights).sum(dim=1, keepdim=True)


def nearness(pixels: Tensor, main: Tensor, reach: Tensor) -> Tensor:
    """How near each pixel is to the main colour, 1 to 0, shape (n, 1, height, width).

    Args:
        main: Main colours, 0…255, shape (n, 3).
        reach: Distance at which it has faded, shape (n,).
    """
    main = main[:, :, None, None]
    light, main_light = _luma(pixels), _luma(main)
    chroma, main_chroma = pixels - light, main - main_light
    distance = 0.25 * (light - main_light) ** 2 + ((chroma - main_chroma) ** 2).sum(1, True)
    return torch.exp(-((distance / (1.6 * reach[:, None, None, None]) ** 2) ** 2))


def recolour(pixels: Tensor, mask: Tensor, main: Tensor, reach: Tensor, target: Tensor) -> Tensor:
    """Give the articles' main colour another one; folds, lettering and the rest stay.

    A pixel takes part by how near it is to the main colour, chroma counting more than light,
    since folds change the light of one cloth.

    Args:
        main: Main colours, 0…255, shape (n, 3).
        reach: Distance from it at which the change has faded, shape (n,).
        target: Colours wanted, shape (n, 3).
    """
    share = mask * nearness(pixels, main, reach)
    main, target = main[:, :, None, None], target[:, :, None, None]
    light, main_light, target_light = _luma(pixels), _luma(main), _luma(target)
    chroma, main_chroma = pixels - light, main - main_light
    # Folds are deep on light cloth and faint on dark: they are carried over in proportion.
    gain = ((target_light + 50) / (main_light + 50)).clamp(0.35, 1.7)
    new_light = target_light + (light - main_light) * gain
    shade = (new_light / target_light.clamp(min=1)).clamp(0.4, 1.4)
    fresh = new_light + (target - target_light) * shade + 0.4 * (chroma - main_chroma)
    return pixels.lerp(fresh.clamp(0, 255), share)


def print_on(
    pixels: Tensor, mask: Tensor, main: Tensor, patch: Tensor, flat: Tensor | None = None
) -> Tensor:
    """Print a picture on the cut-out articles; the cloth's folds shade it.

    Args:
        main: Main colours of the cloth, shape (n, 3).
        patch: What is printed, as large as `pixels`.
        flat: Bool, shape (n,): what has no folds, but perhaps another print already.
    """
    folds = _luma(pixels) / _luma(main[:, :, None, None]).clamp(min=24)
    if flat is not None:
        folds = torch.where(flat[:, None, None, None], 1.0, folds)
    return pixels.lerp((patch * folds.clamp(0.45, 1.35)).clamp(0, 255), mask)


def place(box: Tensor, size: Tensor, centre: Tensor, turn: Tensor, mirror: Tensor) -> Tensor:
    """Affine matrices that sample a source so that a box of it lies at a place of the view.

    Args:
        box: Left, top, right, bottom in 0…1 of the source's square, shape (n, 4).
        size: Longer side of the box in the view, as a share of the view's side, shape (n,).
        centre: Where its middle lies, -1…1, shape (n, 2).
        turn: Radians, shape (n,).
        mirror: 1 or -1, shape (n,).

    Returns:
        For `warp`, shape (n, 2, 3): from view coordinates to source coordinates.
    """
    middle = box[:, :2] + box[:, 2:] - 1
    longer = (box[:, 2:] - box[:, :2]).amax(dim=1)
    scale = longer / size
    cos, sin = torch.cos(turn) * scale, torch.sin(turn) * scale
    rows = torch.stack(
        [torch.stack([cos * mirror, -sin * mirror], 1), torch.stack([sin, cos], 1)], dim=1
    )
    shift = middle - (rows @ centre[:, :, None])[:, :, 0]
    return torch.cat([rows, shift[:, :, None]], dim=2)


def warp(
    source: Tensor, matrix: Tensor, side: int, bend: Tensor | None = None, pad: str = "border"
) -> Tensor:
    """Sample a view of side x side pixels through an affine matrix and a smooth bend.

    Args:
        source: Any channels, shape (n, c, height, width).
        matrix: See `place`, shape (n, 2, 3).
        bend: Displacements in the source's -1…1, coarse, shape (n, 2, k, k).
    """
    grid = _grid(matrix, side)
    if bend is not None:
        weights = _bicubic(bend.shape[-1], side).to(bend.device)
        grid += torch.einsum("yi,ncij,xj->nyxc", weights, bend, weights)
    return F.grid_sample(source, grid, padding_mode=pad, align_corners=False)


def _grid(matrix: Tensor, side: int) -> Tensor:
    """What `affine_grid` computes, several times as fast: shape (n, side, side, 2)."""
    axis = (torch.arange(side, device=matrix.device) * 2 + 1) / side - 1
    columns = matrix[:, None, None, :, 0] * axis[None, None, :, None]
    rows = matrix[:, None, None, :, 1] * axis[None, :, None, None] + matrix[:, None, None, :, 2]
    return rows + columns


@lru_cache(maxsize=4)
def _bicubic(few: int, many: int) -> Tensor:
    """Weights that interpolate `few` values to `many`, shape (many, few)."""
    basis = torch.eye(few)[None, :, :, None]
    return F.interpolate(basis, (many, 1), mode="bicubic", align_corners=True)[0, :, :, 0].T


def tile(source: Tensor, matrix: Tensor, box: Tensor, side: int, gap: Tensor) -> Tensor:
    """Sample a view in which what lies in a box of the source is repeated over and over.

    Args:
        source: Shape (n, c, height, width).
        matrix: See `place`, shape (n, 2, 3).
        box: Left, top, right, bottom in 0…1 of the source's square, shape (n, 4).
        gap: From one to the next, as a share of the box's longer side, shape (n,).
    """
    grid = _grid(matrix, side)
    middle = (box[:, :2] + box[:, 2:] - 1)[:, None, None]
    period = 2 * (box[:, 2:] - box[:, :2]).amax(dim=1) * gap
    period = period[:, None, None, None]
    grid = torch.remainder(grid - middle + period / 2, period) - period / 2 + middle
    return F.grid_sample(source, grid, padding_mode="zeros", align_corners=False)


def backdrop(random: Random, n: int, side: int) -> Tensor:
    """Plain backgrounds: half are near white, the others of any colour; all lit unevenly."""
    colour = random.uniform(40, 250, n, 3) * 0.6 + random.uniform(20, 245, n, 1) * 0.4
    white = random.uniform(224, 255, n, 1) + random.uniform(-5, 5, n, 3)
    base = torch.where(random.uniform(0, 1, n, 1) < 0.5, white, colour)[:, :, None, None]
    light = F.interpolate(random.normal(n, 1, 3, 3), (side, side), mode="bilinear")
    floor = random.uniform(-0.3, 1.6, n, 1, 1, 1)
    height = torch.linspace(-1, 1, side, device=random.device)[None, None, :, None]
    step = torch.sigmoid((height - floor) * 60) * random.uniform(-45, 20, n, 3, 1, 1)
    return (base + 5 * light + step).clamp(0, 255)


def add_figure(random: Random, picture: Tensor, box: Tensor) -> Tensor:
    """Paint the rough shape of a person where somebody wears what lies in `box`.

    Head and neck above, arms beside, legs below, in skin and trouser colours: what a catalogue
    photograph shows around a garment, and a search must look past.

    Args:
        picture: Backgrounds, shape (n, 3, side, side).
        box: Of the garment in the view: left, top, right, bottom, -1…1, shape (n, 4).
    """
    n, side = len(picture), picture.shape[-1]
    axis = torch.linspace(-1, 1, side, device=picture.device)
    y, x = axis[None, :, None], axis[None, None, :]
    left, top, right, bottom = (box[:, i, None, None] for i in range(4))
    width, middle = right - left, (left + right) / 2 + random.uniform(-0.03, 0.03, n, 1, 1)
    tone = random.uniform(0.3, 1.0, n, 1)
    skin = tone * torch.tensor([242.0, 208.0, 184.0], device=picture.device)
    skin = skin + (1 - tone) * torch.tensor([60.0, 34.0, 22.0], device=picture.device)
    cloth, hair = random.uniform(20, 235, n, 3), random.uniform(10, 120, n, 3)

    def paint(where: Tensor, colour: Tensor) -> None:
        nonlocal picture
        soft = torch.sigmoid(where * side / 3)[:, None]
        picture = picture.lerp(colour[:, :, None, None].expand_as(picture), soft)

    head = width * random.uniform(0.17, 0.24, n, 1, 1)
    up = top - head * random.uniform(0.8, 1.4, n, 1, 1)
    leg = width * random.uniform(0.12, 0.2, n, 1, 1)
    apart = width * random.uniform(0.14, 0.24, n, 1, 1)
    below = (y - bottom + 0.1 * width) * torch.ones_like(x)
    bare = random.uniform(0, 1, n, 1) < 0.4
    for sign in (-1, 1):
        limb = leg - (x - middle - sign * apart).abs()
        paint(torch.minimum(limb, below), torch.where(bare, skin, cloth))
        arm = leg * 0.6 - (x - middle - sign * (width * 0.5)).abs()
        inside = torch.minimum(y - top - 0.3 * width, top + 1.3 * width - y) * torch.ones_like(x)
        paint(torch.minimum(arm, inside), skin)
    paint(head * 1.12 - ((x - middle) ** 2 + ((y - up + 0.2 * head) / 1.25) ** 2).sqrt(), hair)
    paint(head - ((x - middle) ** 2 + ((y - up) / 1.3) ** 2).sqrt(), skin)
    neck = torch.minimum(head * 0.5 - (x - middle).abs(), torch.minimum(y - up, top + head - y))
    paint(neck, skin)
    return picture
