"""What is understood from the metadata of shops."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest
from PIL import Image

from ocelot.adapting.columns import Columns
from ocelot.adapting.language import LANGUAGES, detect, read_language
from ocelot.adapting.questions import Asker, held_out_questions
from ocelot.adapting.understand import Catalogue, understand
from ocelot.errors import ConfigurationError, InputError, MetadataError
from tests.adapting.made import Line, write_metadata, write_shop


def shop_of(folder: Path, lines: list[Line]) -> Catalogue:
    """Pictures of one pixel with these lines, which get their file names here."""
    folder.mkdir()
    named = [{"file_name": f"{number}.png"} | line for number, line in enumerate(lines)]
    for line in named:
        Image.new("RGB", (1, 1)).save(folder / line["file_name"])
    write_metadata(folder, named)
    return understand(folder)


def test_a_shop_without_options(tmp_path: Path) -> None:
    lines = write_shop(tmp_path / "shop")
    found = understand(tmp_path / "shop")
    assert found.columns == Columns("title", ("colour",), "kind", None, None, ("colour",))
    assert found.language.name == "English" and found.unused == ()
    assert len(found.rows) == len(lines) == 168
    designs = defaultdict(list)
    for row in found.rows:
        designs[row.design].append(row)
    assert len(designs) == 3 * 14
    for rows in designs.values():
        assert {row.values for row in rows} == {("red",), ("green",), ("blue",), ("black",)}
        assert len({row.part for row in rows}) == 1 and all(row.varies for row in rows)
    sizes = {part: len(found.part(part)) for part in ("train", "watch", "measure")}
    assert sizes["train"] > 80 and sizes["watch"] >= 4 and sizes["measure"] >= 12


def test_columns_by_their_contents(tmp_path: Path) -> None:
    """Names that say nothing; a brand differs between equal titles and is no attribute."""
    lines = [
        {"a": f"{brand} {shape} sofa with {n} legs {colour}", "b": colour, "c": brand, "d": shape}
        for n in range(6)
        for shape in ("low", "corner", "deep", "wide")
        for colour in ("navy blue", "grey")
        for brand in ("Acme", "Zenith")
    ]
    columns = shop_of(tmp_path / "shop", lines).columns
    assert (columns.title, columns.attributes, columns.meanings) == ("a", ("b",), ("colour",))
    assert columns.kind == "d"


def test_a_group_says_what_a_design_is_and_what_varies(tmp_path: Path) -> None:
    lines = [
        {
            "title": f"no two titles alike {n} {k}",
            "sku": f"S{n}",
            "upholstery": fabric,
            "origin": "x",
        }
        for n in range(8)
        for k, fabric in enumerate(("bouclé", "chenille", "chenille"))
    ]
    found = shop_of(tmp_path / "shop", lines)
    assert (found.columns.group, found.columns.attributes) == ("sku", ("upholstery",))
    rows = [row for row in found.rows if row.design == "group S3"]
    assert len(rows) == 3 and all(row.varies for row in rows)
    assert len({row.product for row in rows}) == 2  # two photographs of the one in chenille


def test_a_common_name_is_no_design(tmp_path: Path) -> None:
    lines = [
        {"title": f"printed cotton shirt {colour}", "colour": colour}
        for colour in ("red", "blue")
        for _ in range(10)
    ]
    assert not any(row.varies for row in shop_of(tmp_path / "shop", lines).rows)


def test_forms_of_a_word_are_left_out_of_designs(tmp_path: Path) -> None:
    lines = [
        {"titolo": f"maglietta sportiva {n} {form}", "colore": colour, "categoria": "magliette"}
        for n in range(5)
        for form, colour in (("rossa", "rosso"), ("nera", "nero"))
    ]
    found = shop_of(tmp_path / "shop", lines)
    assert found.language.name == "Italian" and len({row.design for row in found.rows}) == 5


def test_a_chinese_shop_is_asked_in_chinese(tmp_path: Path) -> None:
    lines = [
        {"标题": f"北欧{style}陶瓷{kind}{colour}", "颜色": colour, "类别": kind}
        for style in ("简约", "复古", "手绘", "大号", "迷你", "高脚")
        for kind in ("马克杯", "茶壶")
        for colour in ("红色", "黑色", "蓝色")
    ]
    found = shop_of(tmp_path / "shop", lines)
    assert (found.language.name, found.columns.title) == ("Chinese", "标题")
    assert (found.columns.attributes, found.columns.kind) == (("颜色",), "类别")
    assert len({row.design for row in found.rows if row.varies}) == 12
    texts = {one.text for one in held_out_questions(Asker(found), found.rows, 999)}
    assert {"同款红色", "这个颜色的茶壶", "北欧简约陶瓷茶壶"} <= texts


def test_a_split_of_the_shop_is_followed_and_na_is_unknown(tmp_path: Path) -> None:
    lines = [
        {"title": f"shirt number {n} {colour}", "colour": colour, "split": part}
        for n, part in enumerate(("train", "test", "train"))
        for colour in ("red", "blue", "NA")
    ]
    found = shop_of(tmp_path / "shop", lines)
    assert {row.part for row in found.rows if "number 1" in row.title} == {"measure"}
    assert {row.part for row in found.rows if "number 1" not in row.title} <= {"train", "watch"}
    assert [row.values for row in found.rows][:3] == [("red",), ("blue",), ("",)]


def test_corrections(tmp_path: Path) -> None:
    write_shop(tmp_path / "shop")
    given = Columns(title="kind", attributes=("title",), kind="colour")
    columns = understand(tmp_path / "shop", given=given).columns
    assert (columns.title, columns.attributes, columns.kind) == ("kind", ("title",), "colour")
    for wrong in (Columns(kind="size"), Columns(attributes=("size", "colour"))):
        with pytest.raises(MetadataError, match="'size': it has title, colour, kind"):
            understand(tmp_path / "shop", given=wrong)
    with pytest.raises(MetadataError, match="no column ''"):
        understand(tmp_path / "shop", given=Columns(attributes=("",)))


def test_a_path_with_dots_and_the_metadata_file_in_place_of_its_folder(tmp_path: Path) -> None:
    lines = write_shop(tmp_path / "shop", models=2)
    (tmp_path / "beside").mkdir()
    assert len(understand(tmp_path / "beside" / ".." / "shop").rows) == len(lines)
    with pytest.raises(InputError, match=r"metadata\.csv is a file: give the folder"):
        understand(tmp_path / "shop" / "metadata.csv")


def test_cells_that_say_nothing_or_hold_half_a_character(tmp_path: Path) -> None:
    lines = write_shop(tmp_path / "shop", models=3)
    (tmp_path / "shop" / "metadata.csv").unlink()
    with open(tmp_path / "shop" / "metadata.jsonl", "w", encoding="utf-8") as file:
        for number, line in enumerate(lines):
            title = "NaN" if number % 2 else f"\ud800 {line['title']}"
            file.write(json.dumps(line | {"title": title}) + "\n")
    found = understand(tmp_path / "shop")
    assert [row.title for row in found.rows].count("") == len(lines) // 2
    assert all(row.title.startswith("? ") for row in found.rows if row.title)


def test_no_metadata(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "a.png")
    with pytest.raises(MetadataError, match=r"metadata\.csv with file_name and title"):
        understand(tmp_path)


@pytest.mark.parametrize("code", LANGUAGES)
def test_languages_are_told_and_complete(code: str) -> None:
    language = read_language(code)
    colours = language.attributes["colour"].words
    texts = [f"{language.common.split()[n % 5]} {word}" for n, word in enumerate(colours)]
    assert detect(texts, []).name == language.name
    for phrase, slot in (("kind", "{kind}"), ("change", "{value}"), ("keep", "{kind}")):
        for attribute in (None, "colour", "material", "pattern"):
            assert any(slot in one for one in language.asked(phrase, attribute)[:1])
    assert all("{kind}" in one and "{value}" in one for one in language.phrases["both"])
    for phrases in language.phrases.values():
        assert len(set(phrases)) == len(phrases)


def test_a_language_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    page = (Path(__file__).parents[2] / "docs" / "adapt.md").read_text(encoding="utf-8")
    file.write_text(page[page.index('name = "Dutch"') :].partition("```")[0], encoding="utf-8")
    dutch = read_language(str(file))
    assert dutch.asked("keep", "colour") == ("{kind} in deze kleur",)
    assert dutch.asked("keep", "size") == ("{kind} met dezelfde {attribute}",)
    file.write_text("name = 'x'\ncolour = 3\n[phrases]\n")
    with pytest.raises(ConfigurationError, match=r"own\.toml: colour"):
        read_language(str(file))
    empty = "".join(f"{name} = []\n" for name in ("kind", "both", "change", "keep"))
    file.write_text(f"name = 'x'\n[phrases]\n{empty}")
    with pytest.raises(ConfigurationError, match="lacks both"):
        read_language(str(file))
    file.write_text("name = 'x'\n[phrases]\n")
    with pytest.raises(ConfigurationError, match="lacks both"):
        read_language(str(file))
    with pytest.raises(InputError, match="no language 'nl'"):
        read_language("nl")


def test_what_the_metadata_lacks_is_said(tmp_path: Path) -> None:
    lines = write_shop(tmp_path / "shop")
    Image.new("RGB", (20, 20)).save(tmp_path / "shop/alone.png")
    write_metadata(tmp_path / "shop", [*lines, lines[0] | {"file_name": "missing.png"}])
    said = understand(tmp_path / "shop").lines()
    assert "without metadata: 1 picture" in said
    (remark,) = (line for line in said if line.startswith("1 remark on metadata, such as "))
    assert "missing.png" in remark


def test_a_phrase_with_an_unknown_field_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    phrases = 'kind = ["{knd}"]\nboth = ["{value} {kind}"]\nchange = ["in {value}"]\n'
    file.write_text(f'name = "Own"\n[phrases]\n{phrases}keep = ["{{kind}}"]\n', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"'\{knd\}' has the unknown field"):
        read_language(str(file))
