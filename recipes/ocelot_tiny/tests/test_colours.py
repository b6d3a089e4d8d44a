"""Names of colours, against values of CIE L*a*b* that are in every table."""

from __future__ import annotations

import random

import numpy as np
import pytest

from recipes.ocelot_tiny.catalogue.vocabulary import COLOURS
from recipes.ocelot_tiny.colours import FAMILIES, SHADES, name_of, random_rgb, to_lab


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (100.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0.0, 0.0)),
        ((2, 2, 2), (0.55, 0.0, 0.0)),
    ],
)
def test_lab(rgb: tuple[int, ...], lab: tuple[float, ...]) -> None:
    np.testing.assert_allclose(to_lab(np.array(rgb, float)), lab, atol=0.06)


def test_each_shade_has_one_family_and_each_family_its_own_shade() -> None:
    assert tuple(SHADES) == FAMILIES == tuple(COLOURS)
    names = [shade for shades in SHADES.values() for shade in shades]
    assert len(names) == len(set(names))
    for family in FAMILIES:
        assert name_of(np.array(SHADES[family][family], float)) == family


def test_shades_are_never_named_as_another_family() -> None:
    for family, shades in SHADES.items():
        for rgb in shades.values():
            assert name_of(np.array(rgb, float)) in (family, None)


def test_what_lies_between_or_far_away_has_no_name() -> None:
    blue, teal = (np.array(SHADES[name][name], float) for name in ("blue", "teal"))
    assert name_of((blue + teal) / 2) is None
    vivid = np.array([40.0, 60.0, 255.0])
    assert name_of(vivid) is None
    assert name_of(vivid, farthest=80) == "blue"


@pytest.mark.parametrize("family", FAMILIES)
def test_random_colours_stay_in_their_family(family: str) -> None:
    rng = random.Random(family)
    drawn = [random_rgb(rng, family, family) for _ in range(200)]
    assert all(4 <= value <= 250 for rgb in drawn for value in rgb)
    assert len(set(drawn)) > 100
    names = [name_of(np.array(rgb), farthest=40) for rgb in drawn]
    assert names.count(family) > 120
    assert sum(name not in (family, None) for name in names) < 20
