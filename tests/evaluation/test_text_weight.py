from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ocelot.encoders import FunctionEncoder
from ocelot.errors import ConfigurationError, InputError, MetadataError
from ocelot.evaluation import TripletQuery, choose_text_weight

COLOURS = {"red": (250, 5, 5), "green": (0, 250, 0), "blue": (5, 5, 250), "mix": (180, 5, 180)}


def by_colour(image: Image.Image | None, text: str | None) -> Any:
    found = COLOURS[text] if text else np.asarray(image).mean((0, 1))
    return np.array(found, dtype=float)


ENCODER = FunctionEncoder(by_colour, dimension=3)
ENCODER.text_weight = 0.0
# A reference and a text of two colours: their mixture is found by a sum alone.
MIXED = [
    TripletQuery("red.png", "blue", ("mix.png",)),
    TripletQuery("blue.png", "red", ("mix.png",)),
]


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    for name, colour in COLOURS.items():
        Image.new("RGB", (8, 8), colour).save(tmp_path / f"{name}.png")
    return tmp_path


def choose(gallery: Path, queries: Any, encoder: Any = ENCODER) -> Any:
    return choose_text_weight(encoder, queries, gallery, sorted(gallery.glob("*.png")))


def test_weights_are_ranked_by_hand(gallery: Path) -> None:
    found = choose(gallery, MIXED)
    # Ranked are mix, green, and the colour of the text: (5, 5, 250) of the first query.
    # With w = 0 the sum is red: mix (cosine 0.71) is before blue and green. With w = 1 it is
    # blue: blue itself is before mix. So mix is first until blue is closer than mix, where the
    # sum (1 - w, w) passes the angle between 45 and 90 degrees: tan 67.5 = w / (1 - w), w = 0.71.
    assert [found.mrr[weight] for weight in (0.0, 0.5, 0.7, 0.75, 1.0)] == [1, 1, 1, 0.5, 0.5]
    assert (found.weight, found.queries, found.held_out, found.as_set) == (0.0, 2, 1.0, 1.0)
    # Where the text alone is meant, it should count more.
    plain = [TripletQuery("red.png", "blue", ("blue.png",))] * 2
    found = choose(gallery, plain)
    assert (found.weight, found.as_set, found.held_out) == (0.75, 0.5, 1)


def test_what_cannot_be_fitted_is_said(gallery: Path) -> None:
    with pytest.raises(InputError, match="two or more queries"):
        choose(
            gallery,
            [
                TripletQuery("red.png", "blue", ("mix.png",)),
                TripletQuery(None, "red", ("red.png",)),
            ],
        )
    with pytest.raises(MetadataError, match=r"name no\.png, which cannot be used"):
        choose(gallery, [TripletQuery("no.png", "blue", ("mix.png",))] * 2)
    with pytest.raises(ConfigurationError, match="has no weight of words"):
        choose(gallery, MIXED, FunctionEncoder(by_colour, dimension=3))


def test_the_command_prints_what_to_set(
    gallery: Path, monkeypatch: pytest.MonkeyPatch, bare_environment: None
) -> None:
    from typer.testing import CliRunner

    from ocelot.cli.main import app

    monkeypatch.setattr("ocelot.build.build_encoder", lambda settings: ENCODER)
    file = gallery / "queries.jsonl"
    file.write_text("\n".join(json.dumps(vars(query)) for query in MIXED))
    arguments = ["evaluate", "text-weight", str(file), "--images", str(gallery)]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0 and "OCELOT_ENCODER_TEXT_WEIGHT=0.0" in shown.output
    table = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).output)
    assert table["mrr"]["0.75"] == 0.5
