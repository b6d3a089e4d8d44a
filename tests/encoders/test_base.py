from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ocelot.encoders import FunctionEncoder
from ocelot.encoders.base import Encoder, EncoderWrapper, encode_query
from ocelot.errors import EncoderError, ImageError, InputError
from ocelot.images.file import ImageFile
from ocelot.query_vector import normalized_mean
from ocelot.types import Input, Query


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


def test_inputs_queries_and_pairs_are_the_same() -> None:
    picture = Image.new("RGB", (2, 2))
    rows = Scripted().encode([Input(picture, "ab"), Query(picture, "ab"), (picture, "ab")])
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


def colours(image: Image.Image | None, text: str | None) -> Any:
    """Red points along the first axis, green along the second; a text adds to the third."""
    red, green, _ = (0, 0, 0) if image is None else image.getpixel((0, 0))  # type: ignore[misc]
    return [red, green, len(text or "")]


COLOURS = FunctionEncoder(colours, dimension=3, name="colours")


def flat(*colour: int) -> Image.Image:
    return Image.new("RGB", (2, 2), colour)


def test_a_query_of_several_pictures_is_the_mean_of_unit_vectors() -> None:
    # (30, 40, 0) and (200, 0, 0) are (.6, .8, 0) and (1, 0, 0); their mean (.8, .4, 0) has the
    # direction of (2, 1, 0). Brightness must not weigh.
    query = Query([flat(30, 40, 0), flat(200, 0, 0)])
    vector = encode_query(COLOURS, query)
    assert vector.dtype == np.float32 and vector.shape == (3,)
    np.testing.assert_allclose(vector, [2 / 5**0.5, 1 / 5**0.5, 0], rtol=1e-6)


def test_the_text_is_composed_with_each_picture() -> None:
    # (3, 0, 4) and (0, 3, 4) are of length 5: mean (.3, .3, .8), length sqrt(.82).
    query = Query([flat(3, 0, 0), flat(0, 3, 0)], "four")
    expected = np.array([0.3, 0.3, 0.8]) / 0.82**0.5
    np.testing.assert_allclose(encode_query(COLOURS, query), expected, rtol=1e-6)


def test_all_pictures_of_a_query_are_one_batch() -> None:
    encoder = Scripted()
    encode_query(encoder, Query([flat(n, n, n) for n in (1, 2, 3)], "t"))
    assert encoder.batches == [3]


@pytest.mark.parametrize(
    "query", [Query(text="abc"), Query(flat(7, 5, 3)), Query(flat(7, 5, 3), "abc")]
)
def test_a_query_of_one_part_is_exactly_that_part(query: Query) -> None:
    assert (encode_query(COLOURS, query) == COLOURS.encode([query])[0]).all()


def test_pictures_that_cancel_each_other_out_are_refused() -> None:
    rows = np.array([[0.6, 0.8], [-0.6, -0.8]], dtype=np.float32)
    with pytest.raises(EncoderError, match="cancel each other out"):
        normalized_mean(rows)
    assert normalized_mean(rows[:1]).tolist() == rows[0].tolist()


def test_a_query_of_several_images_is_not_one_input() -> None:
    query = Query([flat(1, 1, 1), flat(2, 2, 2)])
    with pytest.raises(InputError, match="several images"):
        COLOURS.encode([query])


def test_a_further_picture_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ImageError, match=r"none\.jpg"):
        Query([flat(1, 1, 1), "none.jpg"], "t")
    with pytest.raises(ImageError, match=r"damaged\.jpg"):
        encode_query(COLOURS, Query([flat(1, 1, 1), ImageFile(b"no image", "damaged.jpg")], "t"))


def test_a_wrapper_that_overrides_embed_is_used_for_indexing_too() -> None:
    class Turned(EncoderWrapper):
        def embed(self, batch: Sequence[Any]) -> Any:
            return -super().embed(batch)

    encoder = Turned(COLOURS)
    batch = [encoder.prepare(Input(flat(3, 4, 0)))]
    np.testing.assert_allclose(encoder.embed_checked(batch), [[-0.6, -0.8, 0]], rtol=1e-6)
    np.testing.assert_allclose(encoder.encode([Input(flat(3, 4, 0))]), [[-0.6, -0.8, 0]], rtol=1e-6)


def test_function_encoder() -> None:
    encoder = FunctionEncoder(lambda image, text: [3.0, 4.0], dimension=2, name="three-four")
    np.testing.assert_allclose(encoder.encode([(None, "a")]), [[0.6, 0.8]], rtol=1e-6)
    assert encoder.fingerprint == "function:three-four"


class Preparing(Scripted):
    """Notes the threads that prepare, and how far they are ahead of the model."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[int] = set()
        self.prepared = 0
        self.ahead: list[int] = []

    def prepare(self, input: Input) -> Any:
        self.threads.add(threading.get_ident())
        self.prepared += 1
        if input.text == "bad":
            raise ImageError("bad.jpg", "it is damaged")
        return super().prepare(input)

    def embed(self, batch: Sequence[Any]) -> Any:
        self.ahead.append(self.prepared - sum(self.batches) - len(batch))
        return super().embed(batch)


def test_a_query_starts_no_thread_and_more_items_are_prepared_in_others() -> None:
    here = threading.get_ident()
    few, many = Preparing(), Preparing()
    few.encode(["a", "b"])
    many.encode(["a", "b", "c"])
    assert few.threads == {here}
    assert many.threads and here not in many.threads
    assert not [thread for thread in threading.enumerate() if "ocelot-prepare" in thread.name]


def test_preparing_runs_ahead_by_no_more_than_some_batches() -> None:
    encoder, taken = Preparing(), []

    def items() -> Iterator[str]:
        for number in range(60):
            taken.append(number)
            yield "x" * (1 + number % 7)
            assert len(taken) - sum(encoder.batches) <= 4 * encoder.batch_size

    vectors = encoder.encode(items())
    assert len(vectors) == len(taken) == 60
    assert encoder.batches == [4] * 15
    assert max(encoder.ahead) <= 3 * encoder.batch_size
    lengths = vectors[:, 0] / vectors[:, 1]
    np.testing.assert_allclose(lengths, [1 + number % 7 for number in range(60)], rtol=1e-5)


def test_an_input_that_cannot_be_prepared_ends_the_run() -> None:
    encoder = Preparing()
    with pytest.raises(ImageError, match=r"bad\.jpg"):
        encoder.encode(["a"] * 6 + ["bad"] + ["a"] * 1000)
    assert encoder.batches in ([], [4])
    assert encoder.prepared < 40
    with pytest.raises(InputError):
        encoder.encode(["a", "a", "a", (None, None)])
