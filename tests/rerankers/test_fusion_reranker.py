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
from ocelot.score_calibration import Curve, ScoreCalibration
from ocelot.types import Hit, Query, Ranking

GREY = Image.new("RGB", (8, 8), "gray")
QUERY = Query(GREY, "red")
NEVER, ALWAYS = Curve(0.0, 0.0, -9.0), Curve(0.0, 0.0, 9.0)


class Axes(Encoder):
    """Whole queries lie on the first axis, texts on the second, pictures on the third; a picture
    that is not grey is its colour."""

    name, dimension, fingerprint = "axes", 3, "1"

    def __init__(self, text: float = 0.0, image: float = 0.0, curve: Curve | None = None) -> None:
        self.encoded = 0
        if text or image or curve:
            curves = dict.fromkeys(("text", "image", "both"), curve or ALWAYS)
            self.score_calibration = ScoreCalibration(text, image, curves)

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
HITS = [hit("A", A), hit("B", B), hit("C", C)]


def ranked(*hits: Hit, query: Query = QUERY, **options: Any) -> Ranking:
    return FusionReranker(Axes(**options)).rerank(query, hits or HITS)


@pytest.mark.parametrize(
    ("text", "image", "order"),
    [
        # whole + text * t + image * i
        (0.0, 0.0, (0, 1, 2)),  # .80 .60 .28
        (0.5, 0.0, (1, 0, 2)),  # .80 .92 .76
        (1.0, 0.0, (1, 2, 0)),  # .80 1.24 1.24: a tie keeps retrieval order
        (0.0, 2.0, (0, 1, 2)),  # 2.00 1.56 .28
        (2.0, 0.5, (2, 1, 0)),  # 1.10 2.12 2.20
    ],
)
def test_the_order_worked_by_hand(text: float, image: float, order: tuple[int, ...]) -> None:
    ranking = ranked(text=text, image=image, curve=ALWAYS)
    assert ranking.order == order
    assert (ranking.reranker, ranking.status) == ("fusion", "ok")
    assert ranking.usage.calls == 0


def test_without_a_calibration_hits_keep_the_order_of_the_whole_query() -> None:
    ranking = ranked()
    assert (ranking.order, ranking.match) == ((0, 1, 2), None)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {},
            "Closest to the picture and “red” together "
            "(score 0.80; of 3, 1st by the picture and 3rd by the text).",
        ),
        (
            {"text": 0.5},
            "Close to the picture and “red” together "
            "(score 0.60; of 3, 2nd by the picture and 2nd by the text).",
        ),
    ],
)
def test_the_reason_says_the_places(options: dict[str, float], reason: str) -> None:
    assert ranked(**options).reason == reason


def test_the_reason_says_which_part_is_near() -> None:
    others = [0.7, 0.6, 0.387]
    by_image = ranked(hit("A", A), *[hit(str(n), others) for n in range(5)])
    assert by_image.reason.startswith(
        "Looks most like the picture, and goes with “red” (score 0.80"
    )
    others = [0.7, 0.387, 0.6]
    by_text = ranked(hit("A", [0.8, 0.6, 0.0]), *[hit(str(n), others) for n in range(5)])
    assert by_text.reason.startswith("Fits “red” well, and keeps something of the picture (score")


@pytest.mark.parametrize("query", [Query(text="red"), Query(GREY)])
def test_a_query_of_one_part_keeps_retrieval_order(query: Query) -> None:
    encoder = Axes(text=9.0, image=9.0)
    ranking = FusionReranker(encoder).rerank(query, [hit("C", C, 0.9), hit("A", A, 0.8)])
    assert (ranking.order, ranking.status) == ((0, 1), "ok")
    part = "the picture" if query.images else "“red”"
    assert ranking.reason == f"Closest to {part} (score 0.90)."
    assert encoder.encoded == 0


NINE = [hit(str(n), A, 0.9 - 0.1 * n) for n in range(9)]


@pytest.mark.parametrize("query", [Query(text="red"), Query(GREY), QUERY])
def test_it_says_when_nothing_fits(query: Query) -> None:
    assert ranked(*NINE, query=query, curve=ALWAYS).match is True
    ranking = ranked(*NINE, query=query, curve=NEVER)
    assert ranking.match is False
    assert ranking.reason.startswith("Closest to ")
    assert ranking.reason.endswith("), but not close enough to be a match.")


@pytest.mark.parametrize(
    ("query", "hits"),
    [(Query(text="red"), NINE[:8]), (QUERY, NINE[:1]), (Query([GREY, GREY], "red"), NINE)],
)
def test_it_does_not_judge_what_was_not_fitted(query: Query, hits: list[Hit]) -> None:
    assert ranked(*hits, query=query, curve=NEVER).match is None


def test_a_query_with_other_wishes_keeps_retrieval_order_and_is_not_judged() -> None:
    hits = [hit(str(place), A if place else C) for place in range(9)]
    for wish in ({"text_weight": 2}, {"negative_text": "blue"}, {"like": "x"}, {"diversity": 0.3}):
        ranking = ranked(*hits, query=Query(GREY, "red", **wish), text=9.0, curve=NEVER)
        assert ranking.order == tuple(range(9)) and ranking.match is None
        assert ranking.reason == (
            "Closest to the picture and “red”, and to what else the query says (score 0.50)."
        )
    assert ranked(*hits, query=Query(text="red", fold=1), curve=NEVER).match is None
    assert ranked(*hits, query=Query(text="red", min_share=0), curve=NEVER).match is False


