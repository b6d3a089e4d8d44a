"""OpenVINO compared with the reference vectors and torch; its cache; int8 calibration."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from openvino import Core

from ocelot.build import _backend, build_encoder, build_engine
from ocelot.collection import Collection
from ocelot.encoders.openvino.encoder import Calibration, OpenVINOEncoder
from ocelot.encoders.openvino.graphs import newest_graphs, read_graphs, write_graphs
from ocelot.encoders.openvino.network import build_graphs
from ocelot.encoders.vista import Prepared
from ocelot.encoders.visualized_bge import VisualizedBGE
from ocelot.encoders.weights import load_checkpoint
from ocelot.errors import CheckpointError, ConfigurationError, EncoderError
from ocelot.model.checkpoint import Checkpoint
from ocelot.model.visualized_bge import normalise
from ocelot.settings import load_settings
from ocelot.types import Input, Query
from tests.encoders.test_golden import MODELS, Golden
from tests.shop import write_shop
from tests.training import made

PICTURES = 16
WORDS = "embeddings.words.weight"
FP32 = {"INFERENCE_PRECISION_HINT": "f32"}


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One for the module, as converting takes a few seconds; and no settings of the machine's."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("OCELOT_")]:
            patch.delenv(name)
        patch.setenv("OCELOT_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder, PICTURES)
    return folder / "images"


@pytest.fixture(scope="module")
def pictures(shop: Path) -> list[Path]:
    return sorted(shop.iterdir())


@pytest.fixture(scope="module")
def items(pictures: list[Path]) -> list[Input]:
    """Pictures, texts of several lengths, and both together, mixed."""
    texts = ["in blue", "a leopard phone case with a soft edge, for a large phone", "mug"]
    rows = [Input(text=text) for text in texts]
    for number, picture in enumerate(pictures[:12]):
        rows.append(Input(picture, texts[number % 3] if number % 2 else None))
    return rows


@pytest.fixture(scope="module")
def expected(items: list[Input]) -> np.ndarray[Any, Any]:
    encoder = VisualizedBGE.load(dtype="fp32", device="cpu", reduced_decoding=False)
    return encoder.encode(items)


@pytest.fixture(scope="module")
def int8(shop: Path, pictures: list[Path]) -> OpenVINOEncoder:
    return OpenVINOEncoder.load(precision="int8", calibration=Calibration(lambda: pictures))


def graphs(cache: Path, precision: str) -> dict[str, tuple[int, int]]:
    """What is kept, and which very files they are: a new conversion leaves others."""
    files = [*cache.glob(f"openvino/*/{precision}*/*")]
    return {str(file): (file.stat().st_ino, file.stat().st_mtime_ns) for file in files}


def can_bf16() -> bool:
    return OpenVINOEncoder.load(precision="auto").precision == "bf16"


# Vectors


@pytest.fixture(scope="module", params=MODELS)
def golden(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Golden:
    return Golden(request.param, tmp_path_factory.mktemp(request.param))


def prepared(golden: Golden) -> list[Prepared]:
    """Token ids are the reference's own, as in the tests of the torch encoder."""
    rows = golden.prepared(golden.load())
    assert len(rows) > 10
    return rows


def test_inverted_residuals_are_those_of_torch() -> None:
    tokenizer = made.tokenizer()
    network = made.network(tokenizer.tokenizer.get_vocab_size(), vision=made.MOBILE).eval()
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    graphs = build_graphs(Checkpoint("made", "", network.geometry, state, tokenizer))
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 16, 16), np.uint8)
    (computed,) = Core().compile_model(graphs.vision, "CPU", FP32)([pixels]).values()
    with torch.no_grad():
        tokens = network.vision(normalise(torch.from_numpy(pixels)))
        expected = network.embeddings.place(network.projection(tokens))
    assert expected.shape == (5, made.MOBILE.tokens, 16)
    assert np.abs(computed - expected.numpy()).max() < 1e-4


