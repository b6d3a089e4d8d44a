"""Metadata files in their three forms."""

from __future__ import annotations

import json

import pyarrow
import pyarrow.parquet
import pytest

from ocelot.errors import MetadataError
from ocelot.indexing import read_metadata


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_is_typed_by_whole_columns(tmp_path):
    path = write(
        tmp_path / "metadata.csv",
        "\ufefffile_name,price,stock,sale,ean,mixed,note\n"
        'a.jpg,9.5,3,true,00123,1,"two\nlines, ""quoted"""\n'
        "sub/b.jpg,10,-4,FALSE,4006381,x,\n"
        "c.jpg,1e3,,,,,  \n",
    )
    table = read_metadata(path)
    assert table.remarks == ()
    assert table.fields == {
        str(tmp_path / "a.jpg"): {
            "price": 9.5,
            "stock": 3,
            "sale": True,
            "ean": "00123",
            "mixed": "1",
            "note": 'two\nlines, "quoted"',
        },
        str(tmp_path / "sub/b.jpg"): {
            "price": 10.0,
            "stock": -4,
            "sale": False,
            "ean": "4006381",
            "mixed": "x",
        },
        str(tmp_path / "c.jpg"): {"price": 1000.0},
    }
    assert isinstance(table.fields[str(tmp_path / "sub/b.jpg")]["price"], float)


def test_malformed_lines_are_reported_by_number(tmp_path):
    path = write(
        tmp_path / "metadata.csv",
        "file_name,n\na.jpg,1\nb.jpg\nc.jpg,3,4\n,5\na.jpg,6\n\nd.jpg,7\n",
    )
    table = read_metadata(path)
    assert [remark.path for remark in table.remarks] == [f"{path}:{n}" for n in (3, 4, 5, 6)]
    assert table.fields[str(tmp_path / "a.jpg")] == {"n": 6}
    assert table.fields[str(tmp_path / "d.jpg")] == {"n": 7}


def test_jsonl_keeps_its_types(tmp_path):
    lines = [
        json.dumps({"file_name": "a.jpg", "ean": "007", "tags": ["x"], "price": 3, "none": None}),
        "{not json",
        "[1]",
        "",
        json.dumps({"n": 1}),
        json.dumps({"file_name": "b.jpg"}),
    ]
    path = write(tmp_path / "metadata.jsonl", "\n".join(lines))
    table = read_metadata(path)
    assert table.fields == {
        str(tmp_path / "a.jpg"): {"ean": "007", "tags": ["x"], "price": 3, "none": None},
        str(tmp_path / "b.jpg"): {},
    }
    assert [remark.path for remark in table.remarks] == [f"{path}:{n}" for n in (2, 3, 5)]


def test_parquet(tmp_path):
    columns = {"file_name": ["a.jpg", "b.jpg"], "price": [1.5, None], "n": [1, 2]}
    path = tmp_path / "metadata.parquet"
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    fields = read_metadata(path).fields
    assert fields[str(tmp_path / "a.jpg")] == {"price": 1.5, "n": 1}
    assert fields[str(tmp_path / "b.jpg")] == {"price": None, "n": 2}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metadata.csv", b"name,price\na.jpg,1\n"),
        ("metadata.csv", b""),
        ("metadata.csv", b"file_name\n\xff\xfe\n"),
        ("metadata.jsonl", b'{"name": "a.jpg"}\n'),
        ("metadata.parquet", b"not parquet"),
        ("metadata.xlsx", b""),
    ],
)
def test_unusable_files_are_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MetadataError, match=name):
        read_metadata(tmp_path / name)


def test_the_missing_column_is_told_with_those_found(tmp_path):
    path = write(tmp_path / "metadata.csv", "name,price\na.jpg,1\n")
    with pytest.raises(MetadataError, match=r"'file_name'.*name, price"):
        read_metadata(path)


def test_jsonl_without_a_usable_line_tells_the_first_reason(tmp_path):
    (tmp_path / "metadata.jsonl").write_text(
        '[\n  {"file_name": "a.png"}\n]\n'.replace("  {", "  [{")
    )
    with pytest.raises(MetadataError, match="line 1: it is not JSON"):
        read_metadata(tmp_path / "metadata.jsonl")


def columns_of(tmp_path, **columns):
    """The fields of each line of a CSV with these columns, and the remarks' reasons."""
    lines = zip(*columns.values(), strict=True)
    text = "".join(f"{n}.jpg;{';'.join(cells)}\n" for n, cells in enumerate(lines))
    text = f"file_name;{';'.join(columns)}\n{text}"
    quoted = "\n".join(
        ",".join(f'"{cell}"' for cell in line.split(";")) for line in text.splitlines()
    )
    table = read_metadata(write(tmp_path / "metadata.csv", quoted + "\n"))
    assert {remark.path for remark in table.remarks} <= {f"{table.path}:1"}
    return list(table.fields.values()), [remark.reason for remark in table.remarks]


def test_a_few_odd_cells_leave_a_column_of_numbers(tmp_path):
    price = [*"123456789", "n/a"]
    stock = [*map(str, range(8)), "1,200", "NULL"]
    fields, remarks = columns_of(tmp_path, price=price, stock=[*stock[:-2], "8", "NULL"])
    assert [line.get("price") for line in fields] == [1, 2, 3, 4, 5, 6, 7, 8, 9, None]
    assert [line.get("stock") for line in fields] == [0, 1, 2, 3, 4, 5, 6, 7, 8, None]
    assert remarks == [
        "the column price: 1 of its 10 cells is no number and is left out ('n/a' in line 11)",
        "the column stock: 1 of its 10 cells is no number and is left out ('NULL' in line 11)",
    ]
    fields, (remark,) = columns_of(tmp_path, price=[*map(str, range(19)), "1,200"])
    assert "price" not in fields[-1] and "'1,200' in line 21" in remark


def test_amounts_that_are_not_plain_numbers_are_text_and_reported(tmp_path):
    price = ["$5", "1,200", "9,99 €", "7.5"]
    fields, remarks = columns_of(tmp_path, price=price, name=["a", "b", "c", "4"])
    assert [line["price"] for line in fields] == price
    assert [line["name"] for line in fields] == ["a", "b", "c", "4"]
    assert remarks == [
        "the column price: 3 of its 4 cells are no plain numbers, so all stay text "
        "('$5' in line 2, '1,200' in line 3, '9,99 €' in line 4)"
    ]


def test_codes_with_leading_zeros_stay_text(tmp_path):
    codes = [*(str(4000 + n) for n in range(30)), "00123"]
    fields, remarks = columns_of(tmp_path, ean=codes)
    assert [line["ean"] for line in fields] == codes
    assert remarks == []
