"""Plans of each sampler, over photographs that need no pixels."""

from __future__ import annotations

import random
import zlib
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ocelot.errors import ConfigurationError
from ocelot.training.loss import accepts
from recipes.ocelot_tiny.batch_plan import (
    ANY,
    NONE,
    BatchPlan,
    PictureSpec,
    Subjects,
    Traits,
)
from recipes.ocelot_tiny.config import GroupsConfig
from recipes.ocelot_tiny.drawings import sample_triplets
from recipes.ocelot_tiny.samplers import SAMPLERS, add_triplets, missing_for, sample_plan
from recipes.ocelot_tiny.tests import made

SHARES = {"recolourings": 6, "views": 7, "prints": 6, "drawings": 12, "words": 20}
SUBJECTS = made.subjects()
OF_PHOTOGRAPHS = tuple(SHARES)  # the others are in test_listing_samplers
SEEDS = range(8)


def plan(seed: int, subjects: Subjects = SUBJECTS, **shares: int) -> BatchPlan:
    return sample_plan(random.Random(seed), subjects, shares or SHARES)


def fits(wanted: Traits, shown: Traits) -> bool:
    """What `accepts` says of one pair, in plain Python."""
    pairs = zip(wanted, shown, strict=True)
    return all(a in (b, ANY) or b == ANY for a, b in pairs)


def number_of(spec: PictureSpec) -> int:
    assert isinstance(spec.subject, int)
    return spec.subject


TRAITS = st.builds(Traits, *[st.integers(NONE, 2)] * len(Traits._fields))


@settings(deadline=None)
@given(
    wanted=st.lists(TRAITS, min_size=1, max_size=5), shown=st.lists(TRAITS, min_size=1, max_size=5)
)
def test_accepts_is_equality_with_two_jokers(wanted: list[Traits], shown: list[Traits]) -> None:
    expected = [[fits(one, other) for other in shown] for one in wanted]
    assert accepts(torch.tensor(wanted), torch.tensor(shown)).tolist() == expected


def test_a_plan_depends_on_its_seed_alone() -> None:
    one, same, other = plan(1), plan(1), plan(2)
    assert one.pictures == same.pictures and one.queries == same.queries
    assert one.queries != other.queries


@pytest.mark.parametrize("sampler", [*OF_PHOTOGRAPHS, "all"])
def test_every_target_fits_its_query(sampler: str) -> None:
    asked = 0
    for seed in SEEDS:
        shares = SHARES if sampler == "all" else {"views": 4, sampler: 8}
        made_up = plan(seed, **shares)
        for query in made_up.queries:
            assert query.text is not None or query.reference is not None
            assert fits(query.wanted, made_up.pictures[query.target].traits)
            asked += 1
    assert asked >= 8 * len(SEEDS)


def test_recolourings_ask_for_the_same_garment_in_another_colour() -> None:
    shades = 0
    for seed in SEEDS:
        made_up = plan(seed, recolourings=6)
        for query in made_up.queries:
            assert query.reference is not None and query.text
            seen, meant = (made_up.pictures[place] for place in (query.reference, query.target))
            assert seen.subject == meant.subject and seen != meant
            assert query.wanted.item == seen.traits.item == meant.traits.item >= 1000
            assert query.wanted.colour == meant.traits.colour >= 0
            if seen.traits.colour != ANY:  # a photograph without a clear colour
                assert seen.traits.colour != meant.traits.colour
                assert not fits(query.wanted, seen.traits)
            shades += query.wanted.shade != ANY
    assert shades > 10


def test_a_garment_without_a_clear_colour_is_no_target_as_it_is() -> None:
    unclear = Subjects([made.photograph(n, "hat") for n in range(4)])
    made_up = plan(0, unclear, recolourings=4)
    assert any(spec.colour is None for spec in made_up.pictures)
    assert all(made_up.pictures[query.target].colour is not None for query in made_up.queries)


def test_views_show_one_photograph_twice() -> None:
    made_up = plan(4, views=8)
    articles = 0
    for query in made_up.queries:
        assert query.reference is not None and query.text is None
        seen, meant = (made_up.pictures[place] for place in (query.reference, query.target))
        assert seen.subject == meant.subject and query.reference != query.target
        assert seen.traits.item == query.wanted.item
        assert seen.traits.colour == meant.traits.colour
        articles += SUBJECTS.photographs[number_of(meant)].article
    assert len(made_up.queries) == 8 and articles == 4