def test_reference_vectors_alone_and_in_padded_batches(golden: Golden) -> None:
    encoder = OpenVINOEncoder.load(golden.weights, text_model=golden.text_model, precision="fp32")
    rows = prepared(golden)
    alone = np.concatenate([encoder.embed_checked([row]) for row in rows])
    assert np.abs(alone - golden.expected).max() < 1e-4
    order = np.random.default_rng(0).permutation(len(rows))
    together = encoder.embed_checked([rows[place] for place in order])
    assert np.abs(together - golden.expected[order]).max() < 1e-4
    encoder.batch_size = 3
    assert np.abs(encoder.embed_checked(rows) - golden.expected).max() < 1e-4


def test_it_knows_what_torch_knows() -> None:
    ours = OpenVINOEncoder.load(precision="fp32")
    theirs = VisualizedBGE.load(dtype="fp32", device="cpu")
    assert ours.unknown_words("a red blorf") == theirs.unknown_words("a red blorf") == ("blorf",)
    assert ours.score_calibration == theirs.score_calibration is not None


def test_an_encoder_prepares_what_torch_prepares(pictures: list[Path]) -> None:
    ours = OpenVINOEncoder.load(precision="fp32")
    theirs = VisualizedBGE.load(dtype="fp32", device="cpu")
    assert (ours.name, ours.fingerprint, ours.dimension, ours.decode_side) == (
        theirs.name, theirs.fingerprint, theirs.dimension, theirs.decode_side,
    )  # fmt: skip
    for item in (Input(pictures[0]), Input(pictures[1], "in red"), Input(text="a " * 900)):
        pixels, ids = ours.prepare(item)
        there = theirs.prepare(item)
        assert ids == there.ids
        assert (pixels is None) == (there.pixels is None)
        assert pixels is None or np.array_equal(pixels, there.pixels)


def test_fp32_is_that_of_torch(items: list[Input], expected: Any) -> None:
    encoder = OpenVINOEncoder.load(precision="fp32")
    assert np.abs(encoder.encode(items) - expected).max() < 1e-5
    assert encoder.runtime == "openvino fp32"


def test_bf16_stays_close(items: list[Input], expected: Any) -> None:
    if not can_bf16():
        pytest.skip("this processor does not compute in bf16")
    encoder = OpenVINOEncoder.load(precision="bf16")
    similar = (encoder.encode(items) * expected).sum(axis=1)
    assert similar.min() > 0.99 and similar.max() < 1 - 1e-7  # close, and not fp32


def test_int8_stays_near(int8: OpenVINOEncoder, items: list[Input], expected: Any) -> None:
    similar = (int8.encode(items) * expected).sum(axis=1)
    assert similar.min() > 0.95 and np.median(similar) > 0.97
    assert np.median(similar) < 1 - 1e-6  # it is quantised