def test_the_curve_sees_the_score_and_the_lead_over_the_ninth() -> None:
    scores = [0.9, 0.88] + [0.87] * 7 + [0.1]
    hits = [hit(str(n), A, score) for n, score in enumerate(scores)]
    text = Query(text="red")
    for curve, match in (
        (Curve(100.0, 0.0, -89.0), True),
        (Curve(100.0, 0.0, -91.0), False),
        (Curve(0.0, 100.0, -2.0), True),  # the lead is .9 - .87
        (Curve(0.0, 100.0, -4.0), False),
    ):
        assert ranked(*hits, query=text, curve=curve).match is match


def test_the_fused_first_is_judged_by_its_own_score_and_the_ninth_of_retrieval() -> None:
    hits = [hit("A", A), hit("B", B), *[hit(str(n), C) for n in range(9)]]
    # B comes first: whole .6, and .32 more than the ninth.
    assert ranked(*hits, text=0.5, curve=Curve(100.0, 0.0, -59.0)).match is True
    assert ranked(*hits, text=0.5, curve=Curve(100.0, 0.0, -61.0)).match is False
    assert ranked(*hits, text=0.5, curve=Curve(0.0, 100.0, -31.0)).match is True
    assert ranked(*hits, text=0.5, curve=Curve(0.0, 100.0, -33.0)).match is False


class Counting(Axes):
    def embed(self, batch: Sequence[Any]) -> np.ndarray[Any, Any]:
        self.calls = getattr(self, "calls", 0) + 1
        return super().embed(batch)


@pytest.mark.parametrize(
    ("colour", "whole"),
    [
        # Blue is (0, 0, 1) with and without the text. Whole: (1, 0, 1) / sqrt(2).
        # Cosine of A: 1.4 / sqrt(2).
        ((0, 0, 255), "0.99"),
        # Red is (1, 0, 0). Whole: (1, 0, 0).
        ((255, 0, 0), "0.80"),
    ],
)
def test_several_pictures_count_as_their_mean_direction(
    colour: tuple[int, int, int], whole: str
) -> None:
    encoder = Counting()
    query = Query([GREY, Image.new("RGB", (8, 8), colour)], "red")
    ranking = FusionReranker(encoder).rerank(query, [hit("C", C), hit("B", B), hit("A", A)])
    assert ranking.order == (2, 1, 0)
    assert ranking.reason == (
        f"Closest to the pictures and “red” together (score {whole}; of 3, 1st by the pictures and "
        "3rd by the text)."
    )
    assert (encoder.calls, encoder.encoded) == (1, 5)  # all in one batch


def test_several_pictures_without_a_text_keep_retrieval_order() -> None:
    ranking = ranked(hit("C", C, 0.9), query=Query([GREY, GREY]))
    assert ranking.reason == "Closest to the pictures (score 0.90)."


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
    assert ranking.reason == "Closest to the pictures and “t” (score 0.50)."


def test_ties_keep_retrieval_order() -> None:
    assert ranked(*[hit(str(i), B) for i in range(9)], text=1.0).order == tuple(range(9))


def test_vectors_of_any_length_count_by_direction() -> None:
    assert ranked(hit("C", C), hit("A", [component * 7 for component in A])).order == (1, 0)


def test_hits_without_a_vector_are_encoded_from_their_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4), (200, 0, 150)).save(path)  # the direction of A
    ranking = ranked(hit("C", C), hit(hash_bytes(path.read_bytes()), None, path=str(path)))
    assert ranking.order == (1, 0)
    assert "(score 0.80; of 2" in ranking.reason


def test_a_file_that_has_changed_since_is_not_encoded(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4), (200, 0, 150)).save(path)
    lost = hit("of other content", None, score=0.1, path=str(path))
    assert ranked(hit("C", C), lost).order == (0, 1)


def test_hits_that_cannot_be_encoded_keep_their_score_and_are_average_in_the_parts() -> None:
    lost = hit("lost", None, score=0.7)
    # lost .70 + .5 * (.64 + .96) / 2 = 1.10, B .60 + .32 = .92, C .28 + .48 = .76
    assert ranked(hit("B", B), hit("C", C), lost, text=0.5).order == (2, 0, 1)
    assert ranked(lost, text=0.5).reason == (
        "Closest to the picture and “red” together (score 0.70)."
    )


def test_an_encoder_that_fails_leaves_retrieval_order() -> None:
    class Broken(Axes):
        def embed(self, batch: Sequence[Any]) -> np.ndarray[Any, Any]:
            return np.zeros((len(batch), 3))

    ranking = FusionReranker(Broken()).rerank(QUERY, [hit("C", C), hit("A", A)])
    assert (ranking.order, ranking.status) == ((0, 1), "fallback")
    assert "encoder axes" in ranking.detail


def test_long_texts_are_cut_in_the_reason() -> None:
    ranking = ranked(hit("C", C, 0.9), query=Query(text="red " * 40))
    assert len(ranking.reason) < 90 and "…" in ranking.reason


def test_no_hits() -> None:
    assert FusionReranker(Axes()).rerank(QUERY, []).order == ()


def test_it_is_a_reranker() -> None:
    assert isinstance(FusionReranker(Axes()), Reranker)
