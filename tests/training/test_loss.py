"""The loss against hand-worked numbers and a slow oracle in plain numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ocelot.training.batch import WILDCARD
from ocelot.training.loss import accepts, contrastive_loss

SCALE = torch.tensor(2.0)
THREE = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])


def no_pairs(n: int, m: int) -> Tensor:
    return torch.zeros(n, m, dtype=torch.bool)


def numbers(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def unit(rows: int, seed: int) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(rows, 8, generator=numbers(seed)), dim=1)


def oracle(
    queries: Tensor, candidates: Tensor, targets: Tensor, ignore: Tensor, scale: float
) -> tuple[float, float]:
    """Loss and accuracy, one query and one candidate after the other."""
    scores = scale * queries.double().numpy() @ candidates.double().numpy().T
    there, back, hits = [], [], []
    for query, target in enumerate(targets.tolist()):
        counted = [
            candidate
            for candidate in range(len(candidates))
            if candidate == target or not ignore[query, candidate]
        ]
        sum_there = sum(math.exp(scores[query, candidate]) for candidate in counted)
        there.append(math.log(sum_there) - scores[query, target])
        hits.append(max(counted, key=lambda candidate: scores[query, candidate]) == target)
        askers = [
            other
            for other, meant in enumerate(targets.tolist())
            if other == query or (meant != target and not ignore[other, target])
        ]
        sum_back = sum(math.exp(scores[other, target]) for other in askers)
        back.append(math.log(sum_back) - scores[query, target])
    return float(np.mean(there) + np.mean(back)) / 2, float(np.mean(hits))


@pytest.mark.parametrize("seed", range(10))
def test_slow_oracle(seed: int) -> None:
    """Seven queries, several with one target; eight pictures, and four remembered ones."""
    candidates, queries = unit(12, seed), unit(7, seed + 100)
    targets = torch.randint(0, 5, (7,), generator=numbers(seed))
    assert len(set(targets.tolist())) < 7
    ignore = torch.rand(7, 12, generator=numbers(seed + 1)) < 0.25
    loss, accuracy = contrastive_loss(queries, candidates, targets, ignore, torch.tensor(5.0))
    expected = oracle(queries, candidates, targets, ignore, 5.0)
    assert loss.item() == pytest.approx(expected[0], rel=1e-5)
    assert accuracy.item() == pytest.approx(expected[1])


def test_worked_example() -> None:
    """Two orthogonal pairs: each row is (2, 0), so the loss is log(1 + e^-2)."""
    eye = torch.eye(2)
    loss, accuracy = contrastive_loss(eye, eye, torch.arange(2), no_pairs(2, 2), SCALE)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-5)
    assert accuracy.item() == 1.0


def test_a_further_candidate_counts_only_against_queries() -> None:
    """The first query's row is (2, 0, 2): log(2 + e^-2); the second (0, 2, 0): log(1 + 2e^-2)."""
    loss, _ = contrastive_loss(torch.eye(2), THREE, torch.arange(2), no_pairs(2, 3), SCALE)
    rows = (math.log(2 + math.exp(-2)) + math.log(1 + 2 * math.exp(-2))) / 2
    columns = math.log(1 + math.exp(-2))
    assert loss.item() == pytest.approx((rows + columns) / 2, rel=1e-5)


def test_pairs_that_fit_do_not_count_as_negatives() -> None:
    ignore = no_pairs(2, 3)
    ignore[0, 2] = ignore[0, 0] = True  # the drawn pair is never left out
    loss, accuracy = contrastive_loss(torch.eye(2), THREE, torch.arange(2), ignore, SCALE)
    rows = (math.log(1 + math.exp(-2)) + math.log(1 + 2 * math.exp(-2))) / 2
    columns = math.log(1 + math.exp(-2))
    assert loss.item() == pytest.approx((rows + columns) / 2, rel=1e-5)
    assert accuracy.item() == 1.0


def test_queries_with_one_target_do_not_hurt_each_other() -> None:
    """Both rows are (2, 0): log(1 + e^-2); the way back has one term, itself: 0."""
    queries = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    loss, _ = contrastive_loss(
        queries, torch.eye(2), torch.zeros(2, dtype=torch.long), no_pairs(2, 2), SCALE
    )
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)) / 2, rel=1e-5)


def test_ignored_pairs_get_no_gradient() -> None:
    queries, candidates = unit(3, 1), unit(5, 2).requires_grad_()
    ignore = no_pairs(3, 5)
    ignore[:, 4] = True
    loss, _ = contrastive_loss(queries, candidates, torch.arange(3), ignore, SCALE)
    loss.backward()
    assert candidates.grad is not None
    assert candidates.grad.isfinite().all()
    assert candidates.grad[4].abs().max() == 0 < candidates.grad[3].abs().max()


def test_gradients_pull_the_pair_together() -> None:
    queries, candidates = unit(4, 3).requires_grad_(), unit(4, 4)
    loss, _ = contrastive_loss(queries, candidates, torch.arange(4), no_pairs(4, 4), SCALE)
    loss.backward()
    assert queries.grad is not None
    nearer = queries.detach() - 0.5 * queries.grad
    before = (queries.detach() * candidates).sum(1)
    assert ((nearer * candidates).sum(1) > before).all()


def test_a_picture_answers_with_equal_labels() -> None:
    wanted = torch.tensor([[1, 2], [1, WILDCARD], [WILDCARD, WILDCARD]])
    labels = torch.tensor([[1, 2], [1, 3], [WILDCARD, 2], [4, 4]])
    assert accepts(wanted, labels).tolist() == [
        [True, False, True, False],
        [True, True, True, False],
        [True, True, True, True],
    ]
