"""What is asked of a catalogue, and which pictures answer."""

from __future__ import annotations

import pytest
import torch

from ocelot.adapting.measure import Answer, compare, triplets
from ocelot.adapting.questions import Asker, held_out_questions
from ocelot.adapting.source import CatalogueSource
from ocelot.adapting.understand import understand
from ocelot.evaluation import TripletQuery
from ocelot.training.batch import Batch
from ocelot.training.distributed import ProcessGroup
from ocelot.training.loss import accepts
from ocelot.training.vocabulary import build_tokenizer
from tests.adapting.made import write_shop


@pytest.fixture(scope="module")
def asker(tmp_path_factory: pytest.TempPathFactory) -> Asker:
    folder = tmp_path_factory.mktemp("made") / "shop"
    write_shop(folder)
    return Asker(understand(folder))


@pytest.fixture(scope="module")
def asked(asker: Asker) -> list[TripletQuery]:
    rows = asker.catalogue.rows
    return triplets(asker, rows, held_out_questions(asker, rows, 10_000))


def of_task(asked: list[TripletQuery], task: str) -> list[TripletQuery]:
    return [query for query in asked if query.task == task]


def test_every_colour_of_a_design_is_asked_for_from_every_other(asked: list[TripletQuery]) -> None:
    changes = of_task(asked, "same item in another colour")
    assert len(changes) == 3 * 14 * 4 * 3
    (one,) = (
        query
        for query in changes
        if query.reference == "bags-kilo-red.png" and query.text == "same item in blue"
    )
    assert one.targets == ("bags-kilo-blue.png",)


def test_words_ask_for_all_that_they_name(asked: list[TripletQuery]) -> None:
    assert len(of_task(asked, "name of a kind")) == 0  # three kinds are too few to measure
    (one,) = (query for query in of_task(asked, "colour and kind") if query.text == "red lamps")
    assert len(one.targets) == 14 and one.reference is None
    assert all(name.startswith("lamps-") and "-red" in name for name in one.targets)
    titles = {query.text: query.targets for query in of_task(asked, "first words of a title")}
    assert titles["kilo red bags"] == ("bags-kilo-red.png",) and len(titles) == 168


def test_another_kind_keeps_the_colour(asked: list[TripletQuery]) -> None:
    kept = of_task(asked, "another kind in the same colour")
    assert len(kept) == 24
    for query in kept:
        assert query.reference and query.text and query.text.endswith("in this colour")
        colour = query.reference.rpartition("-")[2]
        assert len(query.targets) == 14 and all(name.endswith(colour) for name in query.targets)
        assert not query.targets[0].startswith(query.reference.partition("-")[0])


def test_batches_ask_in_many_phrasings_and_know_the_answers(asker: Asker) -> None:
    source = CatalogueSource(asker.catalogue, asker, 24, seed=1)
    tokenizer = build_tokenizer(source.texts(), 700)
    source.open(16, tokenizer, ProcessGroup(0, 1, torch.device("cpu")))
    batches = [source.batch(step, 0) for step in range(4)]
    texts: set[str] = set()
    for batch in batches:
        assert batch.pixels.shape == (24, 3, 16, 16)
        right = accepts(batch.wanted, batch.labels)
        assert right[torch.arange(len(right)), batch.targets].all()  # a target answers its query
        shown = batch.references >= 0
        assert 0.3 < shown.float().mean() < 0.7
        own = right[shown].gather(1, batch.references[shown, None])
        assert not own.any()  # and a reference never does: there is something to change
        texts |= {tokenizer.tokenizer.decode(ids) for ids in batch.ids.tolist()}
    assert len(texts) > 60

    def same(one: Batch, other: Batch) -> bool:
        return all(torch.equal(value, getattr(other, name)) for name, value in vars(one).items())

    assert same(source.batch(2, 0), batches[2]) and not same(batches[1], batches[2])
    (watched,) = source.held_out().values()
    assert len(watched.pixels) == len(asker.catalogue.part("watch"))


def test_figures_are_means_of_tasks_with_paired_intervals(asker: Asker) -> None:
    questions = held_out_questions(asker, asker.catalogue.rows, 40)
    colours = [one.task == "same item in another colour" for one in questions]
    before = [Answer(0.25, ()) for _ in questions]
    after = [Answer(0.75 if colour else 0.25, ()) for colour in colours]
    *tasks, mean = compare(questions, before, after)
    assert [(one.gain, one.gain_interval) for one in tasks if "item" in one.task] == [
        (0.5, (0.5, 0.5))
    ]
    assert mean.gain == pytest.approx(0.5 / len(tasks)) and mean.questions == len(questions)
    assert (mean.before, mean.before_interval) == (0.25, (0.25, 0.25))