def test_threads_get_their_own_vectors(items: list[Input], expected: Any) -> None:
    encoder = OpenVINOEncoder.load(precision="fp32")
    with ThreadPoolExecutor(6) as pool:
        rows = list(pool.map(lambda item: encoder.encode([item])[0], items * 3))
    assert np.abs(np.stack(rows) - np.tile(expected, (3, 1))).max() < 1e-5


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from ocelot.encoders.openvino.encoder import OpenVINOEncoder
encoder = OpenVINOEncoder.load(precision=sys.argv[1])
vector = encoder.encode([(None, "leopard")])[0]
print(encoder.runtime, "nncf" in sys.modules, *vector[:4])
"""


def without_torch(precision: str) -> list[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, precision], capture_output=True, text=True, check=True
    ).stdout.split()


def test_it_needs_no_torch() -> None:
    first = OpenVINOEncoder.load(precision="fp32").encode(["leopard"])[0]
    _, precision, nncf, *vector = without_torch("fp32")
    assert (precision, nncf) == ("fp32", "False")
    assert np.allclose([float(value) for value in vector], first[:4], atol=1e-6)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Golden:
    """Tiny weights, with a cache of their own."""
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "own"))
    return Golden("tiny-base", tmp_path)


def load(golden: Golden) -> OpenVINOEncoder:
    return OpenVINOEncoder.load(golden.weights, text_model=golden.text_model, precision="fp32")


def test_weights_that_do_not_fit_are_one_sentence(tiny: Golden) -> None:
    checkpoint = load_checkpoint(tiny.weights, tiny.text_model)
    name = "encoder.layers.0.hidden.weight"
    lacking = {key: value for key, value in checkpoint.state.items() if key != name}
    with pytest.raises(CheckpointError, match=f"no weights '{re.escape(name)}'"):
        build_graphs(replace(checkpoint, state=lacking))
    for cut in ({name: checkpoint.state[name][:, :-1]}, {WORDS: checkpoint.state[WORDS][:-1]}):
        with pytest.raises(EncoderError, match="do not fit its geometry"):
            build_graphs(replace(checkpoint, state={**checkpoint.state, **cut}))
    more = {**checkpoint.state, "encoder.layers.9.out.bias": checkpoint.state[name]}
    with pytest.raises(CheckpointError, match=r"weights 'encoder\.layers\.9\.out\.bias' that"):
        build_graphs(replace(checkpoint, state=more))


def test_weights_that_are_no_finite_floats_are_refused() -> None:
    checkpoint = load_checkpoint("ocelot-tiny")
    kernel = checkpoint.state["vision.stem.weight"]  # a relu follows, which may hide them
    for wrong, said in ((kernel * np.float16(np.nan), "finite"), (kernel.astype("i1"), "int8")):
        with pytest.raises(CheckpointError, match=said):
            build_graphs(
                replace(checkpoint, state={**checkpoint.state, "vision.stem.weight": wrong})
            )


def test_other_weights_have_another_fingerprint(tiny: Golden, tmp_path: Path) -> None:
    import torch

    first = load(tiny).fingerprint
    state = torch.load(tiny.weights, weights_only=True)
    state["visual_proj.bias"] += 1
    other = tmp_path / "other.pth"
    torch.save(state, other)
    second = OpenVINOEncoder.load(other, text_model=tiny.text_model, precision="fp32")
    assert second.fingerprint != first
    shutil.copy(tiny.weights, other)  # other weights in a file of the same name
    again = OpenVINOEncoder.load(other, text_model=tiny.text_model, precision="fp32")
    assert again.fingerprint == first


# int8 and its cache


@pytest.mark.parametrize(
    "damage", ["short", "spoilt", "scrambled", "no notes", "other notes", "gone"]
)
def test_damaged_graphs_are_not_used(calibrated: Path, damage: str) -> None:
    (home,) = calibrated.glob("openvino/*/int8-*")
    assert read_graphs(home) is not None
    weights, network, notes = home / "reader.bin", home / "vision.xml", home / "notes.json"
    if damage == "short":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage == "spoilt":
        whole = bytearray(weights.read_bytes())
        whole[5_000:9_000] = bytes(4_000)
        weights.write_bytes(whole)
    elif damage == "scrambled":
        network.write_bytes(b"?" * network.stat().st_size)
    elif damage == "no notes":
        notes.unlink()
    elif damage == "other notes":
        notes.write_text("[]")
    else:
        shutil.rmtree(home)
    assert read_graphs(home) is None
    assert newest_graphs(home.parent) is None


def test_two_writers_at_once(calibrated: Path) -> None:
    """Nothing half done is left."""
    (home,) = calibrated.glob("openvino/*/int8-*")
    graphs = read_graphs(home)
    assert graphs is not None
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write_graphs, [home] * 8, [graphs] * 8))
    assert [folder.name for folder in home.parent.iterdir()] == [home.name]
    assert read_graphs(home) is not None


def test_without_room_for_a_cache_it_works(
    tiny: Golden, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCELOT_CACHE", str(tiny.weights / "no" / "folder"))
    assert load_int8(tiny, pictures[:2]).startswith("openvino int8 ")


def test_a_calibration_is_kept(cache: Path, int8: OpenVINOEncoder, pictures: list[Path]) -> None:
    kept = graphs(cache, "int8")
    assert kept
    runtime = " ".join(without_torch("int8")[:3])
    assert runtime == int8.runtime and runtime.startswith("openvino int8 ")
    fewer = Calibration(lambda: pictures[:4])
    assert OpenVINOEncoder.load(precision="int8", calibration=fewer).runtime == int8.runtime
    chosen = Calibration(lambda: pictures, chosen=True)
    assert OpenVINOEncoder.load(precision="int8", calibration=chosen).runtime == int8.runtime
    assert graphs(cache, "int8") == kept


@pytest.fixture
def calibrated(few_calibrated: Path, tiny: Golden, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of `tiny`, with a calibration on the first two pictures."""
    cache = Path(os.environ["OCELOT_CACHE"])
    shutil.copytree(few_calibrated, cache, dirs_exist_ok=True)
    return cache


