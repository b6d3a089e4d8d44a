"""Own triplets, drawn here, teach a checkpoint in the published format."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ocelot.encoders import VisualizedBGE
from ocelot.encoders.weights import load_checkpoint
from ocelot.errors import ConfigurationError, MetadataError
from ocelot.model.checkpoint import Checkpoint
from ocelot.training import report
from ocelot.training.config import DataConfig, OptimiserConfig, TrainConfig
from ocelot.training.loop import train
from ocelot.training.source import TripletSource
from ocelot.training.triplets import read_triplet_file
from recipes.ocelot_tiny.catalogue.render import render_product
from recipes.ocelot_tiny.catalogue.vocabulary import Product

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "tiny-base"
COLOURS = ("red", "blue")


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OCELOT_CACHE", str(tmp_path_factory.mktemp("cache")))
        return load_checkpoint(GOLDEN / "weights.pth", GOLDEN)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight yellow articles, each asked for in red and in blue; read-only."""
    folder = tmp_path_factory.mktemp("shop")
    lines, number = [], 0
    for style in range(2):
        for kind in ("kettle", "phone case"):
            for pattern in ("plain", "leopard"):
                names = []
                for colour in ("yellow", *COLOURS):
                    number += 1
                    names.append(f"{number}.png")
                    drawn = render_product(Product(kind, style, pattern, colour), number, 96)
                    drawn.save(folder / names[-1])
                for colour, name in zip(COLOURS, names[1:], strict=True):
                    text = f"make it {colour}"
                    lines.append({"reference": names[0], "text": text, "target": name})
    (folder / "triplets.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return folder


def config(shop: Path, steps: int, *, batch_size: int = 16, **options: Any) -> TrainConfig:
    file = str(shop / "triplets.jsonl")
    optimiser: dict[str, Any] = {
        "learning_rate": 3e-3, "warmup": 5, "average": 0.8, "bf16": False, "evaluate_every": 0,
    }  # fmt: skip
    return TrainConfig(
        name="own",
        seed=1,
        data=DataConfig(triplets=file, validation=file, augmentation=0.2, batch_size=batch_size),
        optimiser=OptimiserConfig(steps=steps, **(optimiser | options)),
    )


def fit(settings: TrainConfig, folder: Path, **options: Any) -> Path:
    return train(settings, TripletSource(settings), folder, **options)


def recall(encoder: VisualizedBGE, shop: Path) -> float:
    """R@1 of the shop's queries among its 24 pictures, the query's file left out."""
    file = read_triplet_file(shop / "triplets.jsonl")
    gallery = encoder.encode([(picture, None) for picture in file.pictures])
    references = [one.reference or 0 for one in file.triplets]
    texts = [one.text for one in file.triplets]
    shown = [file.pictures[number] for number in references]
    queries = encoder.encode(list(zip(shown, texts, strict=True)))
    scores = queries @ gallery.T
    scores[np.arange(len(queries)), references] = -2
    return float(np.mean(scores.argmax(axis=1) == [one.target for one in file.triplets]))


def test_it_learns_and_the_encoder_loads(tmp_path: Path, start: Checkpoint, shop: Path) -> None:
    before = VisualizedBGE(start, device="cpu", dtype="fp32")
    learns = config(shop, 24, evaluate_every=24)
    reports: list[report.StepReport] = []
    folder = fit(learns, tmp_path / "run", initial=start, progress=reports.append, device="cpu")
    after = VisualizedBGE.load(folder, device="cpu", dtype="fp32")
    assert after.name == "own" and after.geometry == start.geometry
    query = [(shop / "1.png", "make it red")]
    assert float(np.sum(before.encode(query) * after.encode(query))) < 0.99
    # By chance one query in 23 finds its target.
    assert recall(before, shop) <= 0.25
    assert recall(after, shop) >= 0.6
    assert reports[-1].held_out == {"validation": pytest.approx(recall(after, shop), abs=0.13)}
    assert report.read(tmp_path / "run") == reports
    assert (tmp_path / "run" / "metrics.png").is_file()


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state = torch.load(folder / "state.pt", weights_only=True)
    network: dict[str, torch.Tensor] = state["network"]
    return network


def test_a_kill_and_chunks_change_nothing(tmp_path: Path, start: Checkpoint, shop: Path) -> None:
    whole = config(shop, 4, batch_size=5)
    on_cpu = {"initial": start, "device": "cpu"}  # a GPU adds in any order
    expected = VisualizedBGE.load(
        fit(whole, tmp_path / "whole", **on_cpu), device="cpu", dtype="fp32"
    )
    fit(config(shop, 4, batch_size=5, stop=2), tmp_path / "killed", **on_cpu)
    fit(whole, tmp_path / "killed", **on_cpu)
    resumed = weights(tmp_path / "killed")
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(resumed[name], value), name
    # Weights without an influence, such as keys' biases, drift apart by rounding: embeddings
    # tell.
    folder = fit(config(shop, 4, batch_size=5, chunk=4), tmp_path / "chunks", **on_cpu)
    chunks = VisualizedBGE.load(folder, device="cpu", dtype="fp32")
    asked = [(shop / "1.png", "make it red"), (shop / "2.png", None), (None, "make it blue")]
    near = np.abs(chunks.encode(asked) - expected.encode(asked)).max()
    moved = np.abs(
        VisualizedBGE(start, device="cpu", dtype="fp32").encode(asked) - expected.encode(asked)
    ).max()
    assert near < 0.02 * moved


def test_a_broken_picture_does_not_stop_a_run(
    tmp_path: Path, start: Checkpoint, shop: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = tmp_path / "shop"
    shutil.copytree(shop, copy)
    (copy / "2.png").write_bytes(b"broken")
    with caplog.at_level(logging.WARNING, "ocelot"):
        fit(config(copy, 2), tmp_path / "run", initial=start)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1 and str(copy / "2.png") in told[0]


def test_what_cannot_be_trained_on_is_said_first(
    tmp_path: Path, start: Checkpoint, shop: Path
) -> None:
    copy = tmp_path / "shop"
    shutil.copytree(shop, copy)
    for picture in copy.glob("*.png"):
        picture.write_bytes(b"broken")
    with pytest.raises(ConfigurationError, match=r"Every line of .*triplets\.jsonl"):
        fit(config(copy, 2), tmp_path / "run", initial=start)
    (copy / "1.png").unlink()
    with pytest.raises(MetadataError, match=r"line 1: there is no picture .*1\.png"):
        fit(config(copy, 2), tmp_path / "run", initial=start)


def test_other_triplets_do_not_resume(tmp_path: Path, start: Checkpoint, shop: Path) -> None:
    copy = tmp_path / "shop"
    shutil.copytree(shop, copy)
    fit(config(copy, 1, batch_size=2), tmp_path / "run", initial=start)
    lines = (copy / "triplets.jsonl").read_text().splitlines()
    (copy / "triplets.jsonl").write_text("\n".join(lines[1:]))
    with pytest.raises(ConfigurationError, match="another configuration"):
        fit(config(copy, 1, batch_size=2), tmp_path / "run", initial=start)


def test_an_unknown_device_is_named(tmp_path: Path, start: Checkpoint, shop: Path) -> None:
    with pytest.raises(ConfigurationError, match="'tpu' cannot be used here"):
        fit(config(shop, 1), tmp_path / "run", initial=start, device="tpu")
