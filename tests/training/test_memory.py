from __future__ import annotations

import torch

from ocelot.training.memory import Memory
from ocelot.training.triplets import NONE, Traits

CPU = torch.device("cpu")
WIDTH = len(Traits._fields)


def rows(*numbers: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings and traits that tell their number."""
    ids = torch.tensor(numbers)
    return ids[:, None].float().expand(-1, 3), ids[:, None].expand(-1, WIDTH)


def known(memory: Memory) -> list[int]:
    embeddings, traits = memory.recall()
    assert embeddings.shape == (len(traits), 3)
    assert torch.equal(embeddings[:, 0].long(), traits[:, 0])
    return sorted(traits[:, -1].tolist())


def test_the_last_pictures_are_remembered() -> None:
    memory = Memory(5, 3, CPU)
    assert known(memory) == []
    memory.remember(*rows(1, 2, 3))
    assert known(memory) == [1, 2, 3]
    memory.remember(*rows(4, 5, 6))
    assert known(memory) == [2, 3, 4, 5, 6]
    memory.remember(*rows(7, 8, 9, 10))
    assert known(memory) == [6, 7, 8, 9, 10]


def test_of_more_than_it_holds_the_last_stay() -> None:
    memory = Memory(3, 3, CPU)
    memory.remember(*rows(1, 2, 3, 4, 5, 6, 7, 8))
    assert known(memory) == [6, 7, 8]
    memory.remember(*rows(9))
    assert known(memory) == [7, 8, 9]


def test_a_memory_of_nothing() -> None:
    memory = Memory(0, 3, CPU)
    memory.remember(*rows(1, 2))
    assert known(memory) == [] and memory.count == 0


def test_what_is_remembered_is_a_copy_without_gradients_in_full_precision() -> None:
    memory = Memory(4, 3, CPU)
    embeddings, traits = rows(1, 2)
    embeddings = embeddings.clone().bfloat16().requires_grad_()
    memory.remember(embeddings, traits)
    with torch.no_grad():
        embeddings.zero_()
    kept, _ = memory.recall()
    assert kept.dtype == torch.float32 and not kept.requires_grad
    assert kept[:, 0].tolist() == [1, 2]
    assert memory.traits[2:].eq(NONE).all()


def test_a_restored_memory_goes_on_where_it_was() -> None:
    memory, other = Memory(4, 3, CPU), Memory(4, 3, CPU)
    memory.remember(*rows(1, 2, 3, 4, 5, 6))
    other.load_state_dict(memory.state_dict())
    for one in (memory, other):
        one.remember(*rows(7))
    assert known(other) == known(memory) == [4, 5, 6, 7]
    assert torch.equal(other.embeddings, memory.embeddings)
