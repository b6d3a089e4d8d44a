from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocelot.rerankers.base import complete_order
from ocelot.rerankers.llm.reply import parse_reply

FULL = '{"ranking": [3, 1, 2], "reason": "Spots.", "match": true}'


@pytest.mark.parametrize(
    "text",
    [
        FULL,
        '{ "match" :true ,"reason":"Spots.",\n\n"ranking":\t[ 3,1 ,2 ] }',
        f"```json\n{FULL}\n```",
        f"Here is my answer:\n{FULL}\nI hope {{it}} helps [0].",
        f'<think>{{"ranking": [1, 2, 3], "reason": "no", "match": false}}</think>{FULL}',
        f"the template opened the thought, so it only ends: [2, 1] </think>\n{FULL}",
        f"{FULL}\n<think>was that right?",
        f'First: {{"ranking": [2, 3, 1], "reason": "x", "match": true}} No: {FULL}',
        f'{{"answer": {FULL}}}',
        f"[{FULL}]",
        f'{FULL} {{"ranking": [1',
        '{"ranking": ["3", "1", "2"], "reason": "Spots.", "match": "yes"}',
        '{"ranking": [3.0, 1.0, 2.0], "reason": "Spots.", "match": true}',
        '{"ranking": [[3], {"index": 1}, "item 2"], "reason": ["Spots."], "match": true}',
        '{"Ranked list": "[3, 1, 2]", "Reasons": "Spots.", "match": true}',
        "Ranked list: [3, 1, 2]\nReasons: Spots.\nMatch: yes",
        "ranked list: 3, 1, 2\nreason: Spots.\nmatch: YES",
        "**Ranked list:** [3, 1, 2]\n\n**Reasons:** Spots.\n**Match:** yes",
        "I use 'Ranked list: []' as told.\nRanked list: [3,1,2]\nReasons: Spots.\nMatch: yes",
    ],
)
def test_forms_that_say_all(text: str) -> None:
    parsed = parse_reply(text, 3, "served")
    assert (parsed.order, parsed.reason, parsed.match) == ((2, 0, 1), "Spots.", True)
    assert (parsed.status, parsed.detail) == ("ok", "")


@pytest.mark.parametrize(
    ("text", "order", "detail"),
    [
        ('{"ranking": [2, 2, 1, 3], "reason": "a"}', (1, 0, 2), "1 repeat was dropped"),
        ('{"ranking": [2], "reason": "a"}', (1, 0, 2), "2 missing indices were appended"),
        (
            '{"ranking": [2, -1, 4, 99999999999999999999, 1, 3], "reason": "a"}',
            (1, 0, 2),
            "3 unknown indices were dropped",
        ),
        (
            '{"ranking": [true, null, 1.5, NaN, 1e999, "-1", {}, [], 3, 2, 1], "reason": "a"}',
            (2, 1, 0),
            "8 unknown indices were dropped",
        ),
        ('{"ranking": [3, 2, 1,], "reason": "a",}', (2, 1, 0), "the JSON had trailing commas"),
        ("{'ranking': [3, 2, 1], 'reason': 'a'}", (2, 1, 0), "the JSON was malformed"),
        ('{"ranking": [3, 2, 1], "reason": "a', (2, 1, 0), "the JSON was malformed"),
        (
            "Ranked list: [3, 2, 1",
            (2, 1, 0),
            "the ranked list was cut off; 1 missing index was appended; the reply gave no reason",
        ),
        (
            "[3, 2, 1]",
            (2, 1, 0),
            "the reply was a bare list; the reply gave no reason",
        ),
        ('{"ranking": [3, 2, 1]}', (2, 1, 0), "the reply gave no reason"),
    ],
)
def test_what_is_repaired_is_named(text: str, order: tuple[int, ...], detail: str) -> None:
    parsed = parse_reply(text, 3, "served")
    assert (parsed.order, parsed.status, parsed.detail) == (order, "repaired", detail)


def test_a_number_cut_at_the_end_is_not_taken_for_a_whole_one() -> None:
    # The last may have been 12.
    assert parse_reply('{"ranking": [6, 1, 1', 13, "served").order[:3] == (5, 0, 1)
    assert parse_reply('{"ranking": [6, 1, 4,', 13, "served").order[:3] == (5, 0, 3)


@pytest.mark.parametrize(
    ("numbers", "order", "from_zero"),
    [
        ([1, 2, 3, 4], (0, 1, 2, 3), False),
        ([4, 3, 2, 1], (3, 2, 1, 0), False),
        ([3, 0, 2, 1], (3, 0, 2, 1), True),
        ([2, 0], (2, 0, 1, 3), True),
        ([0], (0, 1, 2, 3), True),
        ([2, 3], (1, 2, 0, 3), False),
        ([4, 0, 1, 2, 3], (3, 0, 1, 2), False),  # 4 is the last of four, and 0 is none
    ],
)
def test_items_are_counted_from_one_unless_the_list_has_zero(
    numbers: list[int], order: tuple[int, ...], from_zero: bool
) -> None:
    parsed = parse_reply(f'{{"ranking": {numbers}, "reason": "a"}}', 4, "served")
    assert parsed.order == order
    assert ("the list counted from 0" in parsed.detail) == from_zero


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "the reply is empty"),
        (" \n", "the reply is empty"),
        ("<think>Let me see", "the reply ended in the model's thoughts"),
        ("I cannot help with that.", "the reply holds no ranked list"),
        ("Item [2] is nice.", "the reply holds no ranked list"),
        ('{"ranking": [], "reason": "a", "match": true}', "the ranked list is empty"),
        ("Ranked list: []\nReasons: none", "the ranked list is empty"),
        (
            '{"ranking": [7, -2], "reason": "a"}',
            "the ranked list names none of the items 1 to 3",
        ),
        ('{"ranking": {"0": 1}}', "the reply holds no ranked list"),
    ],
)
def test_what_cannot_be_used_keeps_retrieval_order(text: str, cause: str) -> None:
    parsed = parse_reply(text, 3, "served")
    assert (parsed.order, parsed.status, parsed.detail) == ((0, 1, 2), "fallback", cause)
    assert parsed.match is None


