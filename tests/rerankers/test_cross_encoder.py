"""The library takes seconds to import: only the process that runs these tests does it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ocelot
from ocelot.build import build_service
from ocelot.errors import ConfigurationError
from ocelot.rerankers import CrossEncoderReranker
from ocelot.settings import load_settings
from ocelot.types import Query
from tests.rerankers.conftest import MakeHits

COLOURS = ["red", "blue", "green", "white", (90, 20, 160)]
ASKED = Image.new("RGB", (50, 50), (200, 150, 10))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.library_models import make_reranker

    return make_reranker(tmp_path_factory.mktemp("models") / "reranker")


@pytest.fixture(scope="module")
def reranker(model: Path) -> CrossEncoderReranker:
    return CrossEncoderReranker.load(str(model), device="cpu")


def scores_of(model: Path, *queries: dict[str, Any]) -> Any:
    """What the library itself gives to the pictures of `make_hits(COLOURS)`."""
    from sentence_transformers import CrossEncoder

    library = CrossEncoder(str(model), device="cpu")
    documents = [{"image": Image.new("RGB", (60, 40), colour)} for colour in COLOURS]
    rows = [library.predict([(one, document) for document in documents]) for one in queries]
    return np.mean(rows, axis=0)


def test_hits_are_in_the_order_of_the_library_s_scores(
    model: Path, reranker: CrossEncoderReranker, make_hits: MakeHits
) -> None:
    hits = make_hits(COLOURS)
    scores = scores_of(model, {"image": ASKED, "text": "a dog"})
    order = tuple(np.argsort(-scores))
    assert order != (0, 1, 2, 3, 4)
    ranking = reranker.rerank(Query(ASKED, "a dog"), hits)
    assert (ranking.order, ranking.status, ranking.match) == (order, "ok", None)
    best, second = scores[list(order[:2])]
    assert ranking.reason == (
        f"reranker scores it {best:.3f}, the highest of 5; the next has {second:.3f}. The search "
        f"had it in place {order[0] + 1} of 5."
    )


def test_each_picture_of_a_query_counts_the_same(
    model: Path, reranker: CrossEncoderReranker, make_hits: MakeHits
) -> None:
    other = Image.new("RGB", (50, 50), (10, 220, 90))
    parts = [{"image": image, "text": "a dog"} for image in (ASKED, other)]
    expected = tuple(np.argsort(-scores_of(model, *parts)))
    ranking = reranker.rerank(Query([ASKED, other], "a dog"), make_hits(COLOURS))
    assert ranking.order == expected


def test_words_that_name_a_file_are_words(
    model: Path, reranker: CrossEncoderReranker, make_hits: MakeHits
) -> None:
    hits = make_hits(COLOURS)
    expected = scores_of(model, {"text": hits[0].path.replace(".png", ".pnx")})
    ranking = reranker.rerank(Query(text=hits[0].path), hits)
    assert ranking.order == tuple(np.argsort(-expected))


def test_a_hit_without_a_picture_comes_last(
    model: Path, reranker: CrossEncoderReranker, make_hits: MakeHits
) -> None:
    hits = make_hits(COLOURS)
    Path(hits[1].path).unlink()
    scores = scores_of(model, {"text": "a dog"})
    scores[1] = -1
    ranking = reranker.rerank(Query(text="a dog"), hits)
    assert ranking.order == tuple(np.argsort(-scores)) and ranking.order[-1] == 1
    assert (ranking.status, ranking.detail) == ("repaired", "1 picture could not be read")
    for hit in hits:
        Path(hit.path).unlink(missing_ok=True)
    nothing = reranker.rerank(Query(text="a dog"), hits)
    assert (nothing.order, nothing.status) == ((0, 1, 2, 3, 4), "fallback")
    assert reranker.rerank(Query(text="a dog"), []).order == ()


def test_a_failing_model_keeps_retrieval_order(model: Path, make_hits: MakeHits) -> None:
    reranker = CrossEncoderReranker.load(str(model), device="cpu")
    reranker._model.forward = lambda *_, **__: 1 / 0  # type: ignore[method-assign]
    ranking = reranker.rerank(Query(text="a dog"), make_hits(COLOURS))
    assert (ranking.order, ranking.status) == ((0, 1, 2, 3, 4), "fallback")
    assert ranking.detail == "reranker failed: ZeroDivisionError: division by zero."


def test_scores_have_full_precision(reranker: CrossEncoderReranker, make_hits: MakeHits) -> None:
    scores = reranker._scores(Query(text="a dog"), [Image.new("RGB", (60, 40), c) for c in COLOURS])
    assert scores.dtype == np.float32 and len(set(scores.tolist())) == len(COLOURS)
    assert {p.dtype.itemsize for p in reranker._model.parameters()} == {4}


def test_other_models_are_refused(tmp_path: Path) -> None:
    from tests.library_models import make_qwen

    encoder = make_qwen(tmp_path / "encoder")
    for file in ("modules.json", "config_sentence_transformers.json"):
        (encoder / file).unlink()
    with pytest.raises(ocelot.OcelotError, match=r"(?s)reranker .*encoder"):
        CrossEncoderReranker.load(str(encoder), device="cpu")


def test_it_is_chosen_by_name(
    model: Path, make_hits: MakeHits, tmp_path: Path, bare_environment: None
) -> None:
    make_hits(COLOURS)
    name = f"cross-encoder:{model}"
    with ocelot.open(tmp_path / "shop.db", reranker=name, device="cpu") as shop:
        for path in sorted(tmp_path.glob("*.png")):
            shop.add(path)
        result = shop.search(text="red")
        assert result.ranking is not None and result.ranking.ranked_by == "reranker"
        assert "scores it" in result.reason
    service = build_service(load_settings(db=str(tmp_path / "shop.db"), reranker=name))
    with closing(service):
        assert service.rerankers == ("cross-encoder", "fusion")
        assert service.default == "cross-encoder"
    for wrong in ("cross-encoder:", "cross"):
        with pytest.raises(ConfigurationError, match="it must be auto, llm, fusion, none or cross"):
            load_settings(reranker=wrong)
