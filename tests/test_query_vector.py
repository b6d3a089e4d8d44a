"""The query vector, worked by hand: inputs whose vectors are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from ocelot.encoders import FunctionEncoder
from ocelot.encoders.base import encode_query
from ocelot.query import Query
from ocelot.query_vector import query_vector

# Axes: 0 the red picture, 1 the blue one, 2 a text, 3 red with a text, 4 blue with a text.
RED, BLUE = (Image.new("RGB", (2, 2), name) for name in ("red", "blue"))


def axis(image: Image.Image | None, text: str | None) -> Any:
    vector = np.zeros(6)
    if text == "sloped":
        vector[[2, 5]] = 0.6, 0.8
        return vector
    blue = image is not None and image.getpixel((0, 0)) == (0, 0, 255)
    vector[2 if image is None else (3 if text else 0) + blue] = 1
    return vector


ENCODER = FunctionEncoder(axis, dimension=6)


def encoded(query: Query, *stored: Any) -> Any:
    return encode_query(ENCODER, query, *stored)


def unit(*values: float) -> Any:
    return pytest.approx(np.array(values) / np.linalg.norm(values), abs=1e-6)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        # A picture and a text of equal weight are the encoder's joint vector, whatever the weight.
        ({}, (0, 0, 0, 1, 0, 0)),
        ({"image_weights": 3, "text_weight": 3}, (0, 0, 0, 1, 0, 0)),
        ({"text_weight": 3}, (0, 0, 2, 1, 0, 0)),
        ({"image_weights": 4}, (3, 0, 0, 1, 0, 0)),
        ({"image_weights": 0.5, "text_weight": 2}, (0, 0, 1.5, 0.5, 0, 0)),
    ],
)
def test_a_heavier_part_adds_its_own_vector(weights: dict[str, Any], expected: Any) -> None:
    assert encoded(Query(RED, "a", **weights)) == unit(*expected)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query([RED, BLUE]), (1, 1, 0, 0, 0, 0)),
        (Query([RED, BLUE], image_weights=[3, 1]), (3, 1, 0, 0, 0, 0)),
        (Query([RED, BLUE], "a"), (0, 0, 0, 1, 1, 0)),
        # The heaviest picture counts 3: of that 1 with the text and 2 alone, in shares 3 to 1.
        (Query([RED, BLUE], "a", image_weights=[3, 1]), (6, 2, 0, 3, 1, 0)),
        (Query([RED, BLUE], "a", image_weights=[1, 0.5], text_weight=4), (0, 0, 9, 2, 1, 0)),
        (Query(text="a", text_weight=4), (0, 0, 1, 0, 0, 0)),
        (Query(RED, image_weights=4), (1, 0, 0, 0, 0, 0)),
    ],
)
def test_pictures_count_by_their_shares(query: Query, expected: Any) -> None:
    assert encoded(query) == unit(*expected)


def test_what_is_not_wanted_counts_where_it_differs_from_the_query() -> None:
    # The negative is .6 of the query and .8 of something else: only the latter is taken away.
    query = Query(text="a", negative_text="sloped", negative_weight=0.5)
    assert encoded(query) == unit(0, 0, 1, 0, 0, -0.4)
    assert encoded(Query(text="a", negative_text="a", negative_weight=10)) == unit(0, 0, 1, 0, 0, 0)
    # Several negatives count as their mean.
    query = Query(text="a", negative_text="sloped", negative_images=RED, negative_weight=1)
    assert encoded(query) == unit(-0.5, 0, 1, 0, 0, -0.4)


def test_stored_items_pull_and_push() -> None:
    x, y = np.eye(6, dtype=np.float32)[:2]
    query = Query(text="a", like=["x", "y"])
    assert encoded(query, np.stack([x, y])) == unit(0.25, 0.25, 1, 0, 0, 0)
    query = Query(text="a", unlike="x", negative_weight=1)
    assert encoded(query, None, x[None]) == unit(-1, 0, 1, 0, 0, 0)
    query = Query(text="a", negative_images=BLUE, like="x", unlike="y", negative_weight=1)
    assert encoded(query, x[None], y[None]) == unit(0.5, -np.sqrt(1.25), 1, 0, 0, 0)


def test_every_query_vector_has_length_1_and_none_is_cancelled() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        rows = rng.normal(size=(6, 8)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        away = [rows[0], *rows[3:]][: rng.integers(1, 4)]
        weights, negative = rng.uniform(0.1, 10, 2), rng.uniform(0.1, 10)
        plain = query_vector(rows[:2], weights)
        found = query_vector(rows[:2], weights, rows[2:3], np.array(away), negative)
        assert found.dtype == np.float32 and np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
        steered = query_vector(rows[:2], weights, rows[2:3])
        assert steered @ rows[2] >= plain @ rows[2] - 1e-6
        assert found @ steered > 0
        assert found @ np.mean(away, axis=0) <= steered @ np.mean(away, axis=0) + 1e-6