def test_prints_ask_for_a_kind_with_a_picture_on_it() -> None:
    sources, references = Counter[str](), Counter[str]()
    for seed in SEEDS:
        made_up = plan(seed, prints=6)
        assert len(made_up.pictures) == 18 and len(made_up.queries) == 12
        for query in made_up.queries:
            assert query.reference is not None and query.text
            seen, meant = (made_up.pictures[place] for place in (query.reference, query.target))
            assert meant.printed is not None
            theme = seen.subject if seen.printed is None else seen.printed
            assert isinstance(theme, int)
            shown = [SUBJECTS.photographs[number].sort for number in (theme, meant.printed)]
            # The picture itself, or another one of the same sort of fruit.
            assert theme == meant.printed or (shown[0] == shown[1] and " " in shown[0])
            assert query.wanted.printed == meant.traits.printed == 1000 + meant.printed
            assert query.wanted.kind == meant.traits.kind
            assert not fits(query.wanted, seen.traits)
            sources[meant.source] += 1
            references["theme" if seen.printed is None else "product"] += 1
    assert sources["stencil"] > sources["photograph"] > 0
    assert references["theme"] > references["product"] > 0


def test_drawings_are_the_triplets_of_the_catalogue() -> None:
    triplets = sample_triplets(random.Random(7), 30)
    made_up = plan(3, views=2)
    first = len(made_up.queries)
    add_triplets(made_up, triplets)
    queries = made_up.queries[first:]
    for triplet, query in zip(triplets, queries, strict=True):
        assert made_up.pictures[query.target].subject == triplet.target
        assert query.text == triplet.text
        seen = None if query.reference is None else made_up.pictures[query.reference].subject
        assert seen == triplet.reference
        for spec in made_up.pictures:  # the same answers as the catalogue's own
            if spec.source == "drawing":
                assert not isinstance(spec.subject, int)
                expected = triplet.wanted.accepts(spec.subject)
            else:
                expected = False
            assert fits(query.wanted, spec.traits) == expected


def test_words_come_last_and_speak_of_what_is_shown() -> None:
    assert list(SAMPLERS)[-1] == "words"
    drawn = [name for name in vars(GroupsConfig(views=1)) if name in SAMPLERS]
    assert drawn == list(SAMPLERS)
    asked = Counter[str]()
    for seed in SEEDS:
        made_up = plan(seed, words=20, recolourings=3, views=7, prints=3)
        queries = made_up.queries[-20:]
        assert len({query.target for query in queries}) == 20
        for query in queries:
            assert query.reference is None and query.text
            spec, wanted = made_up.pictures[query.target], query.wanted
            assert wanted.kind == spec.traits.kind != ANY
            assert wanted.item == wanted.printed == wanted.shade == ANY
            asked[spec.source] += 1
            if spec.source == "stencil":
                assert wanted.sort == wanted.colour == ANY
                continue
            photograph = SUBJECTS.photographs[number_of(spec)]
            assert spec.printed is None and spec.setting != "close"
            if wanted.sort != ANY:
                asked["sort"] += 1
                assert photograph.sort != photograph.kind
            if wanted.colour != ANY:
                asked["colour"] += 1
                assert photograph.article and spec.traits.colour == wanted.colour
    assert min(asked[name] for name in ("photograph", "stencil", "sort", "colour")) > 10


def test_a_kind_has_one_number_in_every_process() -> None:
    """Processes compare each other's pictures, and a resumed run its remembered ones."""
    for spec in plan(2, recolourings=5).pictures:
        kind = SUBJECTS.photographs[number_of(spec)].kind
        assert spec.traits.kind == zlib.crc32(kind.encode())


def test_groups_are_as_many_as_there_are_photographs() -> None:
    few = Subjects([made.photograph(n, kind, "red") for n, kind in enumerate(["hat", "dress"])])
    assert len(plan(0, few, recolourings=50).pictures) == 6
    assert len(plan(0, few, views=50).queries) == 2
    assert len(plan(0, few, views=2, words=50).queries) == 2 + 4


@pytest.mark.parametrize(
    ("subjects", "sampler", "message"),
    [
        (Subjects(), "recolourings", "photographs of one article that can be cut out"),
        (Subjects(SUBJECTS.photographs[16:]), "recolourings", "one article"),
        (Subjects(), "views", "views needs photographs"),
        (Subjects((), SUBJECTS.stencils), "prints", "prints needs photographs"),
        (Subjects(SUBJECTS.photographs, SUBJECTS.stencils[:2]), "prints", "products of two kinds"),
    ],
)
def test_what_a_sampler_lacks_is_said(subjects: Subjects, sampler: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        plan(0, subjects, **{sampler: 3})
    assert missing_for(subjects, sampler) and not missing_for(SUBJECTS, sampler)
