from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocelot.collection import Facet
from ocelot.errors import InputError
from ocelot.images.file import ImageFile
from ocelot.web.page.question import MOST, Question

HASH = "ab" * 32
words = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=20)
ids = st.lists(words, max_size=4, unique=True).map(tuple)
numbers = st.none() | st.floats(-1e6, 1e6).map(lambda number: round(number, 4))


@given(
    st.builds(
        Question,
        text=st.just("") | words,
        like=ids,
        images=st.sampled_from([(), (HASH,), (HASH, "cd" * 32)]),
        without=st.just("") | words,
        unlike=ids,
        weight=st.integers(0, 100),
        where=st.lists(st.tuples(words, words), max_size=4, unique=True).map(tuple),
        ranges=st.dictionaries(words, st.tuples(numbers, numbers).filter(any), max_size=3).map(
            lambda ends: tuple(ends.items())
        ),
        filter=st.just("") | words,
        rank=st.sampled_from(["", "off", "fusion"]),
        limit=st.integers(1, MOST),
    )
)
def test_a_question_comes_back_from_its_link(question: Question) -> None:
    query = urlsplit(question.url()).query
    assert Question.of(parse_qsl(query, keep_blank_values=True)) == question


def test_the_plain_question_has_a_plain_link() -> None:
    assert Question().url() == "./"
    assert Question("a kettle").url() == "./?text=a+kettle"


def test_what_a_question_has_not_is_left_alone() -> None:
    read = Question.of([("text", " a\r\nb "), ("utm_source", "x"), ("weight", ""), ("where.", "y")])
    assert read == Question("a\nb")


def test_a_refinement_is_added_to_the_text() -> None:
    assert Question.of([("text", "a kettle"), ("more", "in blue")]).text == "a kettle, in blue"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("limit", "0", "whole number from 1 to 500"),
        ("limit", "many", "whole number"),
        ("weight", "101", "0 to 100"),
        ("from.price", "cheap", "price must be a number, was: 'cheap'"),
        ("to.price", "inf", "must be a number"),
        ("image", "../../etc/passwd", "uploaded picture"),
        ("text", "x" * 2001, "longer than 2,000"),
    ],
)
def test_what_cannot_be_read_is_told(name: str, value: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Question.of([(name, value)])


def test_too_many_pictures_are_told() -> None:
    with pytest.raises(InputError, match="at most 8 pictures, was: 9"):
        Question.of([("like", str(number)) for number in range(9)])


def test_the_slider_moves_the_weight_of_the_words() -> None:
    image = ImageFile(b"picture")
    weights = [Question("in blue", images=(HASH,), weight=at).query([image]).text_weight
               for at in (0, 50, 100)]  # fmt: skip
    assert weights == [0.1, 1.0, 10.0]
    assert Question("in blue", weight=100).query([]).text_weight == 1.0  # there is nothing to weigh


def test_a_query_has_all_parts() -> None:
    query = Question("a", like=("x",), without="b", unlike=("y",)).query([])
    assert query.text == "a" and query.items == ("x",)
    assert query.negative_text == "b" and query.unlike == ("y",)


def test_values_of_truth_are_told_from_text() -> None:
    question = Question(where=(("new", "true"), ("sold", "true")))
    facets = [Facet("new", "boolean", (True, False), 2, 9)]
    assert question.expression(facets) == 'new == true and sold == "true"'


def test_a_value_is_taken_and_put_back() -> None:
    question = Question("a", limit=33).toggled("colour", "red")
    assert question == Question("a", where=(("colour", "red"),))
    assert question.toggled("colour", "red") == Question("a")
