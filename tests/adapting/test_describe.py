"""Pictures described by a vision model: a real HTTP server, which looks at the pictures."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageColor

import ocelot as library
from ocelot.adapting.answers import CHANGES, TITLES, checked
from ocelot.adapting.columns import Columns
from ocelot.adapting.language import read_language
from ocelot.adapting.measure import triplets
from ocelot.adapting.neighbours import described
from ocelot.adapting.questions import Asker, held_out_questions
from ocelot.adapting.source import CatalogueSource
from ocelot.adapting.understand import Catalogue
from ocelot.errors import ConfigurationError, InputError, RerankError
from ocelot.files import remove
from ocelot.rerankers.panorama.compose import compose_sheet
from ocelot.settings import load_settings
from ocelot.training.distributed import ProcessGroup
from ocelot.training.loss import accepts
from ocelot.training.vocabulary import build_tokenizer
from tests.adapting.made import COLOURS, MODELS
from tests.cli.conftest import Command, ocelot  # noqa: F401
from tests.rerankers.chat_server import ChatServer, Reply, Request, completion, error

KEY = "sk-test-ThisIsTheKey-0123456789"
FAULT = {"fault": "the same for all"}


@pytest.fixture
def server(
    bare_environment: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[ChatServer]:
    """A vision model that knows the drawn shop; its key is never shown or written."""
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "cache"))
    with ChatServer(lambda request: completion(json.dumps({"answers": seen(request)}))) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        with caplog.at_level(logging.DEBUG):
            yield server
    shown = capsys.readouterr()
    written = [file.read_bytes() for file in tmp_path.rglob("*.*") if file.is_file()]
    assert KEY not in caplog.text + shown.out + shown.err
    assert not any(KEY.encode() in data for data in written)


def seen(request: Request) -> list[dict[str, Any]]:
    """What the pictures of a sheet are, told by their pixels."""
    pixels = np.asarray(request.picture).astype(int)
    width = (pixels.shape[1] - 10) // 310
    (number,) = map(int, re.findall(r"shows (\d+) p", request.prompt))
    pairs = "pairs of pictures" in request.prompt
    cells = [
        thing(pixels[10 + 310 * y : 310 + 310 * y, 10 + 310 * x : 310 + 310 * x])
        for y, x in (divmod(place, width) for place in range(number * (1 + pairs)))
    ]
    if pairs:
        changes = [f"{colour} {kind} {model} instead" for colour, kind, model in cells[1::2]]
        return [{"number": n, "change": text} for n, text in enumerate(changes, 1)]
    return [
        {"number": n, "title": f"{model} {colour} {kind}", "kind": kind, "colour": colour}
        for n, (colour, kind, model) in enumerate(cells, 1)
    ]


def thing(cell: np.ndarray[Any, Any]) -> tuple[str, str, str]:
    """The colour, the kind and the model of a drawn picture, 300 pixels wide."""
    ink = cell[240, 150]
    colour = min(COLOURS, key=lambda name: abs(ink - ImageColor.getrgb(COLOURS[name])).sum())
    round_ = abs(cell[245, 245] - ink).sum() > 200  # the corner of a lamp is white
    yellow = (cell[:, 150, 0] > 180) & (cell[:, 150, 1] > 180) & (cell[:, 150, 2] < 120)
    line = int(np.flatnonzero(yellow).mean() / 12.5 + 0.25)
    return colour, "discs" if round_ else "boxes", MODELS[max(0, min(line - 4, len(MODELS) - 1))]


@pytest.fixture
def bare(micro: Path) -> Path:
    """112 pictures without metadata, and the encoder beside them."""
    Path("shop/metadata.csv").unlink()
    for bag in Path("shop").glob("bags-*"):  # which look as mugs do
        bag.unlink()
    return micro


def colours(image: Any, text: str | None) -> np.ndarray[Any, Any]:
    """A vector of a picture: its pixels, 6 x 6."""
    return np.asarray(image.resize((6, 6))).astype(float).ravel() - 100


def describe(
    calls: int = 40, say: Callable[[str], None] = lambda line: None, **settings: Any
) -> Catalogue:
    encoder = library.FunctionEncoder(colours, dimension=108)
    language, chosen = read_language("en"), load_settings(**settings)
    return described(Path("shop"), encoder, chosen, calls, 60, Columns(), language, say)


def test_a_shop_without_metadata(server: ChatServer, bare: Path) -> None:
    said: list[str] = []
    options = {"encoder": bare, "steps": 2, "device": "cpu", "describe": 40}
    found = library.adapt("shop", **options, say=said.append)
    assert said[0] == (
        "gpt-4o describes 112 of 112 pictures and up to 108 changes from one to another: at most "
        "40 calls"
    )
    asked = len(server.requests)
    assert 30 < asked <= 40
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {KEY}"}
    schema = server.requests[0].body["response_format"]["json_schema"]["schema"]
    assert [*schema["properties"]["answers"]["items"]["properties"]] == ["number", *TITLES.fields]
    assert "one of: black, white" in server.requests[0].prompt
    assert re.search("one fits: (boxes, discs|discs, boxes)", server.requests[12].prompt)
    understood = "\n".join(found.understood)
    assert "112 pictures described by gpt-4o (English)" in understood
    assert "kind: kind, 2 values: " in understood
    assert "attribute: colour, 4 values" in understood and "left out: nothing" in understood
    assert re.search(r"changes between near neighbours: \d+, \d+ values: ", understood)
    figures = {figure.task: figure for figure in found.figures}
    assert figures["a described change"].questions >= 8
    page = Path("shop-encoder/report.html").read_text()
    assert "Descriptions, drawn at random" in page and "instead”" in page
    remove(Path("shop-encoder/encoder"))
    again = library.adapt("shop", **options)
    assert again.figures == found.figures and len(server.requests) == asked


def test_a_change_asks_for_what_its_target_is(server: ChatServer, bare: Path) -> None:
    Path("shop/broken.png").write_bytes(b"no picture")
    Path("shop/copy.png").write_bytes(Path("shop/mugs-kilo-red.png").read_bytes())
    catalogue = describe(60, llm_window=8)
    rows = {row.name: row for row in catalogue.rows}
    assert len(rows) == 113 and catalogue.notes == ("left out: nothing",)
    copy = rows.pop("copy.png")
    assert copy.title == rows["mugs-kilo-red.png"].title
    for name, row in rows.items():
        assert row.kind == ("discs" if name.startswith("lamps") else "boxes")
        assert row.values == (name.rpartition("-")[2].removesuffix(".png"),)
    rows["copy.png"] = copy
    assert len({frozenset((one.reference, one.target)) for one in catalogue.changes}) > 60
    for one in catalogue.changes:
        names = (one.reference, one.target, *one.others)
        assert len({*names}) == len(names) and len({rows[name].part for name in names}) == 1
        target = rows[one.target]
        assert one.text == f"{target.values[0]} {target.kind} {target.title.split()[0]} instead"
    asker, part = Asker(catalogue), catalogue.rows
    asked = triplets(asker, part, held_out_questions(asker, part, 999))
    changes = [query for query in asked if query.task == "a described change"]
    assert len(changes) > 60 and all(query.reference not in query.targets for query in changes)
    source = CatalogueSource(catalogue, asker, 24)
    tokenizer = build_tokenizer(source.texts(), 700)
    source.open(16, tokenizer, ProcessGroup(0, 1, torch.device("cpu")))
    batch = source.batch(0, 0)
    texts = [tokenizer.tokenizer.decode(ids) for ids in batch.ids.tolist()]
    assert sum("instead" in text for text in texts) >= 2
    right = accepts(batch.wanted, batch.labels)
    assert right[torch.arange(len(right)), batch.targets].all()


def test_an_interruption_and_a_failure_are_paid_once(server: ChatServer, bare: Path) -> None:
    def interrupts(line: str) -> None:
        if line.startswith("described"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        describe(say=interrupts)
    assert len(server.requests) == 4
    answers, turns, refusals = server.script, count(), list[Request]()

    def fails(request: Request) -> Reply:
        if next(turns) < 8:
            return answers(request)
        refusals.append(request)
        return error(401, f"no such key {KEY}")

    server.script = fails
    with pytest.raises(RerankError, match=r"refused the API key .* is kept: run the same again"):
        describe()
    refused = len(refusals)
    assert 1 <= refused <= 4
    server.script = answers
    whole = describe()
    paid = [request for request in server.requests if "pairs" not in request.prompt]
    assert len(paid) == 13 + refused and len(server.requests) <= 40 + refused
    asked = len(server.requests)
    assert describe(llm_max_tokens=2000) == whole  # what is good stays good
    assert len(server.requests) == asked


def test_no_more_than_the_budgets(server: ChatServer, bare: Path) -> None:
    with pytest.raises(RerankError, match="the budget of today is spent") as caught:
        describe(llm_daily_tokens=600)  # 120 for each call; four are asked at once
    assert 5 <= len(server.requests) <= 8 and "\n" not in str(caught.value)
    assert len(describe(12).rows) == 72 and len(server.requests) <= 12
    asked = len(server.requests)
    with pytest.raises(InputError, match="54 pictures would be described, and 60 are needed"):
        describe(9)
    assert len(server.requests) == asked


def test_bad_answers_are_left_out(server: ChatServer, bare: Path) -> None:
    answers, turns = server.script, count()

    def mixed(request: Request) -> Reply:
        blind = next(turns) % 3 == 2
        return completion("I cannot see well.") if blind else answers(request)

    server.script = mixed
    found = describe()
    assert len(found.rows) == 112 - 4 * 9  # of 13 calls
    (left,) = found.notes
    assert re.fullmatch(r"left out: \d+ missing", left)
    asked = len(server.requests)
    assert describe() == found and len(server.requests) == asked  # what was bad is not asked again
    server.script = answers
    assert len(describe(llm_max_tokens=2000).rows) == 112  # unless it may be better
    assert len(server.requests) > asked


def test_a_model_that_answers_nothing_is_given_up(server: ChatServer, bare: Path) -> None:
    server.replies(completion('{"answers": []}'))
    with pytest.raises(RerankError, match=r"no answer that can be used \(36 missing\): use"):
        describe()
    assert len(server.requests) == 4
    server.replies(completion("", finish="length"))
    with pytest.raises(RerankError, match=r"36 not answered"):
        describe(llm_model="other")
    assert len(server.requests) == 8


def test_an_endpoint_without_json_schemas(server: ChatServer, bare: Path) -> None:
    answers = server.script

    def plain(request: Request) -> Reply:
        if "response_format" in request.body:
            return error(400, "response_format is not supported")
        text = answers(request).body["choices"][0]["message"]["content"]
        return completion(f"<think>Let me look.</think>```json\n{text}\n```")

    server.script = plain
    assert len(describe(12).rows) == 72


def test_the_command(server: ChatServer, ocelot: Command, bare: Path) -> None:  # noqa: F811
    common = ("adapt", "shop", "--encoder", bare)
    outcome = ocelot(*common)
    assert outcome.code != 0 and "(--describe)" in outcome.err
    outcome = ocelot(*common, "--describe", "--metadata", "shop/metadata.csv")
    assert outcome.code == 2 and "give one of both" in outcome.err
    options = ("--llm-base-url", server.url, "--llm-model", "mine")
    outcome = ocelot(*common, "--describe", "--calls", "2", *options)
    assert outcome.code == 2 and "nothing was asked" in outcome.err and not server.requests
    server.replies(error(500, "down", headers={"Retry-After": "0"}))
    outcome = ocelot(*common, "--describe", "--calls", "12", *options)
    assert outcome.code == 1 and "mine describes 72 of 112 pictures" in outcome.out
    assert "is kept: run the same again to go on." in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_what_is_wrong_is_said(
    server: ChatServer, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="more than 0"):
        library.adapt("shop", encoder=bare, describe=-1)
    with pytest.raises(ConfigurationError, match="no setting 'llm_modell'"):
        library.adapt("shop", encoder=bare, llm_modell="x")
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ConfigurationError, match="needs an API key: set OPENAI_API_KEY, or name"):
        library.adapt("shop", encoder=bare, describe=9)
    assert not server.requests


def answer(*texts: Any) -> str:
    given = [{"number": number, "change": text} for number, text in enumerate(texts, 1)]
    return json.dumps({"answers": given})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty"),
        (None, "empty"),
        (["in navy"], "empty"),
        (" ... ", "empty"),
        ("with long sleeves " * 8, "too short or too long"),
        ("a" * 130, "too short or too long"),
        ("like picture 2", "about another picture"),
        ("the same as 2b", "about another picture"),
        ("as in the first image", "about another picture"),
        ("同款红色", "in another language"),
        ("то же в синем", "in another language"),
    ],
)
def test_a_text_that_cannot_be_used(text: Any, fault: str) -> None:
    found = checked(answer(text, "in navy", "as a picture frame"), 3, CHANGES, read_language("en"))
    assert found == [{"fault": fault}, {"change": "in navy"}, {"change": "as a picture frame"}]


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[[[[", '{"number": 1}', '{"number": []}'])
def test_a_reply_that_cannot_be_used(text: str) -> None:
    found = checked(text, 2, CHANGES, read_language("en"))
    assert all("fault" in one for one in found) and len(found) == 2


def test_answers_that_do_not_fit_together() -> None:
    english, italian = read_language("en"), read_language("it")
    assert checked(answer(*["in navy"] * 3), 3, CHANGES, english) == [FAULT] * 3
    twice = '[{"number": 1, "change": "in red"}, {"number": "1a", "change": "in tan"}]'
    assert checked(twice, 1, CHANGES, english) == [{"fault": "given twice"}]
    cut = answer("in red", "in navy", "in tan")[:-12]
    assert checked(cut, 3, CHANGES, english)[1:] == [{"change": "in navy"}, {"fault": "missing"}]
    spoken = answer("lo stesso in rosso", "con le maniche in blu")
    assert len(checked(spoken, 2, CHANGES, italian)[0]["change"]) == 18
    other = answer("the same in red with stripes", "the blue one with long sleeves")
    assert checked(other, 2, CHANGES, italian) == [{"fault": "in another language"}] * 2
    chinese = answer("同款红色", "长袖的蓝色连衣裙")
    assert "change" in checked(chinese, 2, CHANGES, read_language("zh"))[1]


def test_pictures_of_a_sheet_keep_their_pairs() -> None:
    for number, width in ((1, 1), (2, 2), (6, 4), (8, 4), (9, 3), (25, 5)):
        pictures = [Image.new("RGB", (60, 20), "blue") for _ in range(number)]
        sheet = compose_sheet(pictures, [*map(str, range(number))])
        assert sheet.width == 10 + 310 * width <= 2048
        middles = [
            sheet.getpixel((160 + 310 * x, 160 + 310 * y))
            for y, x in (divmod(place, width) for place in range(number))
        ]
        assert middles == [(0, 0, 255)] * number
