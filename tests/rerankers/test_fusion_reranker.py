from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ocelot.encoders import FunctionEncoder
from ocelot.encoders.base import Encoder
from ocelot.images.decode import hash_bytes
from ocelot.rerankers import FusionReranker
from ocelot.rerankers.base import Reranker
from ocelot.types import Hit, Query

GREY = Image.new("RGB", (8, 8), "gray")
QUERY = Query(GREY, "red")


class Axes(Encoder):
    """Whole queries lie on the first axis, texts on the second, pictures on the third; a picture
    that is not grey is its colour."""

    name, dimension, fingerprint = "axes", 3, "1"

    def __init__(self) -> None:
        self.encoded = 0

    def embed(self, batch: Sequence[Any]) -> np.ndarray[Any, Any]:
        self.encoded += len(batch)
        return np.array([self._vector(image, text) for image, text in batch])

    def _vector(self, image: Image.Image | None, text: str | None) -> list[float]:
        if image is None:
            return [0, 1, 0]
        colour = image.getpixel((0, 0))
        if colour != (128, 128, 128):
            return [float(channel) for channel in colour]  # type: ignore[union-attr]
        return [0, 0, 1] if text is None else [1, 0, 0]


def hit(name: str, vector: list[float] | None, score: float = 0.5, path: str = "/none.jpg") -> Hit:
    row = None if vector is None else np.array(vector, dtype=np.float32)
    return Hit(name, (path,), score=score, vector=row)


# Cosines to whole, text and picture are the vectors' own components.
A, B, C = [0.8, 0.0, 0.6], [0.6, 0.64, 0.48], [0.28, 0.96, 0.0]


def test_the_order_worked_by_hand() -> None:
    # places  whole text picture   k=60: 2/(60+whole) + 1/(60+text) + 1/(60+picture)
    #   A       1     3     1      .0327869 + .0158730 + .0163934 = .0650533
    #   B       2     2     2      .0322581 + .0161290 + .0161290 = .0645161
    #   C       3     1     3      .0317460 + .0163934 + .0158730 = .0640125
    ranking = FusionReranker(Axes()).rerank(QUERY, [hit("C", C), hit("B", B), hit("A", A)])
    assert ranking.order == (2, 1, 0)
    assert ranking.reason == (
        "Closest to the picture and text together (score 0.80, 1st of 3); "
        "to the text alone 3rd (0.00), to the picture alone 1st (0.60)."
    )
    assert (ranking.reranker, ranking.status, ranking.match) == ("fusion", "ok", None)
    assert ranking.usage.calls == 0


def test_each_weight_stands_for_its_own_ranking(monkeypatch: pytest.MonkeyPatch) -> None:
    hits = [
        hit("D", [0.9, 0.3, 0.316228]),
        hit("E", [0.3, 0.6, 0.741620]),
        hit("F", [0.6, 0.3, 0.741620]),
        hit("G", [0.5, 0.4, 0.768115]),
    ]

    def order(**weights: float) -> tuple[int, ...]:
        nothing = {"whole": 0.0, "text": 0.0, "image": 0.0}
        monkeypatch.setattr("ocelot.rerankers.fusion._WEIGHTS", nothing | weights)
        return FusionReranker(Axes()).rerank(QUERY, hits).order

    assert order(whole=1) == (0, 2, 3, 1)
    assert order(text=1) == (1, 3, 0, 2)  # D and F tie at 0.3: retrieval order
    assert order(image=1) == (3, 1, 2, 0)  # so do E and F


def test_the_reason_does_not_claim_a_first_place_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weights = {"whole": 0.5, "text": 1.0, "image": 1.0}
    monkeypatch.setattr("ocelot.rerankers.fusion._WEIGHTS", weights)
    hits = [hit("E", [0.9, 0.1, 0.4242640687]), hit("D", [0.6, 0.565685, 0.565685])]
    hits += [hit("F", [0.5, 0.3, 0.812404])]
    ranking = FusionReranker(Axes()).rerank(QUERY, hits)
    assert ranking.order[0] == 1
    assert ranking.reason == (
        "Close to the picture and text together (score 0.60, 2nd of 3); "
        "to the text alone 1st (0.57), to the picture alone 2nd (0.57)."
    )


@pytest.mark.parametrize("query", [Query(text="red"), Query(GREY)])
def test_a_query_of_one_part_keeps_retrieval_order(query: Query) -> None:
    encoder = Axes()
    ranking = FusionReranker(encoder).rerank(query, [hit("C", C, 0.9), hit("A", A, 0.8)])
    assert (ranking.order, ranking.status) == ((0, 1), "ok")
    part = "picture" if query.images else "text"
    assert ranking.reason == f"Closest to the {part} (score 0.90, 1st of 2)."
    assert encoder.encoded == 0


