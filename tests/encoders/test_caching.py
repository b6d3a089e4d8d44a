"""The cache of query vectors: what it keeps, and that it never returns a wrong one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ocelot.cancel import Abandoned, cancellable
from ocelot.encoders.base import Encoder, encode_query
from ocelot.encoders.batching import BatchingEncoder
from ocelot.encoders.caching import CachingEncoder
from ocelot.errors import ConfigurationError, EncoderError, ImageError, InputError
from ocelot.rerankers.fusion import FusionReranker
from ocelot.score_calibration import Curve, ScoreCalibration
from ocelot.types import Hit, Input, Query


class Counting(Encoder):
    """The mean colour and the text's length as a vector; notes each batch."""

    name, dimension, fingerprint, batch_size = "counting", 4, "counting", 8
    runtime, decode_side = "by hand", 100

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.closed = False

    def embed(self, batch: Sequence[Any]) -> Any:
        self.batches.append(len(batch))
        return [
            [*(np.asarray(image).mean((0, 1)) + 1 if image else (0, 0, 0)), len(text or "")]
            for image, text in batch
        ]

    def unknown_words(self, text: str) -> tuple[str, ...]:
        return ("blorf",) if "blorf" in text else ()

    def close(self) -> None:
        self.closed = True


def png(colour: str, size: tuple[int, int] = (8, 6)) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_repeated_query_is_not_encoded_again() -> None:
    plain, counted = Counting(), Counting()
    encoder = CachingEncoder(counted)
    items = [Input(png("red"), "a"), Input(text="bb"), Input(png("red")), Input(png("red"), "a")]
    first = encoder.encode(items)
    assert counted.batches == [3]  # the repeated one within the call is asked for once
    np.testing.assert_array_equal(first, plain.encode(items))
    again = encoder.encode([*items[::-1], Input(text="new")])
    assert counted.batches == [3, 1]
    np.testing.assert_array_equal(again[:4], first[::-1])
    np.testing.assert_array_equal(again[4:], plain.encode(["new"]))


def test_a_picture_is_known_by_its_content(tmp_path: Path) -> None:
    counted = Counting()
    encoder = CachingEncoder(counted)
    path = tmp_path / "a.png"
    path.write_bytes(png("red"))
    for item in (Input(path), Input(str(path)), Input(png("red"))):
        encoder.encode([item])
    assert counted.batches == [1]
    path.write_bytes(png("blue"))  # another content under the same name
    assert not np.array_equal(encoder.encode([Input(path)]), encoder.encode([Input(png("red"))]))

    def drawn(colour: str, size: tuple[int, int] = (8, 6)) -> Input:
        return Input(Image.new("RGB", size, colour))

    counted.batches.clear()
    encoder.encode([drawn("red"), drawn("red"), drawn("green"), drawn("red", (6, 8))])
    assert counted.batches == [3]
    grey = Image.new("P", (8, 6), 1)  # the same indices with other colours
    grey.putpalette([0, 0, 0, 9, 9, 9])
    other = grey.copy()
    other.putpalette([0, 0, 0, 200, 9, 9])
    rows = encoder.encode([Input(grey), Input(other)])
    assert not np.array_equal(rows[0], rows[1])


def test_returned_rows_may_be_changed() -> None:
    encoder = CachingEncoder(Counting())
    rows = encoder.encode(["a"])
    rows[:] = 7
    np.testing.assert_array_equal(encoder.encode(["a"]), Counting().encode(["a"]))


def test_the_least_recently_used_are_dropped() -> None:
    counted = Counting()
    encoder = CachingEncoder(counted, max_items=2)
    for text in ("a", "bb", "a", "ccc", "a", "bb"):
        encoder.encode([text])
    assert counted.batches == [1] * 4  # a, bb, ccc, and bb again
    encoder.encode(["1", "22", "333", "4444"])
    assert len(encoder._cache) == 2
    with pytest.raises(ConfigurationError, match="was: 0"):
        CachingEncoder(counted, max_items=0)


def test_long_input_passes_through_lazily_and_is_prepared_ahead() -> None:
    prepared = threading.Semaphore(0)

    class Ahead(Counting):
        def prepare(self, input: Input) -> Any:
            assert threading.current_thread() is not threading.main_thread()
            prepared.release()
            return super().prepare(input)

        def embed(self, batch: Sequence[Any]) -> Any:
            if not self.batches:  # the second batch is prepared while this one waits
                assert all(prepared.acquire(timeout=30) for _ in range(6))
            return super().embed(batch)

    counted, told = Ahead(), list[tuple[int, int]]()
    encoder = CachingEncoder(counted, observe=lambda kept, new: told.append((kept, new)))
    drawn = 0

    def texts() -> Any:
        nonlocal drawn
        for number in range(80):
            assert drawn <= max(33, 3 * len(counted.batches) + 9)
            drawn += 1
            yield "x" * (number + 1)

    rows = encoder.encode(texts(), batch_size=3)
    np.testing.assert_array_equal(rows, Counting().encode(["x" * n for n in range(1, 81)]))
    assert counted.batches == [3] * 26 + [2]
    assert not encoder._cache
    assert told == [(0, 80)]
    assert encoder.encode([]).shape == (0, 4)


