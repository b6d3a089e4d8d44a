"""Batches and their embeddings, against the network's own forward pass."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from ocelot.errors import ConfigurationError
from ocelot.model.geometry import InstanceConfig
from ocelot.model.tokenizer import TextTokenizer
from ocelot.model.visualized_bge import normalise
from ocelot.training.batch import WILDCARD, Batch, Query, collate, embed, embed_in_parts, parts
from ocelot.training.config import LONGEST_TEXT
from tests.training import made


@pytest.fixture(scope="module")
def words() -> TextTokenizer:
    return made.tokenizer()


def alone(batch: Batch, network: torch.nn.Module, number: int) -> torch.Tensor:
    """One query's embedding, from a forward pass of its own without padding."""
    ids = batch.ids[number, batch.mask[number]][None]
    reference = int(batch.references[number])
    pixels = batch.pixels[reference][None] if reference >= 0 else None
    embedding: torch.Tensor = network(pixels, ids, None)
    return embedding[0]


@pytest.mark.parametrize("convolution", [False, True])
def test_each_row_is_what_the_network_says_of_it_alone(
    words: TextTokenizer, convolution: bool
) -> None:
    network = made.network(words.tokenizer.get_vocab_size(), convolution=convolution).eval()
    batch = made.batch(words)
    kinds = {
        (int(r) >= 0, bool(m.sum() > 2)) for r, m in zip(batch.references, batch.mask, strict=True)
    }
    assert kinds == {(True, True), (True, False), (False, True)}
    with torch.inference_mode():
        queries, candidates = embed(network, batch)
        expected = [alone(batch, network, number) for number in range(len(batch.ids))]
        torch.testing.assert_close(queries, torch.stack(expected), atol=1e-5, rtol=0)
        shown = network(batch.pixels, batch.empty.expand(len(batch.pixels), -1), None)
        torch.testing.assert_close(candidates, shown, atol=1e-5, rtol=0)


def test_a_share_of_the_picture_is_added_where_words_come_with_it(words: TextTokenizer) -> None:
    network = made.network(words.tokenizer.get_vocab_size()).eval()
    batch = made.batch(words)
    has_image = batch.references >= 0
    both = has_image & (batch.mask.sum(dim=1) > 2)
    with torch.inference_mode():
        plain, pictures = embed(network, batch)
        network.geometry = replace(network.geometry, picture_share=0.7)
        queries, candidates = embed(network, batch)
    assert torch.equal(candidates, pictures)
    torch.testing.assert_close(queries[~both], plain[~both])
    mixed = plain[both] + 0.7 * pictures[batch.references[both]]
    torch.testing.assert_close(queries[both], mixed / mixed.norm(dim=1, keepdim=True))


def test_words_say_how_much_of_it_is_added(words: TextTokenizer) -> None:
    network = made.network(words.tokenizer.get_vocab_size()).eval()
    batch = made.batch(words)
    both = (batch.references >= 0) & (batch.mask.sum(dim=1) > 2)
    logits = torch.randn(words.tokenizer.get_vocab_size())
    logits[list(words.empty)] = 0
    with torch.inference_mode():
        plain, pictures = embed(network, batch)
        network.register_buffer("share_logits", logits)
        network.geometry = replace(network.geometry, picture_share=0.7, share_by_words=True)
        queries, _ = embed(network, batch)
    parts = [
        float(logits[ids[mask][1:-1]].mean().sigmoid())
        for ids, mask in zip(batch.ids[both], batch.mask[both], strict=True)
    ]
    assert max(parts) - min(parts) > 0.1
    mixed = plain[both] + 0.7 * torch.tensor(parts)[:, None] * pictures[batch.references[both]]
    torch.testing.assert_close(queries[both], mixed / mixed.norm(dim=1, keepdim=True))


def test_an_instance_part_is_not_trained(words: TextTokenizer) -> None:
    """Readings are, without a share of anything."""
    network = made.network(words.tokenizer.get_vocab_size(), vision=made.MOBILE).eval()
    batch = made.batch(words)
    with torch.inference_mode():
        plain = embed(network, batch)
        part = InstanceConfig(block=1, width=4, weight=0.7)
        network.geometry = replace(network.geometry, picture_share=0.7, instance=part)
        torch.testing.assert_close(embed(network, batch), plain)
        torch.testing.assert_close(embed_in_parts(network, batch, 2), plain)


