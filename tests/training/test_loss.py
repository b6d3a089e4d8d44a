from __future__ import annotations

import math

import pytest
import torch

from ocelot.training.loss import contrastive_loss

SCALE = torch.tensor(2.0)


def no_pairs(n: int, m: int) -> torch.Tensor:
    return torch.zeros(n, m, dtype=torch.bool)


def test_worked_example() -> None:
    """Two orthogonal pairs: each row is (2, 0), so the loss is log(1 + e^-2)."""
    queries = torch.eye(2)
    loss, accuracy = contrastive_loss(queries, torch.eye(2), no_pairs(2, 2), SCALE)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-5)
    assert accuracy.item() == 1.0


def test_a_further_candidate_counts_only_against_queries() -> None:
    """The first query's row is (2, 0, 2): log(2 + e^-2); the second (0, 2, 0): log(1 + 2e^-2)."""
    candidates = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    loss, _ = contrastive_loss(torch.eye(2), candidates, no_pairs(2, 3), SCALE)
    rows = (math.log(2 + math.exp(-2)) + math.log(1 + 2 * math.exp(-2))) / 2
    columns = math.log(1 + math.exp(-2))
    assert loss.item() == pytest.approx((rows + columns) / 2, rel=1e-5)


def test_pairs_that_fit_do_not_count_as_negatives() -> None:
    candidates = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    ignore = no_pairs(2, 3)
    ignore[0, 2] = ignore[0, 0] = True  # the diagonal is never left out
    loss, accuracy = contrastive_loss(torch.eye(2), candidates, ignore, SCALE)
    rows = (math.log(1 + math.exp(-2)) + math.log(1 + 2 * math.exp(-2))) / 2
    columns = math.log(1 + math.exp(-2))
    assert loss.item() == pytest.approx((rows + columns) / 2, rel=1e-5)
    assert accuracy.item() == 1.0


def test_gradients_pull_the_pair_together() -> None:
    queries = torch.nn.functional.normalize(torch.randn(4, 8, generator=rng()), dim=1)
    queries.requires_grad_()
    candidates = torch.nn.functional.normalize(torch.randn(4, 8, generator=rng(1)), dim=1)
    loss, _ = contrastive_loss(queries, candidates, no_pairs(4, 4), SCALE)
    loss.backward()
    nearer = queries.detach() - 0.5 * queries.grad
    before = (queries.detach() * candidates).sum(1)
    assert ((nearer * candidates).sum(1) > before).all()


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
