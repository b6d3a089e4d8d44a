"""Networks to begin with: new ones, and a checkpoint's for other words and pictures."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ocelot.errors import ConfigurationError
from ocelot.model.geometry import ConvolutionConfig, InstanceConfig, VisionConfig
from ocelot.model.instance import Grouped, with_instance
from ocelot.model.tokenizer import TextTokenizer, word_piece
from ocelot.training.config import DataConfig, NetworkConfig, OptimiserConfig, TrainConfig
from ocelot.training.source import TripletSource
from ocelot.training.start import adapted_network, deepened, freeze, new_network, starting_point
from tests.training import made
from tests.training.made import checkpoint

FRAME = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
LETTERS = [*"abcdefghijklmnopqrstuvwxyz#", *(f"##{x}" for x in "abcdefghijklmnopqrstuvwxyz")]


def tokenizer(*words: str) -> TextTokenizer:
    return TextTokenizer(word_piece(list(dict.fromkeys([*FRAME, *words, *LETTERS]))))


def test_sub_words_that_both_have_keep_their_rows() -> None:
    old, new = tokenizer("shirt", "mug", "##s"), tokenizer("kettle", "blue", "mug", "##ly")
    start = checkpoint(old)
    before = copy.deepcopy(dict(start.state))
    network = adapted_network(start, new)
    rows = network.embeddings.words.weight.detach().numpy()
    known, vocabulary = old.tokenizer.get_vocab(), new.tokenizer.get_vocab()
    assert rows.shape == (len(vocabulary), 16)
    assert network.geometry.text.vocabulary == len(vocabulary)
    words = before["embeddings.words.weight"]
    shared = known.keys() & vocabulary.keys()
    assert "mug" in shared and "[CLS]" in shared and known["mug"] != vocabulary["mug"]
    for piece in shared:
        assert np.array_equal(rows[vocabulary[piece]], words[known[piece]]), piece
    for name, value in before.items():
        assert np.array_equal(start.state[name], value), f"{name} of the caller has changed"


def test_new_sub_words_begin_as_the_mean_of_their_pieces() -> None:
    old, new = tokenizer("shirt", "ket", "##tle"), tokenizer("kettle", "shirts", "##ly", "é")
    start = checkpoint(old)
    words, known = start.state["embeddings.words.weight"], old.tokenizer.get_vocab()
    rows, vocabulary = (
        adapted_network(start, new).embeddings.words.weight.detach().numpy(),
        new.tokenizer.get_vocab(),
    )
    spelled = {
        "kettle": ["ket", "##tle"],
        "shirts": ["shirt", "##s"],
        "##ly": ["l", "##y"],
        "é": ["e"],  # accents fall away
    }
    for piece, pieces in spelled.items():
        expected = words[[known[one] for one in pieces]].mean(axis=0)
        np.testing.assert_allclose(rows[vocabulary[piece]], expected, rtol=1e-5, err_msg=piece)


def test_a_checkpoint_as_it_is() -> None:
    start = checkpoint(tokenizer("mug"))
    network = adapted_network(start, start.tokenizer)
    assert network.geometry == start.geometry
    for name, value in network.state_dict().items():
        assert np.array_equal(value, start.state[name])
    with torch.no_grad():
        network.projection.weight.zero_()
    assert np.abs(start.state["projection.weight"]).max() > 0


def test_a_run_may_set_the_share_of_the_picture(tmp_path: Path) -> None:
    start = checkpoint(tokenizer("mug"))
    one_step = OptimiserConfig(steps=1)
    file = made.write_triplets(tmp_path, made.triplet("a", "in red", "b"))
    named = DataConfig(triplets=str(file))
    source = TripletSource(TrainConfig(name="made", data=named, optimiser=one_step))
    for share, kept in ((0.5, 0.5), (None, 0.0)):
        data = DataConfig(picture_share=share)
        config = TrainConfig(name="made", data=data, optimiser=one_step)
        network, _ = starting_point(config, start, source)
        assert network.geometry == replace(start.geometry, picture_share=kept)


def test_convolutions_read_pictures_of_another_size() -> None:
    start = checkpoint(tokenizer(), convolution=True)
    network = adapted_network(start, start.tokenizer, image_size=32)
    assert network.geometry.vision == replace(start.geometry.vision, image_size=32)
    assert network.geometry.vision.tokens == 16
    ids = torch.tensor([start.tokenizer("mug", 20)])
    assert network.eval()(torch.zeros(1, 3, 32, 32), ids, None).shape == (1, 16)
    for name, value in network.state_dict().items():
        assert np.array_equal(value, start.state[name])


@pytest.mark.parametrize("size", [64, 4])
def test_a_size_that_leaves_no_room_is_refused(size: int) -> None:
    """64 pixels are 64 image tokens, of 80 positions; 4 pixels are none."""
    start = checkpoint(tokenizer(), convolution=True)
    with pytest.raises(ConfigurationError, match=f"made cannot .* of {size} pixels"):
        adapted_network(start, start.tokenizer, image_size=size)


def test_patches_are_of_one_size() -> None:
    start = checkpoint(tokenizer())
    with pytest.raises(ConfigurationError, match="of 16 pixels only: remove image_size"):
        adapted_network(start, start.tokenizer, image_size=32)
    assert adapted_network(start, start.tokenizer, image_size=16).geometry == start.geometry


def test_a_new_network_is_of_its_geometry_and_seed() -> None:
    config = NetworkConfig(
        image_size=32, vision_widths=(8, 16), vision_depths=(1, 2),
        width=24, hidden=40, layers=1, heads=3, positions=90,
    )  # fmt: skip
    networks = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        networks.append(new_network(config, vocabulary=123))
    first, same, other = (network.state_dict() for network in networks)
    geometry = networks[0].geometry
    assert geometry.vision == ConvolutionConfig(32, (8, 16), (1, 2))
    assert (geometry.text.vocabulary, geometry.text.width, geometry.text.positions) == (123, 24, 90)
    assert first["embeddings.words.weight"].std() == pytest.approx(0.02, rel=0.1)
    assert all(torch.equal(value, same[name]) for name, value in first.items())
    assert not torch.equal(first["projection.weight"], other["projection.weight"])


def test_added_blocks_change_nothing_at_first() -> None:
    start = checkpoint(tokenizer("mug"), convolution=True)
    shown = [Grouped([torch.rand(8, 3, 16, 16) * 255], [n // 2 for n in range(8)])]
    start = with_instance(start, shown, InstanceConfig(1, 8, 0.7))
    depths = tuple(depth + number for number, depth in enumerate(start.geometry.vision.depths))
    deeper = deepened(start, depths)
    assert isinstance(deeper.geometry.vision, ConvolutionConfig)
    assert deeper.geometry.vision.depths == depths != start.geometry.vision.depths
    before = adapted_network(start, start.tokenizer).eval()
    after = adapted_network(deeper, start.tokenizer).eval()
    assert len(list(after.parameters())) > len(list(before.parameters()))
    pixels, ids = torch.randn(3, 3, 16, 16), torch.tensor([start.tokenizer("mug", 20)] * 3)
    with torch.no_grad():
        torch.testing.assert_close(after(pixels, ids, None), before(pixels, ids, None))
    after(pixels, ids, None).sum().backward()
    moved = [name for name, value in after.named_parameters() if value.grad is not None]
    assert len(moved) == len(list(after.parameters())) - 2  # all but the instance part


@pytest.mark.parametrize("depths", [(1,), (0, 1), (1, 2, 3)])
def test_blocks_are_only_added(depths: tuple[int, ...]) -> None:
    start = checkpoint(tokenizer(), convolution=True)
    with pytest.raises(
        ConfigurationError, match=r"\[data\] vision_depths must be at least \[1, 1\]"
    ):
        deepened(start, depths)


def test_only_convolutions_are_deepened() -> None:
    with pytest.raises(ConfigurationError, match="remove vision_depths"):
        deepened(checkpoint(tokenizer()), (2, 2))


def test_frozen_stages_have_no_gradients() -> None:
    start = checkpoint(tokenizer("mug"), vision=made.MOBILE)
    network = adapted_network(start, start.tokenizer)
    freeze(network, 2)
    ids = torch.tensor([start.tokenizer("mug", 20)] * 3)
    network(torch.randn(3, 3, 16, 16), ids, None).sum().backward()
    still = {name for name, value in network.named_parameters() if value.grad is None}
    blocks = {name.rsplit(".", 2)[0] for name in still if name.startswith("vision.blocks.")}
    assert blocks == {"vision.blocks.0", "vision.blocks.1", "vision.blocks.2"}
    assert {name for name in still if ".blocks." not in name} == {
        "vision.stem.weight", "vision.stem.bias",
    }  # fmt: skip


@pytest.mark.parametrize(("vision", "stages", "most"), [(made.MOBILE, 4, 3), (made.EVA, 1, 0)])
def test_only_stages_that_there_are_can_be_frozen(
    vision: VisionConfig, stages: int, most: int
) -> None:
    start = checkpoint(tokenizer(), vision=vision)
    with pytest.raises(ConfigurationError, match=f"at most {most} for this encoder, was: {stages}"):
        freeze(adapted_network(start, start.tokenizer), stages)
