"""Plans of the samplers of tables, over listings that need no pixels."""

from __future__ import annotations

import random

import pytest

from ocelot.training.batch import Query
from recipes.ocelot_tiny.batch_plan import ANY, BatchPlan, PictureSpec, Subjects, Traits
from recipes.ocelot_tiny.listings import Listing, family_of, read_listings
from recipes.ocelot_tiny.pictures import listing_of, number_in_pool
from recipes.ocelot_tiny.samplers import sample_plan
from recipes.ocelot_tiny.tests import made

SEEDS = range(20)


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> Subjects:
    listings = [
        one
        for folder in made.tables(tmp_path_factory.mktemp("tables"))
        for one in read_listings(folder)
    ]
    return Subjects(
        [
            made.photograph(
                number, one.kind, family_of(one.colour), sort=one.sort, listing=one,
                article=not one.surface,
            )
            for number, one in enumerate(listings)
        ],
        [("mug", 0), ("phone case", 0)],
    )  # fmt: skip


def plans(subjects: Subjects, **groups: int) -> list[BatchPlan]:
    return [sample_plan(random.Random(seed), subjects, groups) for seed in SEEDS]


def shown(subjects: Subjects, plan: BatchPlan, number: int) -> Listing:
    return listing_of(subjects, number_in_pool(plan.pictures[number]))


def answers(plan: BatchPlan, query: Query) -> list[int]:
    """The pictures that answer a query, in plain Python."""

    def fits(spec: PictureSpec) -> bool:
        pairs = zip(query.wanted, spec.traits, strict=True)
        return all(a in (b, ANY) or b == ANY for a, b in pairs)

    return [number for number, spec in enumerate(plan.pictures) if fits(spec)]


def test_designs_ask_for_the_same_design_in_another_colour(subjects: Subjects) -> None:
    for plan in plans(subjects, designs=2):
        assert len(plan.queries) == 6
        for query in plan.queries:
            assert query.reference is not None and query.text is not None
            before, after = (shown(subjects, plan, n) for n in (query.reference, query.target))
            assert before.item == after.item and before.colour != after.colour
            assert after.colour in query.text.lower()
            assert answers(plan, query) == [query.target]


def test_matches_keep_the_colour_and_change_the_kind(subjects: Subjects) -> None:
    for plan in plans(subjects, matches=6):
        for query in plan.queries:
            assert query.reference is not None
            before, after = (shown(subjects, plan, n) for n in (query.reference, query.target))
            assert before.kind != after.kind
            assert family_of(before.colour) == family_of(after.colour)
            assert query.target in answers(plan, query)
            for number in answers(plan, query):
                assert shown(subjects, plan, number).kind == after.kind
    assert any(plan.queries for plan in plans(subjects, matches=6))


def test_themes_lead_to_cases_that_were_really_printed(subjects: Subjects) -> None:
    for plan in plans(subjects, themes=4):
        for query in plan.queries:
            assert query.reference is not None
            case = shown(subjects, plan, query.target)
            assert case.kind == "phone case"
            reference = plan.pictures[query.reference]
            theme = shown(subjects, plan, query.reference)
            if reference.setting == "inside":
                assert theme == case
            else:
                assert theme.title == "panda" or theme.title == case.title
            assert query.target in answers(plan, query)


def test_titles_describe_what_the_table_says(subjects: Subjects) -> None:
    asked = set()
    for plan in plans(subjects, listed=8, titles=8):
        for query in plan.queries:
            assert query.reference is None and query.text
            listing = shown(subjects, plan, query.target)
            asked.add((query.text, listing.title))
            wanted = Traits(*query.wanted)
            assert wanted.item != ANY or wanted.kind != ANY
            for number in answers(plan, query):
                other = shown(subjects, plan, number)
                assert other.item == listing.item or other.kind == listing.kind
            if wanted.shade != ANY:
                assert {shown(subjects, plan, n).colour for n in answers(plan, query)} == {
                    listing.colour
                }
    titles = [text for text, title in asked if text == title]
    assert titles and len(asked) > 2 * len(titles)


def test_prints_go_onto_real_products(subjects: Subjects) -> None:
    made_of = set()
    for plan in plans(subjects, prints=4):
        for query in plan.queries:
            spec = plan.pictures[query.target]
            assert spec.printed is not None
            made_of.add((spec.source, spec.tiled))
            assert query.target in answers(plan, query)
        for spec in plan.pictures:
            if spec.tiled:
                assert spec.printed is not None and subjects.photographs[spec.printed].article
    assert made_of >= {("photograph", True), ("photograph", False), ("stencil", True)}