@pytest.mark.parametrize(
    "text",
    [
        '{"ranking": [], "reason": "Only cars.", "match": false}',
        '{"match": false, "reason": "Only cars."}',
        "Ranked list: []\nReasons: Only cars.\nMatch: no",
    ],
)
def test_nothing_fits_is_an_answer(text: str) -> None:
    parsed = parse_reply(text, 2, "served")
    assert (parsed.order, parsed.reason) == ((0, 1), "Only cars.")
    assert (parsed.match, parsed.status) == (False, "ok")


@pytest.mark.parametrize(
    "reply",
    [
        '{"ranking": [3, 1, 2], "item": %s, "reason": "Spots.", "match": true}',
        "Ranked list: [3, 1, 2]\nItem: %s\nReasons: Spots.\nMatch: yes",
        "{'ranking': [3, 1, 2], 'item': %s, 'reason': 'Spots.', 'match': true}",
    ],
)
def test_a_reason_must_be_about_the_first_item(reply: str) -> None:
    assert parse_reply(reply % 3, 3, "served").reason == "Spots."
    other = parse_reply(reply % 1, 3, "served")
    assert (other.order, other.status) == ((2, 0, 1), "repaired")
    assert other.reason == "(Said of another picture:) Spots."
    assert other.detail.endswith("the reason is about another item than the first")


def test_reasons_are_one_printable_line() -> None:
    reason = "red\n\x1b[31mcar\u202e \ud800" + "x" * 9000
    text = json.dumps({"ranking": [1], "reason": reason, "match": True})
    said = parse_reply(text, 1, "served").reason
    assert said.startswith("red [31mcar x") and len(said) == 2000
    said.encode("utf-8")  # no lone surrogates


def test_complete_order_by_hand() -> None:
    assert complete_order([], 2) == (None, [])
    assert complete_order([1, 0], 2) == ((1, 0), [])
    assert complete_order([None, 3, 3, 1, 1, 1], 4) == (
        (3, 1, 0, 2),
        [
            "1 unknown index was dropped",
            "3 repeats were dropped",
            "2 missing indices were appended",
        ],
    )


PIECES = st.lists(
    st.sampled_from(
        [
            *'{}[]":,',
            '"ranking"', '"reason"', '"match"', "Ranked list:", "Reasons:", "Match:", "<think>",
            "</think>", "```json", "true", "false", "no", "0", "1", "-1", "2.0", "1e999",
            "\\", "\n", " ", "'", "\ud800", "\x00",
        ]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@given(text=st.text() | PIECES, count=st.integers(0, 30))
def test_any_string_gives_a_whole_permutation(text: str, count: int) -> None:
    parsed = parse_reply(text, count, "served")
    assert sorted(parsed.order) == list(range(count))
    assert parsed.status in ("ok", "repaired", "fallback")
    assert bool(parsed.detail) == (parsed.status != "ok")
    assert "\n" not in parsed.reason


@given(
    order=st.permutations(range(12)),
    reason=st.text(alphabet="abc {}[]:,'0123456789-", min_size=1).filter(str.strip),
    match=st.booleans(),
)
def test_what_was_written_as_json_is_read_back(order: list[int], reason: str, match: bool) -> None:
    text = json.dumps({"ranking": [n + 1 for n in order], "reason": reason, "match": match})
    parsed = parse_reply(text, 12, "served")
    assert (parsed.order, parsed.match, parsed.status) == (tuple(order), match, "ok")
    assert parsed.reason == " ".join(reason.split())


@pytest.mark.parametrize(
    "text",
    ["[" * 99_999, '{"a":' * 30_000, "[[1," * 30_000, "<think>" * 30_000, "rank " * 30_000,
     "rank" + " " * 99_999, "Ranked list:" * 9_000, ",]" * 50_000, '["' * 50_000,
     '{"ranking": [' + "9" * 5000 + "]}",
     '{"ranking": [' + '{"index":' * 950 + "2" + "}" * 950 + "]}",
     '{"ranking": [' + "[" * 950 + "2" + "]" * 950 + "]}", "[" * 950 + "2, 1" + "]" * 950],
)  # fmt: skip
def test_hostile_replies_are_read_to_an_end(text: str) -> None:
    # How deep JSON is read depends on the depth of the call.
    assert sorted(parse_reply(text, 3, "served").order) == [0, 1, 2]
