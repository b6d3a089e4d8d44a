"""Metadata files in their three forms."""

from __future__ import annotations

import json

import pyarrow
import pyarrow.parquet
import pytest

from ocelot.errors import MetadataError
from ocelot.indexing import find_metadata, read_metadata
from ocelot.indexing.metadata import MetadataTables


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
    assert table.failures == ()
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
    (failure,) = MetadataTables([str(tmp_path)]).failures()
    assert failure.reason.startswith("3 of its lines")


def test_malformed_lines_are_reported_by_number(tmp_path):
    path = write(
        tmp_path / "metadata.csv",
        "file_name,n\na.jpg,1\nb.jpg\nc.jpg,3,4\n,5\na.jpg,6\n\nd.jpg,7\n",
    )
    table = read_metadata(path)
    assert [failure.path for failure in table.failures] == [f"{path}:{n}" for n in (3, 4, 5, 6)]
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
    assert [failure.path for failure in table.failures] == [f"{path}:{n}" for n in (2, 3, 5)]


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


def test_finding(tmp_path):
    assert find_metadata(tmp_path) is None
    path = write(tmp_path / "metadata.csv", "file_name\n")
    assert find_metadata(tmp_path) == path
    write(tmp_path / "metadata.jsonl", "")
    with pytest.raises(MetadataError, match=r"metadata\.csv and metadata\.jsonl"):
        find_metadata(tmp_path)


def test_jsonl_without_a_usable_line_tells_the_first_reason(tmp_path):
    (tmp_path / "metadata.jsonl").write_text(
        '[\n  {"file_name": "a.png"}\n]\n'.replace("  {", "  [{")
    )
    with pytest.raises(MetadataError, match="line 1: it is not JSON"):
        read_metadata(tmp_path / "metadata.jsonl")