def test_a_picture_without_words_is_embedded_once(words: TextTokenizer) -> None:
    network = made.network(words.tokenizer.get_vocab_size()).eval()
    batch = made.batch(words)
    with torch.inference_mode():
        queries, candidates = embed(network, batch)
    bare = (batch.references >= 0) & (batch.mask.sum(dim=1) == 2)
    assert bare.sum() >= 2
    assert torch.equal(queries[bare], candidates[batch.references[bare]])


@pytest.mark.parametrize("size", [1, 3, 4, 11, 50])
def test_parts_have_every_picture_and_query_once(words: TextTokenizer, size: int) -> None:
    batch = made.batch(words)
    pieces = list(parts(batch, size))
    pictures = [number for where, _ in pieces for number in range(11)[where]]
    assert pictures == list(range(11))
    assert max(len(range(11)[where]) for where, _ in pieces) <= size
    asked = torch.cat([of for _, of in pieces])
    assert asked.sort().values.tolist() == list(range(len(batch.ids)))
    for where, of in pieces:
        seen = batch.references[of]
        assert all(where.start <= number < where.stop for number in seen[seen >= 0].tolist())


@pytest.mark.parametrize("size", [1, 4, 11])
def test_parts_are_embedded_as_the_whole_is(words: TextTokenizer, size: int) -> None:
    network = made.network(words.tokenizer.get_vocab_size()).eval()
    batch = made.batch(words)
    with torch.inference_mode():
        whole_queries, whole_candidates = embed(network, batch)
        for pictures, asked in parts(batch, size):
            queries, candidates = embed(network, batch, pictures, asked)
            torch.testing.assert_close(queries, whole_queries[asked], atol=1e-5, rtol=0)
            torch.testing.assert_close(candidates, whole_candidates[pictures], atol=1e-5, rtol=0)
        gathered = embed_in_parts(network, batch, size)
    for rows, expected in zip(gathered, (whole_queries, whole_candidates), strict=True):
        torch.testing.assert_close(rows, expected, atol=1e-5, rtol=0)


def test_pictures_that_nobody_asks_with_still_get_gradients(words: TextTokenizer) -> None:
    network = made.network(words.tokenizer.get_vocab_size())
    batch = made.batch(words)
    nobody = torch.tensor([], dtype=torch.long)
    queries, candidates = embed(network, batch, slice(7, 11), nobody)
    assert queries.shape == (0, 16) and candidates.shape == (4, 16)
    torch.autograd.backward(
        [queries, candidates], [torch.zeros_like(queries), torch.ones_like(candidates)]
    )
    assert network.projection.weight.grad is not None
    assert network.projection.weight.grad.abs().max() > 0


def test_collate(words: TextTokenizer) -> None:
    pixels = 255 * torch.rand(2, 3, 4, 4)
    labels = [(1, 7), (2, WILDCARD)]
    queries = [
        Query(None, "shirt", 1, (2, 7)),
        Query(0, None, 0, (1, WILDCARD)),
        Query(1, "shirt " * 100, 0, (WILDCARD, WILDCARD)),
    ]
    batch = collate(pixels, labels, queries, words)
    assert torch.equal(batch.pixels, normalise(pixels))
    assert batch.labels.tolist() == [list(one) for one in labels]
    assert batch.references.tolist() == [-1, 0, 1]
    assert batch.targets.tolist() == [1, 0, 0]
    assert batch.wanted.tolist() == [list(query.wanted) for query in queries]
    assert batch.ids.shape == batch.mask.shape == (3, LONGEST_TEXT)
    assert batch.ids[0, batch.mask[0]].tolist() == list(words("shirt", LONGEST_TEXT))
    assert batch.ids[1, batch.mask[1]].tolist() == batch.empty.tolist() == list(words.empty)
    assert batch.ids[2, -1] == words.empty[1]  # cut, but closed


def test_a_batch_moves_to_another_device(words: TextTokenizer) -> None:
    moved = made.batch(words).to(torch.device("meta"))
    assert all(value.is_meta for value in vars(moved).values())


def test_a_batch_of_no_queries_is_refused(words: TextTokenizer) -> None:
    with pytest.raises(ConfigurationError, match="no queries"):
        collate(torch.zeros(1, 3, 4, 4), [(0,)], [], words)
