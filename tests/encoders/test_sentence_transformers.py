"""The library takes seconds to import: only the process that runs these tests does it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import ocelot
from ocelot.encoders import SentenceTransformerEncoder
from ocelot.encoders.base import encode_query
from ocelot.errors import CheckpointError, ConfigurationError, DownloadError, ImageError
from ocelot.settings import Settings
from ocelot.types import Input, Query

RED, WIDE = Image.new("RGB", (60, 40), "red"), Image.new("RGB", (90, 30), (10, 90, 200))
PROMPTS = {"query": "find a dog", "document": "a shoe"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.library_models import make_clip

    return make_clip(tmp_path_factory.mktemp("models") / "clip")


@pytest.fixture(scope="module")
def bge_vl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.library_models import make_bge_vl

    return make_bge_vl(tmp_path_factory.mktemp("models") / "bge-vl")


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.library_models import make_qwen

    return make_qwen(tmp_path_factory.mktemp("models") / "qwen", PROMPTS)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def load(folder: Path, **options: Any) -> SentenceTransformerEncoder:
    options = {"dtype": "fp32", "device": "cpu"} | options
    return SentenceTransformerEncoder.load(f"st:{folder}", **options)


def unit(rows: Any) -> Any:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def test_clip_gives_the_vectors_of_the_library_and_their_weighted_sum(clip: Path) -> None:
    from sentence_transformers import SentenceTransformer

    library = SentenceTransformer(str(clip), device="cpu")
    image = unit(library.encode([{"image": RED}, {"image": WIDE}]))
    text = unit(library.encode([{"text": "a blue kettle"}]))
    encoder = load(clip, text_weight=0.3)
    inputs = [(RED, None), (None, "a blue kettle"), (WIDE, "a blue kettle"), (WIDE, None)]
    both = unit(0.7 * image[1] + 0.3 * text[0])
    np.testing.assert_allclose(
        encoder.encode(inputs), [image[0], text[0], both, image[1]], atol=1e-5
    )
    assert "weighted sum" in encoder.runtime
    assert encoder.dimension == 24


def test_bge_vl_is_the_sum_of_both_features_without_running_its_code(bge_vl: Path) -> None:
    from transformers import CLIPModel, CLIPProcessor

    network, processor = CLIPModel.from_pretrained(bge_vl), CLIPProcessor.from_pretrained(bge_vl)
    with torch.inference_mode():
        pixels = processor(images=[RED, WIDE], return_tensors="pt")["pixel_values"]
        words = processor(text=["a red shoe"], return_tensors="pt")
        image = network.get_image_features(pixels).pooler_output.numpy()
        text = network.get_text_features(**words).pooler_output.numpy()
    found = load(bge_vl).encode([(RED, "a red shoe"), (WIDE, "a red shoe"), (WIDE, None)])
    expected = [*unit(image + text), unit(image[1])]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # The lengths of the features differ, so that a sum of unit vectors is another.
    assert not np.allclose(found[0], unit(unit(image[0]) + unit(text[0])), atol=1e-3)


def test_a_vision_language_model_takes_both_at_once_with_its_prompts(qwen: Path) -> None:
    from sentence_transformers import SentenceTransformer

    library = SentenceTransformer(str(qwen), device="cpu")
    encoder = load(qwen)
    query, picture = Query(RED, "in blue"), Input(WIDE)
    asked = library.encode_query([{"image": RED, "text": "in blue"}])[0]
    np.testing.assert_allclose(encode_query(encoder, query), asked, atol=1e-5)
    stored = library.encode_document([{"image": WIDE}])[0]
    np.testing.assert_allclose(encoder.encode([picture])[0], stored, atol=1e-5)
    # The prompts matter: the same picture as a query has another vector.
    as_query = encoder.encode([Input(WIDE, is_query=True)])[0]
    np.testing.assert_allclose(as_query, library.encode_query([{"image": WIDE}])[0], atol=1e-5)
    assert not np.allclose(as_query, stored, atol=1e-3)
    assert "sum" not in encoder.runtime


def test_inputs_of_all_kinds_in_one_batch_are_as_those_alone(qwen: Path, clip: Path) -> None:
    inputs = [
        Input(RED), Input(text="a dog", is_query=True), Input(RED, "a green dog", is_query=True),
        Input(WIDE, is_query=True), Input(text="a dog"), Input(WIDE),
    ]  # fmt: skip
    for folder in (qwen, clip):
        encoder = load(folder)
        alone = [encoder.encode([one])[0] for one in inputs]
        np.testing.assert_allclose(encoder.encode(inputs), alone, atol=1e-5)


def test_an_instruction_replaces_the_prompt_of_queries(qwen: Path) -> None:
    from sentence_transformers import SentenceTransformer

    library = SentenceTransformer(str(qwen), device="cpu")
    encoder = load(qwen, instruction="find a shoe")
    given = {"image": RED, "text": "a dog"}
    expected = library.encode([given], prompt="find a shoe")[0]
    np.testing.assert_allclose(encode_query(encoder, Query(RED, "a dog")), expected, atol=1e-5)
    assert not np.allclose(expected, library.encode_query([given])[0], atol=1e-3)


def test_without_a_chat_template_the_prompt_goes_before_the_words_of_a_picture(clip: Path) -> None:
    from sentence_transformers import SentenceTransformer

    class Joint(SentenceTransformer):
        """A model of pictures with words that has no chat template: it tells what it is given."""

        modalities = ["image", "text", ("image", "text")]  # noqa: RUF012

        def encode(self, inputs: Any, prompt: str | None = None, **_: Any) -> Any:  # type: ignore[override]
            texts = [one.get("text", "") for one in inputs]
            self.seen = [(prompt, text) for text in texts]
            return np.ones((len(inputs), 24), dtype=np.float32)

    model = Joint(str(clip), device="cpu", prompts={"query": "find "})
    encoder = SentenceTransformerEncoder(model, name="joint", revision="1")
    encode_query(encoder, Query(RED, "a dog"))
    assert model.seen == [("find ", "find a dog")]
    encode_query(encoder, Query(text="a dog"))  # the library adds it here
    assert model.seen == [("find ", "a dog")]


def test_a_text_that_names_a_file_is_a_text(clip: Path, qwen: Path, tmp_path: Path) -> None:
    RED.save(tmp_path / "red.png")
    path = str(tmp_path / "red.png")
    for folder in (clip, qwen):
        encoder = load(folder)
        text, picture = encoder.encode([(None, path), (RED, None)])
        words = encoder.encode([(None, path.replace("red.png", "red.pnx"))])[0]
        assert not np.allclose(text, picture, atol=1e-3)
        np.testing.assert_allclose(text, words, atol=1e-5)  # to the model, both are unknown words


def test_special_tokens_in_a_text_are_no_pictures(qwen: Path) -> None:
    encoder = load(qwen)
    found = encoder.encode([(None, "a <|image_pad|> dog"), (None, "a   dog")])
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


def test_pictures_are_bounded(qwen: Path) -> None:
    encoder = load(qwen, max_pixels=3000)
    prepared = encoder.prepare(Input(Image.new("RGB", (300, 100))))
    assert prepared.image is not None and prepared.image.size == (94, 31)
    with pytest.raises(ImageError, match="150 times as long"):
        encoder.prepare(Input(Image.new("RGB", (400, 2))))


def test_the_fingerprint_changes_with_what_changes_stored_vectors(
    clip: Path, qwen: Path, tmp_path: Path
) -> None:
    first = load(clip)
    copy = tmp_path / "clip"
    shutil.copytree(clip, copy)
    (copy / "README.md").write_text("Words about the model.")
    assert load(copy).fingerprint == first.fingerprint
    assert load(clip, text_weight=0.9).fingerprint == first.fingerprint
    others = {
        load(clip, dimension=16).fingerprint,
        load(clip, max_pixels=5000).fingerprint,
        load(clip, instruction="find").fingerprint,
        load(qwen).fingerprint,
        first.fingerprint,
    }
    weights = load_file(copy / "model.safetensors")
    weights["logit_scale"] += 1
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    others.add(load(copy).fingerprint)
    assert len(others) == 6


def test_vectors_can_be_cut(clip: Path) -> None:
    whole, cut = load(clip), load(clip, dimension=8)
    pair = (RED, "a dog")
    parts = [whole.encode([one])[0] for one in ((RED, None), (None, "a dog"))]
    expected = unit(sum(unit(part[:8]) for part in parts))
    np.testing.assert_allclose(cut.encode([pair])[0], expected, atol=1e-5)
    with pytest.raises(ConfigurationError, match="have 24 numbers, not 99"):
        load(clip, dimension=99)


def test_the_library_s_failure_is_an_error_of_ours(clip: Path) -> None:
    encoder = load(clip)
    encoder._model.forward = lambda *_, **__: 1 / 0  # type: ignore[method-assign]
    with pytest.raises(ocelot.EncoderError, match=r"failed \(ZeroDivisionError"):
        encoder.encode(["a dog"])


@pytest.mark.usefixtures("offline")
def test_what_cannot_be_loaded_is_said_in_one_sentence(clip: Path, tmp_path: Path) -> None:
    def copy(name: str, **config: Any) -> Path:
        folder = tmp_path / name
        shutil.copytree(clip, folder)
        table = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(table | config))
        return folder

    with pytest.raises(ConfigurationError, match=r"needs code that comes with it \(own\.Model\)"):
        load(copy("own", model_type="own", auto_map={"AutoModel": "own.Model"}))
    foreign = copy("foreign")
    (foreign / "modules.json").write_text('[{"type": "own.Part", "path": "", "name": "0"}]')
    with pytest.raises(ConfigurationError, match=r"needs code that comes with it \(own\.Part\)"):
        load(foreign)
    without = copy("without")
    (without / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="Cannot load the encoder st:"):
        load(without)
    damaged = copy("damaged")
    (damaged / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"Cannot read .*config\.json"):
        load(damaged)
    with pytest.raises(CheckpointError, match=r"holds no model"):
        load(tmp_path)
    with pytest.raises(ConfigurationError, match="There is no folder"):
        load(tmp_path / "none")
    with pytest.raises(DownloadError, match="Hugging Face hub"):
        SentenceTransformerEncoder.load("st:nobody/nothing")


def test_an_engine_searches_with_it(clip: Path, tmp_path: Path, bare_environment: None) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name, colour in {"red": "red", "blue": "blue", "grey": "grey"}.items():
        Image.new("RGB", (48, 48), colour).save(pictures / f"{name}.png")
    options: dict[str, Any] = {"encoder": f"st:{clip}", "precision": "fp32", "device": "cpu"}
    with ocelot.open(tmp_path / "a.db", reranker="fusion", **options) as shop:
        assert shop.index(pictures).encoded == 3
        result = shop.search(image=pictures / "red.png", keep_reference=True)
        assert Path(result[0].path).name == "red.png" and result[0].score > 0.999
        composed = shop.search(image=pictures / "red.png", text="a blue dog")
        assert len(composed) == 2 and "clip" in composed.encoder
    with (
        pytest.raises(ConfigurationError, match="neither --backend openvino nor int8"),
        ocelot.open(tmp_path / "a.db", **options | {"precision": "int8"}),
    ):
        pass


def test_settings_reach_the_encoder(clip: Path, bare_environment: None) -> None:
    from ocelot.build import build_encoder

    settings = Settings(
        encoder=f"st:{clip}", device="cpu", precision="fp32", encoder_text_weight=0.0,
        encoder_dimension=12, batch_size=5,
    )  # fmt: skip
    encoder = build_encoder(settings)
    assert (encoder.dimension, encoder.batch_size, encoder.name) == (12, 5, "st:clip")
    both, picture = encoder.encode([(RED, "a dog"), (RED, None)])
    np.testing.assert_allclose(both, picture, atol=1e-6)