class Counting(Axes):
    def embed(self, batch: Sequence[Any]) -> np.ndarray[Any, Any]:
        self.calls = getattr(self, "calls", 0) + 1
        return super().embed(batch)


@pytest.mark.parametrize(
    ("colour", "whole", "picture"),
    [
        # Blue is (0, 0, 1) with and without the text. Whole: (1, 0, 1) / sqrt(2); pictures alone:
        # (0, 0, 1). Cosines of A: 1.4 / sqrt(2) and .6.
        ((0, 0, 255), "0.99", "0.60"),
        # Red is (1, 0, 0). Whole: (1, 0, 0); pictures alone: (1, 0, 1) / sqrt(2).
        ((255, 0, 0), "0.80", "0.99"),
    ],
)
def test_several_pictures_count_as_their_mean_direction(
    colour: tuple[int, int, int], whole: str, picture: str
) -> None:
    encoder = Counting()
    query = Query([GREY, Image.new("RGB", (8, 8), colour)], "red")
    ranking = FusionReranker(encoder).rerank(query, [hit("C", C), hit("B", B), hit("A", A)])
    assert ranking.order == (2, 1, 0)
    assert ranking.reason == (
        f"Closest to the pictures and text together (score {whole}, 1st of 3); "
        f"to the text alone 3rd (0.00), to the pictures alone 1st ({picture})."
    )
    assert (encoder.calls, encoder.encoded) == (1, 5)  # all in one batch


def test_several_pictures_without_a_text_keep_retrieval_order() -> None:
    ranking = FusionReranker(Axes()).rerank(Query([GREY, GREY]), [hit("C", C, 0.9)])
    assert ranking.reason == "Closest to the pictures (score 0.90, 1st of 1)."


def test_pictures_that_cancel_each_other_out_leave_retrieval_order() -> None:
    def opposite(image: Image.Image | None, text: str | None) -> list[float]:
        if text is not None or image is None:
            return [0, 0, 1]
        return [1, 0, 0] if image.getpixel((0, 0)) == (0, 0, 0) else [-1, 0, 0]

    query = Query([Image.new("RGB", (2, 2)), GREY], "t")
    encoder = FunctionEncoder(opposite, dimension=3, name="opposite")
    ranking = FusionReranker(encoder).rerank(query, [hit("C", C), hit("A", A)])
    assert (ranking.order, ranking.status) == ((0, 1), "fallback")
    assert "cancel each other out" in ranking.detail
    assert ranking.reason == "Closest to the pictures and text together (score 0.50)."


def test_ties_keep_retrieval_order() -> None:
    hits = [hit(str(i), B) for i in range(9)]
    assert FusionReranker(Axes()).rerank(QUERY, hits).order == tuple(range(9))


def test_vectors_of_any_length_count_by_direction() -> None:
    hits = [hit("C", C), hit("A", [component * 7 for component in A])]
    assert FusionReranker(Axes()).rerank(QUERY, hits).order == (1, 0)


def test_hits_without_a_vector_are_encoded_from_their_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4), (200, 0, 150)).save(path)  # the direction of A
    hits = [hit("C", C), hit(hash_bytes(path.read_bytes()), None, path=str(path))]
    ranking = FusionReranker(Axes()).rerank(QUERY, hits)
    assert ranking.order == (1, 0)
    assert "(score 0.80, 1st of 2)" in ranking.reason


def test_a_file_that_has_changed_since_is_not_encoded(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4), (200, 0, 150)).save(path)
    lost = hit("of other content", None, score=0.1, path=str(path))
    assert FusionReranker(Axes()).rerank(QUERY, [hit("C", C), lost]).order == (0, 1)


def test_hits_that_cannot_be_encoded_keep_their_score_and_come_last_in_the_parts() -> None:
    hits = [hit("lost", None, score=0.99), hit("B", B), hit("C", C)]
    # lost 2/61+1/63+1/63 = .064533, B 2/62+1/62+1/61 = .064780, C 2/63+1/61+1/62 = .064268
    ranking = FusionReranker(Axes()).rerank(QUERY, hits)
    assert ranking.order == (1, 0, 2)
    alone = FusionReranker(Axes()).rerank(QUERY, hits[:1])
    assert alone.reason == ("Closest to the picture and text together (score 0.99, 1st of 1).")


def test_an_encoder_that_fails_leaves_retrieval_order() -> None:
    class Broken(Axes):
        def embed(self, batch: Sequence[Any]) -> np.ndarray[Any, Any]:
            return np.zeros((len(batch), 3))

    ranking = FusionReranker(Broken()).rerank(QUERY, [hit("C", C), hit("A", A)])
    assert (ranking.order, ranking.status) == ((0, 1), "fallback")
    assert "encoder axes" in ranking.detail


def test_no_hits() -> None:
    assert FusionReranker(Axes()).rerank(QUERY, []).order == ()


def test_it_is_a_reranker() -> None:
    assert isinstance(FusionReranker(Axes()), Reranker)
