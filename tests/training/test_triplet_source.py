"""Which triplets a step has, their pictures, and which picture answers which query."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ocelot.errors import ConfigurationError
from ocelot.model.visualized_bge import normalise
from ocelot.training.config import DataConfig
from ocelot.training.distributed import ProcessGroup
from ocelot.training.loss import accepts
from ocelot.training.source import PictureReader, TripletSource, arrange, sample
from ocelot.training.triplets import Triplet, TripletFile, read_triplet_file
from tests.training import made
from tests.training.made import SIZE, triplet, write_triplets

CPU = torch.device("cpu")


def chosen(reader: PictureReader, step: int, **place: int) -> list[Triplet]:
    """Two triplets of a step."""
    return sample(reader, 2, step=step, **({"seed": 1, "rank": 0, "size": 1} | place))


@pytest.fixture
def seven(tmp_path: Path) -> TripletFile:
    return read_triplet_file(
        write_triplets(tmp_path, *(triplet("h", "x", name) for name in "abcdefg"))
    )


@pytest.fixture
def reader(seven: TripletFile) -> PictureReader:
    return PictureReader(seven, SIZE)


def test_each_epoch_takes_every_triplet_in_another_order(
    seven: TripletFile, reader: PictureReader
) -> None:
    def targets(**place: int) -> list[int]:
        return [one.target for step in range(7) for one in chosen(reader, step, **place)]

    first, second = targets()[:7], targets()[7:]
    assert sorted(first) == sorted(second) == sorted(one.target for one in seven.triplets)
    assert first != second
    assert targets() != targets(seed=2)


def test_processes_take_different_triplets(seven: TripletFile, reader: PictureReader) -> None:
    targets = [one.target for rank in range(3) for one in chosen(reader, 0, rank=rank, size=3)]
    assert len(set(targets)) == len(targets) == 6


def test_a_step_depends_on_its_place_alone(seven: TripletFile, reader: PictureReader) -> None:
    once = [chosen(reader, step) for step in range(5)]
    resumed = PictureReader(seven, SIZE)
    assert [chosen(resumed, step) for step in (4, 3)] == [once[4], once[3]]


def test_a_broken_picture_is_reported_once_and_replaced(
    seven: TripletFile, reader: PictureReader, caplog: pytest.LogCaptureFixture
) -> None:
    broken = seven.pictures[seven.triplets[2].target]
    broken.write_bytes(broken.read_bytes()[:30])
    with caplog.at_level(logging.WARNING):
        steps = [chosen(reader, step) for step in range(7)]
    assert seven.triplets[2] not in [one for triplets in steps for one in triplets]
    assert [len(triplets) for triplets in steps] == [2] * 7
    assert [str(broken) in record.getMessage() for record in caplog.records] == [True]
    fresh = PictureReader(seven, SIZE)
    assert [chosen(fresh, step) for step in reversed(range(7))] == steps[::-1]
    assert len(list(reader.usable(seven.triplets))) == 6


def test_nothing_but_broken_pictures(seven: TripletFile, reader: PictureReader) -> None:
    (seven.path.parent / "h.png").write_bytes(b"broken")  # the reference of all
    for call in (lambda: chosen(reader, 0), lambda: list(reader.usable(seven.triplets))):
        with pytest.raises(ConfigurationError, match=r"triplets\.jsonl has a picture that cannot"):
            call()


def test_more_pictures_than_memory_holds(
    seven: TripletFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocelot.training.source._CACHE_BYTES", 3 * SIZE * SIZE * 2)
    reader = PictureReader(seven, SIZE)
    for _ in range(2):
        found = reader.read(range(8))
        for number, path in enumerate(seven.pictures):
            assert (found[number] == "abcdefgh".index(path.stem) * 20).all()


def test_which_picture_answers_which_query(tmp_path: Path) -> None:
    file = read_triplet_file(
        write_triplets(
            tmp_path,
            triplet("a", "in blue", "b", "e"),
            triplet("c", "in blue", "b"),
            triplet("b", "in red", "d"),
            triplet("f", None, "f"),
            triplet(None, "a mug", "a"),
        )
    )
    pictures, queries = arrange(file.triplets)
    shown = [file.pictures[number].stem for number in pictures]
    # Every file once, but for the second view of f.
    assert sorted(shown) == list("abcdeff")
    wanted = torch.tensor([query.wanted for query in queries])
    fits = accepts(wanted, torch.tensor(pictures)[:, None])
    answers = [{shown[n] for n in row.nonzero().flatten().tolist()} for row in fits]
    assert answers == [{"b"}, {"b"}, {"d"}, {"f"}, {"a"}]
    assert [shown[query.target] for query in queries] == ["b", "b", "d", "f", "a"]
    references = [None if q.reference is None else shown[q.reference] for q in queries]
    assert references == ["a", "c", "b", "f", None]
    assert queries[3].reference != queries[3].target


def source(file: Path, **data: Any) -> TripletSource:
    config = made.config()
    options = DataConfig(triplets=str(file), batch_size=1, **data)
    opened = TripletSource(config.model_copy(update={"data": options}))
    opened.open(SIZE, made.tokenizer(), ProcessGroup(0, 1, CPU))
    return opened


def test_pictures_are_shown_as_they_are_at_strength_0(tmp_path: Path) -> None:
    file = write_triplets(tmp_path, triplet("a", "x", "b"))
    noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "b.png")
    still = source(file, augmentation=0.0).batch(0, 0)
    target = int(still.targets[0])
    expected = normalise(torch.from_numpy(noise).permute(2, 0, 1)[None])[0]
    torch.testing.assert_close(still.pixels[target], expected, atol=0.001, rtol=0)
    moving = source(file, augmentation=1.0)
    first, same, other = (moving.batch(step, 0).pixels for step in (1, 1, 2))
    assert torch.equal(first, same) and not torch.equal(first, other)
    assert (first[target] - expected).abs().mean() > 0.01


def test_held_out_pictures_are_those_of_the_validation_file(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    training = write_triplets(tmp_path, triplet("a", "x", "b"))
    validation = write_triplets(tmp_path / "other", triplet("a", "x", "b"), triplet("c", "y", "d"))
    assert source(training).held_out() == {}
    searches = source(training, validation=str(validation)).held_out()
    assert [len(search.ids) for search in searches.values()] == [2]


def test_a_configuration_without_triplets_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="triplets"):
        TripletSource(made.config())
