"""Loading: errors are one clear sentence; texts that are too long are cut."""

from __future__ import annotations

import hashlib
import json
import logging
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ocelot.encoders.visualized_bge import VisualizedBGE
from ocelot.encoders.weights import PUBLISHED, Published
from ocelot.errors import CheckpointError, ConfigurationError, DownloadError, InputError
from ocelot.model.tokenizer import word_piece

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
BASE = GOLDEN / "tiny-base"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "cache"))


def load(**options: object) -> VisualizedBGE:
    return VisualizedBGE.load(BASE / "weights.pth", text_model=BASE, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("with_image", [False, True])
def test_long_texts_are_cut_with_a_warning(
    with_image: bool, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = load()
    image = GOLDEN / "square.png" if with_image else None
    with caplog.at_level(logging.WARNING):
        (vector,) = encoder.encode([(image, "leopard " * 3000)])
    assert np.isfinite(vector).all()
    longest = 512 - 196 if with_image else 512
    assert f"cut to {longest}" in caplog.text


def test_the_longest_text_that_fits_is_not_cut(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        load().encode([(GOLDEN / "square.png", "leopard " * (512 - 196 - 2))])
    assert not caplog.records


def test_empty_items_are_refused() -> None:
    with pytest.raises(InputError, match="image, a text, or both"):
        load().encode([(None, "  ")])


def test_no_items_give_no_rows() -> None:
    assert load().encode([]).shape == (0, 64)


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(ConfigurationError, match="that `ocelot encoders` lists"):
        VisualizedBGE.load("no-such-model")


def test_weights_without_a_text_model_say_which_option() -> None:
    with pytest.raises(ConfigurationError, match="--text-model"):
        VisualizedBGE.load(BASE / "weights.pth")


def test_a_pickle_with_code_in_it_is_not_executed(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    file = tmp_path / "weights.pth"
    file.write_bytes(pickle.dumps(Touch(ran), protocol=2))
    with pytest.raises(CheckpointError, match="Cannot read"):
        VisualizedBGE.load(file, text_model=BASE)
    torch.save({"visual_proj.weight": Touch(ran)}, file)
    with pytest.raises(CheckpointError, match="Cannot read"):
        VisualizedBGE.load(file, text_model=BASE)
    assert not ran.exists()


class Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return (Path.touch, (self.path,))


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "half.pth"
    file.write_bytes((BASE / "weights.pth").read_bytes()[:100_000])
    with pytest.raises(CheckpointError, match=r"half\.pth"):
        VisualizedBGE.load(file, text_model=BASE)


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    state = torch.load(BASE / "weights.pth", weights_only=True)
    del state["bge_encoder.layer.1.output.dense.weight"]
    file = tmp_path / "weights.pth"
    torch.save(state, file)
    with pytest.raises(CheckpointError, match=r"bge_encoder\.layer\.1\.output\.dense\.weight"):
        VisualizedBGE.load(file, text_model=BASE)


def test_another_text_model_does_not_fit(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "gpt2", "vocab_size": 107}')
    (tmp_path / "vocab.txt").write_text((BASE / "vocab.txt").read_text())
    with pytest.raises(CheckpointError, match="BERT or XLM-RoBERTa"):
        VisualizedBGE.load(BASE / "weights.pth", text_model=tmp_path)


def test_a_text_model_with_values_of_other_types(tmp_path: Path) -> None:
    config = json.loads((BASE / "config.json").read_text()) | {"vocab_size": "many"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"config\.json cannot be used"):
        VisualizedBGE.load(BASE / "weights.pth", text_model=tmp_path)


def test_a_text_model_without_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text((BASE / "config.json").read_text())
    with pytest.raises(CheckpointError, match=r"tokenizer\.json or vocab\.txt"):
        VisualizedBGE.load(BASE / "weights.pth", text_model=tmp_path)


def test_unknown_device_and_dtype() -> None:
    with pytest.raises(ConfigurationError, match="device"):
        load(device="warp")
    with pytest.raises(ConfigurationError, match="device"):
        load(device="meta")
    for dtype in ("int3", torch.int32):
        with pytest.raises(ConfigurationError, match="fp32, bf16 or fp16"):
            load(dtype=dtype)


def test_without_a_hub_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(DownloadError, match="--weights FILE --text-model DIR"):
        VisualizedBGE.load("bge-visualized-base")


def checkpoint_digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def publish(monkeypatch: pytest.MonkeyPatch, hub: Path, tokenizer: str, sha256: str = "") -> None:
    """A hub cache as one online load leaves it, and no network."""
    import huggingface_hub.constants

    files = {"org/weights": [BASE / "weights.pth"], "org/text": [BASE / "config.json"]}
    for repository, held in files.items():
        snapshot = hub / f"models--{repository.replace('/', '--')}" / "snapshots" / "1"
        snapshot.mkdir(parents=True)
        (snapshot.parents[1] / "refs").mkdir()
        (snapshot.parents[1] / "refs" / "main").write_text("1")
        for file in held:
            (snapshot / file.name).write_bytes(file.read_bytes())
    if tokenizer == "vocab.txt":  # asking for the other files left notes that there are none
        (snapshot / tokenizer).write_bytes((BASE / "vocab.txt").read_bytes())
        missing = snapshot.parents[1] / ".no_exist" / "1"
        missing.mkdir(parents=True)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (missing / name).touch()
    else:
        words = (BASE / "vocab.txt").read_text().split("\n")[:-1]
        word_piece(words).save(str(snapshot / tokenizer))
    known = checkpoint_digest(BASE / "weights.pth")
    size = (BASE / "weights.pth").stat().st_size
    published = Published("weights.pth", size, sha256 or known, "org/text", "org/weights")
    monkeypatch.setitem(PUBLISHED, "published", published)  # type: ignore[arg-type]
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(hub))


@pytest.mark.parametrize("tokenizer", ["tokenizer.json", "vocab.txt"])
def test_a_fetched_model_loads_offline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tokenizer: str
) -> None:
    publish(monkeypatch, tmp_path, tokenizer)
    encoder = VisualizedBGE.load("published")
    assert encoder.name == "published"
    same = encoder.encode([(None, "a leopard phone case")])
    np.testing.assert_allclose(same, load().encode([(None, "a leopard phone case")]), atol=1e-6)


def test_a_file_that_is_not_the_published_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    load()  # a copy in the cache is no way around the check
    publish(monkeypatch, tmp_path, "tokenizer.json", sha256="0" * 64)
    with pytest.raises(CheckpointError, match="not the published file"):
        VisualizedBGE.load("published")


def test_weights_with_another_text_model_are_refused() -> None:
    with pytest.raises(CheckpointError, match="107 words and the weights have 300"):
        VisualizedBGE.load(GOLDEN / "tiny-m3" / "weights.pth", text_model=BASE)


def test_the_older_format_of_torch_is_read(tmp_path: Path) -> None:
    state = torch.load(BASE / "weights.pth", weights_only=True)
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    encoder = VisualizedBGE.load(tmp_path / "old.pth", text_model=BASE)
    query = [(GOLDEN / "square.png", "in blue")]
    assert np.array_equal(encoder.encode(query), load().encode(query))


def test_a_cache_that_cannot_be_written_only_costs_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "file" / "cache"))
    assert load().dimension == 64


@pytest.mark.parametrize(
    "config",
    [
        "[]", "{}", '{"format": 1}', "{", '{"format": "ocelot-visualized-bge/1"}',
        '{"format": "ocelot-visualized-bge/1", "vision": "eva02"}',
    ],
)  # fmt: skip
def test_a_folder_that_is_no_checkpoint(tmp_path: Path, config: str) -> None:
    (tmp_path / "config.json").write_text(config)
    save_file({"weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError):
        VisualizedBGE.load(tmp_path)


def test_the_fingerprint_tells_weights_and_tokenizers_apart(tmp_path: Path) -> None:
    whole = load()
    (tmp_path / "config.json").write_text((BASE / "config.json").read_text())
    words = (BASE / "vocab.txt").read_text().replace("leopard", "panther")
    (tmp_path / "vocab.txt").write_text(words)
    other = VisualizedBGE.load(BASE / "weights.pth", text_model=tmp_path)
    assert whole.fingerprint != other.fingerprint
    assert whole.fingerprint == load(dtype="bf16").fingerprint
