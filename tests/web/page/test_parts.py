"""Parts of the page that need neither a server nor a browser."""

from __future__ import annotations

import asyncio
import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from ocelot.collection.facets import facets_of
from ocelot.errors import ImageError, InputError, ItemNotFound
from ocelot.images.file import ImageFile
from ocelot.rerankers.fusion import _ENGLISH
from ocelot.service import Answer, Limits
from ocelot.types import Hit, Item, Query, Ranking, Result
from ocelot.web.api.problems import _KINDS
from ocelot.web.page.items import edited
from ocelot.web.page.pictures import QueryPictures, cropped
from ocelot.web.page.question import Question
from ocelot.web.page.shop import Verdicts
from ocelot.web.page.texts import LANGUAGES, Texts, preferred
from ocelot.web.page.views import groups, ranges, suggestions

PAGE = files("ocelot.web.page")
SHOP = [
    {"kind": "mug", "colour": colour, "price": price, "new": price > 5}
    for colour in ("red", "blue")
    for price in (3, 9.5)
] * 2


def texts_in(language: str) -> dict[str, str]:
    found = json.loads((PAGE / "texts" / f"{language}.json").read_text(encoding="utf-8"))
    return dict(found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_texts_with_the_same_values(language: str) -> None:
    english, other = texts_in("en"), texts_in(language)
    assert not [key for key in english if key.startswith("engine.")]  # the code has these
    other = {key: text for key, text in other.items() if not key.startswith("engine.")}
    assert list(english) == list(other) == sorted(english)
    for key, text in other.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", english[key])), key
        assert text.strip(), key


def test_every_text_is_used_and_there_is_no_other() -> None:
    sources = [one for kind in ("*.py", "templates/*.html") for one in Path(str(PAGE)).glob(kind)]
    source = "".join(one.read_text(encoding="utf-8") for one in sources)
    script = (PAGE / "static" / "page.js").read_text(encoding="utf-8")
    for key in texts_in("en"):
        plain = key.removesuffix(".one").removesuffix(".many")
        family = key.rpartition(".")[0] + "."  # as in t("ranking." ~ name)
        if key.startswith("script."):
            name = key[7:]
            assert f'say("{name}"' in script or f"texts.{name}" in script, key
        else:
            assert f'"{plain}"' in source or f"'{plain}'" in source or f'"{family}' in source, key


def test_every_reason_and_problem_can_be_said_in_italian() -> None:
    said = {key.removeprefix("engine.") for key in texts_in("it") if key.startswith("engine.")}
    problems = {one.name for one in _KINDS.values()} - {"filter", "metadata", "input"}
    assert said >= {*_ENGLISH, *problems}  # what is wrong with these only the sentence itself says


@pytest.mark.parametrize(
    ("header", "language"),
    [("", "en"), ("it", "it"), ("it-IT,it;q=0.9,en;q=0.8", "it"), ("en;q=0.2, it;q=0.1", "en"),
     ("fr, de;q=0.5", "en"), ("it;q=0, en", "en"), ("it;q=nonsense", "en"), ("*", "en")],
)  # fmt: skip
def test_the_browser_is_listened_to(header: str, language: str) -> None:
    assert preferred(header).language == language


@pytest.mark.parametrize(
    ("metadata", "english", "italian"),
    [
        ({"price": 1234.5, "currency": "USD"}, "$1,234.50", "1.234,50 $"),
        ({"price": 9, "currency": "SEK"}, "SEK 9", "9 SEK"),
        ({"price": 9.99}, "9.99", "9,99"),
        ({"price": "from 5 €"}, "from 5 €", "from 5 €"),
        ({"price": float("nan"), "currency": "USD"}, "", ""),
        ({"price": True}, "", ""),
        ({"currency": "EUR"}, "", ""),
    ],
)
def test_prices_have_their_currency(
    metadata: dict[str, object], english: str, italian: str
) -> None:
    assert (Texts("en").price(metadata), Texts("it").price(metadata)) == (english, italian)


def test_filters_suit_the_fields_that_there_are() -> None:
    facets = facets_of(SHOP)
    question = Question("cup", where=(("colour", "red"), ("colour", "no longer there")))
    found = dict(groups(facets, question))
    assert set(found) == {"colour", "new"}  # all are mugs: there is nothing to choose
    chips = {chip.label: chip for chip in found["colour"]}
    assert set(chips) == {"red", "blue", "no longer there"}
    assert chips["red"].chosen and "where.colour=red" not in chips["red"].url
    assert not chips["blue"].chosen and "where.colour=blue" in chips["blue"].url
    assert [chip.label for chip in found["new"]] == ["yes", "no"]
    ((price, chosen),) = ranges(facets, Question(ranges=(("price", (None, 5.0)),)))
    assert (price.key, price.low, price.high, chosen) == ("price", 3, 9.5, (None, 5.0))


def test_suggestions_come_from_the_collection() -> None:
    many = [*SHOP, *({"kind": "bowl", "colour": "green"} for _ in range(3))]
    items = [Item(f"{number:064x}", ("a.jpg",), metadata=one) for number, one in enumerate(many)]
    colours, texts = suggestions(facets_of(many), items)
    assert set(colours) == {"red", "blue", "green"}
    assert texts == ["red mug", "blue mug", "green bowl"]
    bare = [Item("0" * 64, ("/pictures/IMG_1.jpg",))]
    assert suggestions([], bare) == ([], [])
    named = [Item("0" * 64, ("a.jpg",), metadata={"title": "A linen shirt"})]
    assert suggestions(facets_of([one.metadata for one in named]), named) == (
        [],
        ["A linen shirt"],
    )


def test_query_pictures_are_kept_within_bounds(tmp_path: Path, shop: Path) -> None:
    first, second, third = (file.read_bytes() for file in sorted((shop / "images").iterdir())[:3])
    pictures = QueryPictures(tmp_path / "queries", Limits(), most=2)
    names = [pictures.keep(data) for data in (first, second)]
    assert pictures.keep(second) == names[1]
    assert [pictures.read(name).data for name in names] == [first, second]
    pictures.read(names[0])  # used last
    pictures.keep(third)
    assert pictures.read(names[0]).data == first
    with pytest.raises(ItemNotFound, match="not kept any more"):
        pictures.read(names[1])
    again = QueryPictures(tmp_path / "queries", Limits())  # after a restart
    assert again.read(names[0]).data == first
    assert again.small(names[0], 64).startswith(b"\xff\xd8")
    small = QueryPictures(tmp_path / "queries", Limits(), most_bytes=len(first))
    small.keep(second)
    assert len(list((tmp_path / "queries").iterdir())) == 1


@pytest.mark.parametrize("data", [b"no picture", b"\x89PNG\r\n\x1a\n and then nothing"])
def test_what_is_no_picture_is_not_kept(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ImageError, match="this picture"):
        QueryPictures(tmp_path, Limits()).keep(data)
    assert not list(tmp_path.iterdir())


def test_a_picture_is_cropped_by_percent(shop: Path) -> None:
    image = ImageFile((shop / "leopard.jpg").read_bytes())
    whole = image.rgb()
    part = ImageFile(cropped(image, 50, 0, 80, 25)).rgb()  # what is outside does not count
    assert part.size == (round(whole.width / 2), round(whole.height / 4))
    with pytest.raises(ImageError, match="too small"):
        cropped(image, 10, 10, 0, 50)


def answer(*ids: str, status: str = "ok") -> Answer:
    hits = tuple(Hit(id, ("a.jpg",)) for id in ids)
    ranking = Ranking(tuple(range(len(ids))), "", "judge", status=status)  # type: ignore[arg-type]
    return Answer(Result(Query(text="a"), hits, ranking), None)


def test_a_verdict_is_reached_once_and_kept() -> None:
    verdicts, started = Verdicts(grace=0), 0

    async def play() -> None:
        release = asyncio.Event()

        async def start() -> Answer:
            nonlocal started
            started += 1
            await release.wait()
            return answer("x")

        both = [asyncio.ensure_future(verdicts.reached("key", start)) for _ in range(2)]
        await asyncio.sleep(0)
        release.set()
        assert [one.result.hits[0].id for one in await asyncio.gather(*both)] == ["x", "x"]

    asyncio.run(play())
    assert started == 1 and verdicts.known("key") is not None


def test_a_verdict_that_nobody_waits_for_is_given_up() -> None:
    async def play() -> None:
        verdicts, ended = Verdicts(grace=0), asyncio.Event()

        async def start() -> Answer:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            raise AssertionError

        waiting = asyncio.ensure_future(verdicts.reached("key", start))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait_for(ended.wait(), 30)
        assert verdicts.known("key") is None

    asyncio.run(play())


@pytest.mark.parametrize("status", ["fallback", "replaced"])
def test_a_failed_model_is_asked_again(status: str) -> None:
    async def play() -> None:
        verdicts = Verdicts(grace=0)

        async def start() -> Answer:
            return answer("x", status=status)

        await verdicts.reached("key", start)
        assert verdicts.known("key") is None

    asyncio.run(play())


def test_fields_that_nobody_touched_stay_as_they_are() -> None:
    metadata = {
        "big": 9007199254740993, "least": -(2**63), "far": 1e308, "note": " a\nb\r\nc ",
        "empty": "", "title": ["not", "text"], "new": True,
    }  # fmt: skip
    form = {
        "field.big": "9007199254740993", "field.least": str(-(2**63)), "field.far": "1e+308",
        "field.note": " a\r\nb\r\nc ", "field.empty": "", "field.title": "", "field.new": "true",
        "name": "", "value": "",
    }  # fmt: skip
    assert edited(metadata, form) == metadata
    assert edited({"price": 3}, {"field.price": "3", "field.title": ""}) == {"price": 3}
    assert edited(metadata, {**form, "field.note": "d\r\ne"})["note"] == "d\ne"


@pytest.mark.parametrize(
    ("old", "text", "new"),
    [
        (2, "9007199254740993", 9007199254740993),
        (2, "9223372036854775807", 2**63 - 1),
        (2, "3.0", 3),
        (2, "1e3", 1000),
        (2, "4,5", 4.5),
        (2.5, "1299,00", 1299.0),
        (2.5, "1,2995", 1.2995),
    ],
)
def test_numbers_are_read_exactly(old: float, text: str, new: float) -> None:
    (value,) = edited({"price": old}, {"field.price": text}).values()
    assert value == new and type(value) is type(new)


@pytest.mark.parametrize("old", [2, 2.5])
@pytest.mark.parametrize(
    "text", ["nan", "inf", "-inf", "1e400", "1e308", "9223372036854775808", "9" * 5000, "1,299"]
)
def test_numbers_that_cannot_be_kept_are_refused(old: float, text: str) -> None:
    with pytest.raises(InputError, match=r"^The field price must be a number [^,]*, was: '.*'\.$"):
        edited({"price": old}, {"field.price": text})
