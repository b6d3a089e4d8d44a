"""Choice of device, number format and batch size; grouping of inputs."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ocelot.assets import demo_shop
from ocelot.encoders.runtime import best_batch_size, choose_dtype
from ocelot.encoders.visualized_bge import VisualizedBGE
from ocelot.model.geometry import EvaConfig, Geometry, TextConfig
from ocelot.model.tokenizer import chunks

CPU = torch.device("cpu")
BASE = Geometry(
    EvaConfig(224, 16, 768, 2048, 12, 64), TextConfig(30522, 768, 3072, 12, 12, 512, 2, 0, 0, 1e-12)
)


@pytest.fixture(scope="module")
def exact() -> VisualizedBGE:
    return VisualizedBGE.load("ocelot-tiny", device="cpu", dtype="fp32")


def drawn(folder: Path, side: int, count: int) -> list[Path]:
    files = []
    for picture in sorted((demo_shop() / "images").iterdir())[:count]:
        files.append(folder / picture.name)
        Image.open(picture).resize((side, side)).save(files[-1], quality=92)
    return files


@pytest.mark.skipif(platform.system() != "Linux", reason="reads /proc/cpuinfo")
@pytest.mark.skipif(not hasattr(torch.cpu, "get_capabilities"), reason="this torch cannot say")
def test_bf16_is_the_default_where_the_processor_multiplies_it() -> None:
    words = set(Path("/proc/cpuinfo").read_text().split())
    wanted = torch.bfloat16 if words & {"avx512_bf16", "amx_bf16"} else torch.float32
    assert choose_dtype(None, CPU) is choose_dtype("auto", CPU) is wanted


def test_without_such_a_processor_the_default_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    encoder = VisualizedBGE.load("ocelot-tiny", device="cpu")
    assert (encoder.dtype, encoder.runtime) == (torch.float32, "torch fp32")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    assert VisualizedBGE.load("ocelot-tiny", device="cpu").runtime == "torch bf16"


def test_bf16_is_close_to_fp32(exact: VisualizedBGE, tmp_path: Path) -> None:
    half = VisualizedBGE.load("ocelot-tiny", device="cpu", dtype="bf16")
    assert half.fingerprint == exact.fingerprint
    items = [(picture, text) for picture in drawn(tmp_path, 320, 4) for text in (None, "in blue")]
    cosines = np.sum(half.encode(items) * exact.encode(items), axis=1)
    assert cosines.min() > 0.99  # measured on 600 drawings: 0.992


def test_a_wide_network_takes_fewer_best_batch_size(exact: VisualizedBGE) -> None:
    assert best_batch_size(exact.geometry, CPU, torch.bfloat16) == 32
    assert best_batch_size(BASE, CPU, torch.bfloat16) == 4
    assert best_batch_size(BASE, CPU, torch.float32) == 2
    assert exact.batch_size == 32


@given(
    lengths=st.lists(st.integers(2, 300), max_size=60),
    items=st.integers(1, 20),
    tokens=st.integers(1, 1500),
)
def test_chunks_hold_every_row_once_within_their_limits(
    lengths: list[int], items: int, tokens: int
) -> None:
    found = list(chunks(lengths, items=items, tokens=tokens))
    assert sorted(place for chunk in found for place in chunk) == list(range(len(lengths)))
    for chunk in found:
        own = [lengths[place] for place in chunk]
        padded = max(own) * len(own)
        assert len(own) <= items
        assert padded <= tokens or len(own) == 1
        assert padded - sum(own) <= max(64, padded / 4)


def test_like_lengths_run_together() -> None:
    assert list(chunks([300, 9, 310, 8, 7], items=32, tokens=4096)) == [[2, 0], [1, 3, 4]]
    assert list(chunks([5] * 5, items=2, tokens=4096)) == [[0, 1], [2, 3], [4]]
    assert list(chunks([], items=2, tokens=10)) == []


def test_any_number_of_items_comes_back_in_order(exact: VisualizedBGE, tmp_path: Path) -> None:
    pictures = drawn(tmp_path, 160, 2)
    items: list[tuple[Path | None, str | None]] = []
    for number in range(12):
        items.append((pictures[number % 2], None if number % 3 else "red " * number))
        items.append((None, f"{'blue ' * (number * 3 % 41)}kettle"))
    alone = np.concatenate([exact.encode([item]) for item in items])
    seen: list[tuple[int, ...]] = []
    watch = exact.network.register_forward_pre_hook(
        lambda _, given: seen.append(tuple(given[1].shape))
    )
    prepared = [exact.prepare(item) for item in map(_item, items)]
    exact.batch_size = 8
    together = exact.embed_checked(prepared)
    exact.batch_size = 32
    watch.remove()
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert len(seen) > 3 and sum(rows for rows, _ in seen) == len(items)
    longest = max(len(one.ids) for one in prepared)
    assert any(width < longest / 4 for _, width in seen)


def _item(pair: tuple[Path | None, str | None]) -> object:
    from ocelot.types import Input

    return Input(*pair)


def test_a_jpeg_may_be_decoded_smaller_within_the_stated_bound(
    exact: VisualizedBGE, tmp_path: Path
) -> None:
    side = 3 * exact.geometry.vision.image_size
    assert exact.decode_side == side
    whole = VisualizedBGE.load("ocelot-tiny", device="cpu", dtype="fp32", reduced_decoding=False)
    assert whole.decode_side is None
    items = [(picture, None) for picture in drawn(tmp_path, 2 * side, 6)]
    reduced, expected = exact.encode(items), whole.encode(items)
    assert (reduced != expected).any()
    assert np.sum(reduced * expected, axis=1).min() > 0.999
