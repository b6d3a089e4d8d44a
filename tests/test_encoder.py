from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ocelot.encoder import Encoder
from ocelot.encoders import FunctionEncoder
from ocelot.errors import EncoderError, ImageError, InputError
from ocelot.records import Item, Query


class Scripted(Encoder):
    name, dimension, fingerprint, batch_size = "scripted", 3, "scripted", 4

    def __init__(self, rows: Any = None) -> None:
        self.rows, self.batches = rows, []

    def embed(self, batch: Sequence[Any]) -> Any:
        self.batches.append(len(batch))
        if self.rows is not None:
            return self.rows
        return [[len(text or ""), 1.0, image is not None] for image, text in batch]


def test_items_are_batched_in_order_and_normalised() -> None:
    encoder = Scripted()
    vectors = encoder.encode([(None, "x" * n) for n in range(1, 11)])
    assert encoder.batches == [4, 4, 2]
    expected = np.array([[n, 1, 0] for n in range(1, 11)], dtype=np.float32)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, rtol=1e-6)


def test_a_bare_text_is_a_text() -> None:
    assert (Scripted().encode(["ab"]) == Scripted().encode([(None, "ab")])).all()


def test_items_queries_and_pairs_are_the_same() -> None:
    picture = Image.new("RGB", (2, 2))
    rows = Scripted().encode([Item(picture, "ab"), Query(picture, "ab"), (picture, "ab")])
    assert (rows == rows[0]).all()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1.0, 2.0]], "shape"),
        ([[1.0, 2.0, float("nan")]], "not finite"),
        ([[0.0, 0.0, 0.0]], "no length"),
    ],
)
def test_unusable_vectors_are_refused(rows: list[list[float]], message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        Scripted(rows).encode([(None, "a")])


def test_bad_inputs_are_named() -> None:
    with pytest.raises(InputError):
        Scripted().encode([(None, None)])
    with pytest.raises(ImageError, match=r"none\.jpg"):
        Scripted().encode([("none.jpg", None)])


def test_function_encoder() -> None:
    encoder = FunctionEncoder(lambda image, text: [3.0, 4.0], dimension=2, name="three-four")
    np.testing.assert_allclose(encoder.encode([(None, "a")]), [[0.6, 0.8]], rtol=1e-6)
    assert encoder.fingerprint == "function:three-four"
