"""The instance part of an adapted encoder, on a drawn shop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ocelot.adapting.designs import with_designs
from ocelot.adapting.understand import understand
from ocelot.encoders import VisualizedBGE
from ocelot.encoders.weights import locate
from ocelot.errors import InputError
from ocelot.model.checkpoint import Checkpoint, read_folder
from tests.adapting.made import useless, write_metadata, write_shop
from tests.training import made


def test_a_model_is_found_in_another_colour(micro: Path) -> None:
    catalogue = understand(Path("shop"))
    before = read_folder(locate("ocelot-tiny").weights.parent)
    after = with_designs(before, catalogue.part("train"))
    assert after.geometry == before.geometry
    same = before.state.keys() - {"instance.weight", "instance.bias"}
    assert all((after.state[name] == before.state[name]).all() for name in same)
    rows = [row for name in ("watch", "measure") for row in catalogue.part(name)]

    def found(checkpoint: Checkpoint, columns: slice) -> int:
        vectors = VisualizedBGE(checkpoint, device="cpu").encode((row.path, None) for row in rows)
        vectors = vectors[:, columns]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        nearest = (vectors @ vectors.T - 9 * np.eye(len(rows))).argmax(axis=1)
        return sum(rows[n].design == row.design for n, row in zip(nearest, rows, strict=True))

    width = before.geometry.text.width
    fitted = found(after, slice(width, None))
    assert fitted > found(before, slice(width, None)) > found(before, slice(width))


def test_pictures_that_are_gone_are_an_error(micro: Path) -> None:
    rows = understand(Path("shop")).part("train")
    for row in rows:
        row.path.unlink()
    with pytest.raises(InputError, match="None of the pictures"):
        with_designs(read_folder(micro), rows)


def test_without_designs_views_alone_are_fitted_on(micro: Path) -> None:
    lines = write_shop(Path("plain"))
    write_metadata(Path("plain"), useless(lines))
    after = with_designs(read_folder(micro), understand(Path("plain")).part("train"))
    assert np.isfinite(after.state["instance.weight"]).all()


def test_a_tower_of_patches_gets_none() -> None:
    initial = made.checkpoint(made.tokenizer())
    assert with_designs(initial, ()) is initial
