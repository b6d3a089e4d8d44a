"""Drafts of each maker, over photographs that need no pixels."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ocelot.catalogue.vocabulary import COLOURS
from ocelot.errors import ConfigurationError
from ocelot.training.config import GroupsConfig
from ocelot.training.drawings import draw_batch
from ocelot.training.loss import accepts
from ocelot.training.makers import MAKERS, add_triplets, draw_draft, lacks
from ocelot.training.triplets import ANY, NONE, OPEN, Draft, Query, Shot, Source, Traits
from tests.training import made

SHARES = {"recolourings": 6, "views": 7, "prints": 6, "drawings": 12, "words": 20}
SOURCE = made.source()
SEEDS = range(12)


def draft(seed: int, source: Source = SOURCE, **shares: int) -> Draft:
    return draw_draft(random.Random(seed), source, shares or SHARES)


def fits(wanted: Traits, shown: Traits) -> bool:
    """What `accepts` says of one pair, in plain Python."""
    pairs = zip(wanted, shown, strict=True)
    return all(a in (b, ANY) or b == ANY for a, b in pairs)


def number_of(shot: Shot) -> int:
    assert isinstance(shot.subject, int)
    return shot.subject


TRAITS = st.builds(Traits, *[st.integers(NONE, 2)] * len(Traits._fields))


@settings(deadline=None)
@given(
    wanted=st.lists(TRAITS, min_size=1, max_size=5), shown=st.lists(TRAITS, min_size=1, max_size=5)
)
def test_accepts_is_equality_with_two_jokers(wanted: list[Traits], shown: list[Traits]) -> None:
    expected = [[fits(one, other) for other in shown] for one in wanted]
    assert accepts(torch.tensor(wanted), torch.tensor(shown)).tolist() == expected


def test_open_asks_for_nothing_and_a_bare_picture_fits_nothing_that_is_asked() -> None:
    assert fits(OPEN, Traits()) and fits(OPEN, Traits(item=3, colour=2))
    for name in Traits._fields:
        assert not fits(OPEN._replace(**{name: 0}), Traits())


def test_a_draft_depends_on_its_seed_alone() -> None:
    one, same, other = draft(1), draft(1), draft(2)
    assert one.shots == same.shots and one.queries == same.queries
    assert one.queries != other.queries


@pytest.mark.parametrize("maker", [*MAKERS, "all"])
def test_every_target_fits_its_query(maker: str) -> None:
    asked = 0
    for seed in SEEDS:
        shares = SHARES if maker == "all" else {"views": 4, maker: 8}
        made_up = draft(seed, **shares)
        for query in made_up.queries:
            assert query.text is not None or query.reference is not None
            assert fits(query.wanted, made_up.shots[query.target].traits)
            asked += 1
    assert asked >= 8 * len(SEEDS)


def test_recolourings_ask_for_the_same_garment_in_another_colour() -> None:
    shades = 0
    for seed in SEEDS:
        made_up = draft(seed, recolourings=6)
        for query in made_up.queries:
            assert query.reference is not None and query.text
            seen, meant = (made_up.shots[place] for place in (query.reference, query.target))
            assert seen.subject == meant.subject and seen != meant
            assert query.wanted.item == seen.traits.item == meant.traits.item >= 1000
            assert query.wanted.colour == meant.traits.colour >= 0
            if seen.traits.colour != ANY:  # a photograph without a clear colour
                assert seen.traits.colour != meant.traits.colour
                assert not fits(query.wanted, seen.traits)
            shades += query.wanted.shade != ANY
    assert shades > 10


def test_recolourings_have_three_colours_of_each_garment() -> None:
    made_up = draft(3, recolourings=8)
    colours: dict[int, list[int]] = {}
    for shot in made_up.shots:
        photograph = SOURCE.photographs[number_of(shot)]
        assert photograph.article
        colours.setdefault(number_of(shot), []).append(shot.traits.colour)
        if shot.colour is None:
            family = photograph.colour
            expected = ANY if family is None else list(COLOURS).index(family)
            assert shot.traits.colour == expected and shot.traits.shade == ANY
        else:
            assert shot.traits.shade >= 0
    assert len(colours) == 8
    assert all(len(of) == len(set(of)) == 3 for of in colours.values())


def test_a_garment_without_a_clear_colour_is_no_target_as_it_is() -> None:
    unclear = Source([made.photograph(n, "hat") for n in range(4)])
    made_up = draft(0, unclear, recolourings=4)
    assert any(shot.colour is None for shot in made_up.shots)
    assert all(made_up.shots[query.target].colour is not None for query in made_up.queries)


def test_several_garments_of_a_kind_come_together() -> None:
    drawn = draft(5, recolourings=8).shots[::3]
    kinds = [SOURCE.photographs[number_of(shot)].kind for shot in drawn]
    assert sum(one == other for one, other in itertools.pairwise(kinds)) >= 5


def test_views_show_one_photograph_twice() -> None:
    made_up = draft(4, views=8)
    articles = 0
    for query in made_up.queries:
        assert query.reference is not None and query.text is None
        seen, meant = (made_up.shots[place] for place in (query.reference, query.target))
        assert seen.subject == meant.subject and query.reference != query.target
        assert seen.traits.item == query.wanted.item
        assert seen.traits.colour == meant.traits.colour
        articles += SOURCE.photographs[number_of(meant)].article
    assert len(made_up.queries) == 8 and articles == 4


def test_views_of_what_there_is() -> None:
    garments = Source(SOURCE.photographs[:6])
    assert len(draft(0, garments, views=5).queries) == 5
    fruit = Source(SOURCE.photographs[16:])
    assert len(draft(0, fruit, views=5).queries) == 5


def test_prints_ask_for_a_kind_with_a_picture_on_it() -> None:
    sources, references = Counter[str](), Counter[str]()
    for seed in SEEDS:
        made_up = draft(seed, prints=6)
        assert len(made_up.shots) == 18 and len(made_up.queries) == 12
        for query in made_up.queries:
            assert query.reference is not None and query.text
            seen, meant = (made_up.shots[place] for place in (query.reference, query.target))
            assert meant.printed is not None
            theme = seen.subject if seen.printed is None else seen.printed
            assert theme == meant.printed
            assert query.wanted.printed == meant.traits.printed == 1000 + meant.printed
            assert query.wanted.kind == meant.traits.kind
            assert not fits(query.wanted, seen.traits)
            sources[meant.source] += 1
            references["theme" if seen.printed is None else "product"] += 1
    assert sources["stencil"] > sources["photograph"] > 0
    assert references["theme"] > references["product"] > 0


def test_four_prints_come_on_the_same_two_kinds() -> None:
    made_up = draft(6, prints=8)
    kinds = [query.wanted.kind for query in made_up.queries]
    for first in (0, 8):
        assert kinds[first : first + 2] * 4 == kinds[first : first + 8]
        assert kinds[first] != kinds[first + 1]


def test_drawings_are_the_triplets_of_the_catalogue() -> None:
    triplets = draw_batch(random.Random(7), 30)
    made_up = draft(3, views=2)
    first = len(made_up.queries)
    add_triplets(made_up, triplets)
    queries = made_up.queries[first:]
    for triplet, query in zip(triplets, queries, strict=True):
        assert made_up.shots[query.target].subject == triplet.target
        assert query.text == triplet.text
        seen = None if query.reference is None else made_up.shots[query.reference].subject
        assert seen == triplet.reference
        for shot in made_up.shots:  # the same answers as the catalogue's own
            if shot.source == "drawing":
                assert not isinstance(shot.subject, int)
                expected = triplet.wanted.accepts(shot.subject)
            else:
                expected = False
            assert fits(query.wanted, shot.traits) == expected


def test_words_come_last_and_speak_of_what_is_shown() -> None:
    assert list(MAKERS)[-1] == "words"
    drawn = [name for name in vars(GroupsConfig(views=1)) if name in MAKERS]
    assert drawn == list(MAKERS)
    asked = Counter[str]()
    for seed in SEEDS:
        made_up = draft(seed, words=20, recolourings=3, views=7, prints=3)
        queries = made_up.queries[-20:]
        assert len({query.target for query in queries}) == 20
        for query in queries:
            assert query.reference is None and query.text
            shot, wanted = made_up.shots[query.target], query.wanted
            assert wanted.kind == shot.traits.kind != ANY
            assert wanted.item == wanted.printed == wanted.shade == ANY
            asked[shot.source] += 1
            if shot.source == "stencil":
                assert wanted.sort == wanted.colour == ANY
                continue
            photograph = SOURCE.photographs[number_of(shot)]
            assert shot.printed is None and shot.setting != "close"
            if wanted.sort != ANY:
                asked["sort"] += 1
                assert photograph.sort != photograph.kind
            if wanted.colour != ANY:
                asked["colour"] += 1
                assert photograph.article and shot.traits.colour == wanted.colour
    assert min(asked[name] for name in ("photograph", "stencil", "sort", "colour")) > 10


def test_words_say_the_kind_as_people_write_it() -> None:
    carton = Source([made.photograph(0, "soy-milk", article=False)])
    for seed in range(40):
        asked = draft(seed, carton, views=1, words=1).queries[-1]
        assert asked.text is not None
        assert "soy-milk" not in asked.text


def test_a_kind_has_one_number_in_every_process() -> None:
    """Ranks of a team compare each other's pictures, and a resumed run its remembered ones."""
    code = (
        "import random, sys; sys.path.insert(0, '.')\n"
        "from ocelot.training.makers import draw_draft\n"
        "from tests.training.made import source\n"
        "draft = draw_draft(random.Random(2), source(), {'prints': 3, 'words': 4})\n"
        "print([list(shot.traits) for shot in draft.shots])\n"
    )
    root = Path(__file__).parents[2]
    for number in range(9, 0, -1):  # here in another order, which must not count
        draft(number, views=5)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    expected = [list(shot.traits) for shot in draft(2, prints=3, words=4).shots]
    assert done.stdout.strip() == str(expected), done.stderr


