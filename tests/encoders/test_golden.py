"""Embeddings compared with those of the original implementation (tests/data/golden)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ocelot.encoders.vista import Prepared
from ocelot.encoders.visualized_bge import VisualizedBGE
from ocelot.files import write_atomic
from ocelot.types import Input

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
MODELS = ("tiny-base", "tiny-m3")
DEVICES = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)


@pytest.fixture(scope="module", params=itertools.product(MODELS, DEVICES), ids="-".join)
def golden(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    model, device = request.param
    return Golden(model, tmp_path_factory.mktemp(model), device)


class Golden:
    def __init__(self, model: str, folder: Path, device: str = "cpu") -> None:
        self.device = device
        self.weights = GOLDEN / model / "weights.pth"
        self.text_model = GOLDEN / model if model == "tiny-base" else with_tokenizer(model, folder)
        self.cases = json.loads((GOLDEN / model / "expected.json").read_text())["cases"]
        self.expected = np.array([case["embedding"] for case in self.cases], dtype=np.float64)

    def load(self, dtype: str = "fp32") -> VisualizedBGE:
        return VisualizedBGE.load(
            self.weights, text_model=self.text_model, dtype=dtype, device=self.device
        )

    def prepared(self, encoder: VisualizedBGE) -> list[Prepared]:
        """Token ids are the reference's own, so that the network alone is judged."""
        rows = []
        for case in self.cases:
            image = GOLDEN / case["image"] if case["image"] else None
            one = encoder.prepare(Input(image, case["text"]))
            ids = case.get("input_ids") or encoder.tokenizer.empty
            rows.append(Prepared(one.pixels, tuple(ids)))
        return rows


def with_tokenizer(model: str, folder: Path) -> Path:
    """The m3 reference has no tokenizer: one whose empty text is <s> </s>, as XLM-RoBERTa's."""
    from tokenizers import Tokenizer, models, processors

    tokenizer = Tokenizer(models.WordLevel({"<s>": 0, "<pad>": 1, "</s>": 2}, unk_token="<pad>"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text((GOLDEN / model / "config.json").read_text())
    return folder


@pytest.fixture(scope="module", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OCELOT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def encoder(golden: Golden) -> VisualizedBGE:
    return golden.load()


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_one_at_a_time(golden: Golden, encoder: VisualizedBGE) -> None:
    vectors = [encoder.embed_checked([one])[0] for one in golden.prepared(encoder)]
    assert np.abs(np.stack(vectors) - golden.expected).max() < 1e-4


def test_in_one_padded_batch_of_all_kinds(golden: Golden, encoder: VisualizedBGE) -> None:
    vectors = encoder.embed_checked(golden.prepared(encoder))
    assert np.abs(vectors - golden.expected).max() < 1e-4


def test_in_any_order(golden: Golden, encoder: VisualizedBGE) -> None:
    rows = golden.prepared(encoder)
    order = np.random.default_rng(0).permutation(len(rows))
    vectors = encoder.embed_checked([rows[place] for place in order])
    assert np.abs(vectors - golden.expected[order]).max() < 1e-4


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_half_precision_stays_close(golden: Golden, dtype: str) -> None:
    encoder = golden.load(dtype)
    vectors = encoder.embed_checked(golden.prepared(encoder))
    assert (vectors * golden.expected).sum(axis=1).min() >= 0.999


def test_word_piece_ids_are_the_originals() -> None:
    cases = json.loads((GOLDEN / "tiny-base" / "expected.json").read_text())["cases"]
    encoder = VisualizedBGE.load(
        GOLDEN / "tiny-base" / "weights.pth", text_model=GOLDEN / "tiny-base"
    )
    texts = {case["text"]: case["input_ids"] for case in cases if case["text"]}
    assert len(texts) >= 4
    for text, ids in texts.items():
        assert list(encoder.prepare(Input(text=text)).ids) == ids


def test_public_encode_takes_paths_bytes_images_and_texts() -> None:
    from PIL import Image

    base = GOLDEN / "tiny-base"
    cases = json.loads((base / "expected.json").read_text())["cases"]
    encoder = VisualizedBGE.load(base / "weights.pth", text_model=base, dtype="fp32")

    def image(name: str | None, form: int) -> Any:
        if name is None:
            return None
        path = GOLDEN / name
        return (path, str(path), path.read_bytes(), Image.open(path))[form % 4]

    items = [(image(case["image"], n), case["text"]) for n, case in enumerate(cases)]
    vectors = encoder.encode(items, batch_size=5)
    expected = np.array([case["embedding"] for case in cases])
    assert vectors.dtype == np.float32
    assert np.abs(vectors - expected).max() < 1e-4


def test_a_second_load_reads_the_copy_and_a_damaged_copy_is_made_again(
    golden: Golden, own_cache: Path
) -> None:
    first = golden.load()
    (copy,) = own_cache.glob("checkpoints/*.safetensors")
    whole = copy.stat()
    again = golden.load()
    assert copy.stat().st_mtime_ns == whole.st_mtime_ns
    write_atomic(copy, copy.read_bytes()[:1000])  # another file, as the first is still mapped
    mended = golden.load()
    assert copy.stat().st_size == whole.st_size
    rows = golden.prepared(first)
    for other in (again, mended):
        assert other.fingerprint == first.fingerprint
        assert np.array_equal(first.embed_checked(rows), other.embed_checked(rows))