def test_errors_in_long_input_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"broken\.png"):
        CachingEncoder(Counting()).encode([*["a"] * 40, Input(path)])


def test_indexing_passes_through() -> None:
    counted = Counting()
    encoder = CachingEncoder(counted)
    prepared = [encoder.prepare(Input(text="a"))]
    for _ in range(2):
        np.testing.assert_array_equal(encoder.embed_checked(prepared), [[0, 0, 0, 1]])
        np.testing.assert_array_equal(encoder.embed(prepared), [[0, 0, 0, 1]])
    assert counted.batches == [1] * 4
    assert not encoder._cache
    for name in ("name", "dimension", "fingerprint", "batch_size", "runtime", "decode_side"):
        assert getattr(encoder, name) == getattr(counted, name)
    encoder.close()
    assert counted.closed


def test_errors_name_the_file_and_are_not_cached(tmp_path: Path) -> None:
    encoder = CachingEncoder(Counting())
    path = tmp_path / "broken.png"
    path.write_bytes(b"no picture")
    for _ in range(2):
        with pytest.raises(ImageError, match=r"broken\.png"):
            encoder.encode([Input(png("red")), Input(path)])
    with pytest.raises(ImageError, match=r"none\.png"):
        encoder.encode([Input(tmp_path / "none.png")])
    path.write_bytes(png("red"))
    assert encoder.encode([Input(path)]).shape == (1, 4)
    with pytest.raises(InputError):
        encoder.encode([Query([png("red"), png("blue")])])


def test_the_observer_gets_the_numbers_of_hits_and_misses() -> None:
    told: list[tuple[int, int]] = []
    encoder = CachingEncoder(Counting(), observe=lambda kept, new: told.append((kept, new)))
    encoder.encode(["a", "b"])
    encoder.encode(["b", "c", "c"])
    assert told == [(0, 2), (2, 1)]


def test_fusion_encodes_only_the_parts() -> None:
    counted = Counting()
    encoder = CachingEncoder(counted)
    query = Query(png("red"), "redder")
    vector = encode_query(encoder, query)
    stored = [np.array([9.0, 1, 1, 0]), np.array([1.0, 1, 9, 0])]
    hits = [Hit(str(n), 0.5, n + 1, ("a.png",), vector=row) for n, row in enumerate(stored)]
    ranking = FusionReranker(encoder).rerank(query, hits)
    assert ranking.status == "ok"
    assert counted.batches == [1, 2]  # the whole; then its text and its picture in one batch
    assert vector.shape == (4,)


def test_a_cancelled_call_leaves_nothing_in_the_cache() -> None:
    with BatchingEncoder(Counting()) as batching:
        encoder = CachingEncoder(batching)
        with cancellable(lambda: True), pytest.raises(Abandoned):
            encoder.encode(["a"])
        assert not encoder._cache
        np.testing.assert_array_equal(encoder.encode(["a"]), [[0, 0, 0, 1]])
        encoder.close()
        np.testing.assert_array_equal(encoder.encode(["a"]), [[0, 0, 0, 1]])  # needs no model
        with pytest.raises(EncoderError, match="closed"):
            encoder.encode(["b"])


def test_two_threads_may_ask_for_the_same_at_once() -> None:
    both = threading.Barrier(2, timeout=30)

    class Meeting(Counting):
        def embed(self, batch: Sequence[Any]) -> Any:
            both.wait()  # neither has its vector before the other has asked
            return super().embed(batch)

    encoder = CachingEncoder(Meeting())
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(encoder.encode, [["abc"], ["abc"]]))
    np.testing.assert_array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(encoder.encode(["abc"]), rows[0])


def test_many_threads_get_their_own_rows() -> None:
    encoder = CachingEncoder(Counting(), max_items=20)
    plain = Counting()
    texts = ["x" * (number % 37 + 1) for number in range(400)]
    pairs = [(png(colour), text) for colour in ("red", "blue") for text in texts[:40]]

    def ask(item: Any) -> bool:
        return np.array_equal(encoder.encode([item]), plain.encode([item]))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, [*texts, *pairs, *texts]))


@pytest.mark.parametrize("wrapper", [CachingEncoder, BatchingEncoder])
def test_wrappers_pass_on_what_is_known(wrapper: Any) -> None:
    encoder = Counting()
    curve = Curve(1.0, 2.0, 3.0)
    encoder.score_calibration = ScoreCalibration(0.0, 0.3, {"text": curve})
    wrapped = wrapper(encoder)
    try:
        assert wrapped.unknown_words("a blorf") == ("blorf",)
        assert wrapped.score_calibration is encoder.score_calibration
    finally:
        wrapped.close()