def test_groups_are_as_many_as_there_are_photographs() -> None:
    few = Source([made.photograph(n, kind, "red") for n, kind in enumerate(["hat", "dress"])])
    assert len(draft(0, few, recolourings=50).shots) == 6
    assert len(draft(0, few, views=50).queries) == 2
    assert len(draft(0, few, views=2, words=50).queries) == 2 + 4


@pytest.mark.parametrize(
    ("source", "maker", "message"),
    [
        (Source(), "recolourings", "photographs of one article that can be cut out"),
        (Source(SOURCE.photographs[16:]), "recolourings", "one article"),
        (Source(), "views", "views needs photographs"),
        (Source((), SOURCE.stencils), "prints", "prints needs photographs"),
        (Source(SOURCE.photographs, SOURCE.stencils[:2]), "prints", "products of two kinds"),
    ],
)
def test_what_a_maker_lacks_is_said(source: Source, maker: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        draft(0, source, **{maker: 3})
    assert lacks(source, maker) and not lacks(SOURCE, maker)


def test_shares_of_others_and_of_none_are_passed_over() -> None:
    assert draft(0, Source(), own=4, recolourings=0, prints=0).queries == []
    assert draft(3, views=2, own=4) == draft(3, views=2)


def test_a_source_sorts_its_photographs() -> None:
    assert SOURCE.articles == {
        "t-shirt": list(range(9)),
        "dress": list(range(9, 15)),
        "hat": [15],
    }
    assert SOURCE.whole == {"pear": [16, 17, 18, 19, 20], "soy-milk": [21, 22]}
    assert SOURCE.products == {"mug": [0, 1], "phone case": [2], "kettle": [3]}


def test_a_draft_numbers_its_pictures() -> None:
    plan = Draft()
    first, second = (plan.add(Shot("stencil", n, Traits())) for n in (5, 6))
    plan.ask(first, "text", second, OPEN)
    assert (first, second) == (0, 1)
    assert plan.queries == [Query(0, "text", 1, OPEN)]