@pytest.fixture(scope="module")
def few_calibrated(pictures: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibrated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OCELOT_CACHE", str(folder))
        golden = Golden("tiny-base", folder)
        broken = golden.weights  # no picture: left out
        load_int8(golden, [broken, *pictures[:2]])
    return folder


def load_int8(golden: Golden, pictures: Sequence[Path], *, chosen: bool = False) -> str:
    calibration = Calibration(lambda: pictures, chosen=chosen)
    return OpenVINOEncoder.load(
        golden.weights, text_model=golden.text_model, precision="int8", calibration=calibration
    ).runtime


def test_chosen_pictures_calibrate_anew(
    tiny: Golden, calibrated: Path, pictures: list[Path]
) -> None:
    before = graphs(calibrated, "int8")
    first = load_int8(tiny, pictures[:2])
    assert load_int8(tiny, pictures[2:4]) == first
    assert load_int8(tiny, pictures[:2], chosen=True) == first
    assert graphs(calibrated, "int8") == before
    other = load_int8(tiny, pictures[2:4], chosen=True)
    assert other != first
    kept = graphs(calibrated, "int8")
    assert load_int8(tiny, pictures[:1]) == other
    assert load_int8(tiny, pictures[:2], chosen=True) == first  # those before it stay
    assert load_int8(tiny, pictures[:1]) == first
    assert graphs(calibrated, "int8") == kept


def test_no_picture_to_calibrate_on_is_refused(tiny: Golden) -> None:
    with pytest.raises(ConfigurationError, match="no picture to calibrate weights"):
        load_int8(tiny, [tiny.weights], chosen=True)


def test_int8_without_a_calibration_says_what_to_do(tiny: Golden) -> None:
    with pytest.raises(ConfigurationError, match=r"never calibrated.*--calibration DIR"):
        OpenVINOEncoder.load(tiny.weights, text_model=tiny.text_model, precision="int8")


def test_a_collection_is_searched_with_another_precision(
    tmp_path: Path, int8: OpenVINOEncoder, shop: Path, pictures: list[Path]
) -> None:
    place = {"db": str(tmp_path / "shop.db"), "reranker": "none"}
    asked = [Query(picture) for picture in pictures[:8]] + [Query(pictures[9], "in blue")]
    torch = {"backend": "torch", "precision": "fp32", "device": "cpu"}
    with build_engine(load_settings(**place, **torch)) as engine:
        engine.index(shop)
        first = [engine.search(query, limit=3, keep_reference=True).hits for query in asked]
        assert engine.collection.describe().encoder.runtime == "torch fp32"
    settings = load_settings(**place, precision="int8")
    with build_engine(settings, create=False) as engine:
        assert engine.encoder.runtime == int8.runtime
        second = [engine.search(query, limit=3, keep_reference=True).hits for query in asked]
    assert [hits[0].id for hits in second] == [hits[0].id for hits in first]
    with Collection.open(place["db"], create=False) as collection:
        assert collection.identity.runtime == "torch fp32"  # whoever began it


def test_indexing_calibrates_on_what_it_indexes_and_is_quiet(
    tiny: Golden, calibrated: Path, tmp_path: Path, pictures: list[Path]
) -> None:
    """A calibration of fewer pictures gives way.

    Not a line of the packages' own is printed, no usage event is sent, and nothing is written to
    the home folder.
    """
    home, few = tmp_path / "home", tmp_path / "few"
    home.mkdir()
    few.mkdir()
    for picture in pictures[:3]:
        shutil.copy(picture, few)
    arguments = [
        "ocelot", "index", "few", "--weights", str(tiny.weights), "--text-model",
        str(tiny.text_model), "--precision", "int8",
    ]  # fmt: skip
    code = (
        "import logging, runpy, sys\n"
        f"sys.argv = {arguments!r}\n"
        "try: runpy.run_module('ocelot', run_name='__main__')\n"
        "except SystemExit as stop: assert not stop.code\n"
        "from nncf.telemetry import telemetry\n"
        "print([name for name in sys.modules if 'openvino_telemetry' in name], "
        "type(telemetry).__name__, logging.getLoggerClass().__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "HOME": str(home), "CI": ""},
    )  # fmt: skip
    report, _, end = done.stdout.splitlines()
    assert "3 encoded" in report
    assert (end, done.stderr) == ("[] MagicMock Logger", "")
    assert [*home.iterdir()] == []
    notes = tmp_path.glob("own/openvino/*/int8-*/notes.json")
    assert sorted(json.loads(file.read_text())["pictures"] for file in notes) == [2, 3]
    with Collection.open(tmp_path / "ocelot.db", create=False) as collection:
        assert re.fullmatch(r"openvino int8 [0-9a-f]{4}", collection.identity.runtime)


# Refusals


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"backend": "torch", "precision": "int8"}, r"torch.*int8"),
        ({"backend": "openvino", "precision": "fp16"}, r"openvino.*'fp16'"),
        ({"backend": "openvino", "device": "cuda"}, r"openvino.*'cuda'"),
        ({"backend": "tvm"}, "setting backend cannot be used"),
        ({"precision": "int4"}, "setting precision cannot be used"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        build_encoder(load_settings(**given))
    assert "\n" not in str(caught.value)


def test_a_missing_package_says_which_command(
    tiny: Golden, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'ocelot-search\[int8\]'"):
        load_int8(tiny, pictures[:2])


def test_torch_is_chosen_only_for_what_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ocelot.build.os.path.exists", lambda path: path == "/dev/nvidiactl")

    def chosen(**given: str) -> str:
        return _backend(load_settings(**given))

    assert chosen() == chosen(encoder="a.pth", precision="int8") == "openvino"
    assert chosen(encoder="a.pth", device="cpu") == "openvino"
    assert chosen(encoder="a.pth") == chosen(device="cuda") == chosen(precision="fp16") == "torch"
    monkeypatch.setattr("ocelot.build.find_spec", lambda name: None)
    assert chosen(encoder="a.pth") == "openvino"
    assert chosen(encoder="a.pth", device="cuda") == chosen(backend="torch") == "torch"


def test_without_torch_weights_in_pytorchs_format_say_what_to_install(
    tiny: Golden, shop: Path, tmp_path: Path
) -> None:
    code = "import sys; sys.modules['torch'] = None; from ocelot.cli.main import run; run()"
    weights = ["--weights", str(tiny.weights), "--text-model", str(tiny.text_model)]
    for options, what in ((weights, "Reading"), (["--backend", "torch"], "Encoding with PyTorch")):
        done = subprocess.run(
            [sys.executable, "-c", code, "index", str(shop), *options],
            cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode != 0
        assert done.stderr.startswith(f"Error: {what} ") and done.stderr.count("\n") == 1
        assert "pip install 'ocelot-search[bge]'" in done.stderr
