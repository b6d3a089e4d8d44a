"""Which metadata file is used, and which line is for which picture."""

from __future__ import annotations

import pytest

from ocelot.errors import MetadataError
from ocelot.indexing import find_metadata
from ocelot.indexing.metadata import read_tables


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_names_without_a_file_are_told(tmp_path):
    write(tmp_path / "metadata.csv", "file_name\na.jpg\nsub/b.jpg\nc.jpg\nd.jpg\n")
    (remark,) = read_tables([str(tmp_path)], []).remarks
    assert remark.reason == ("4 lines name files that do not exist (a.jpg, sub/b.jpg, c.jpg, …)")


def test_finding(tmp_path):
    assert find_metadata(tmp_path) is None
    path = write(tmp_path / "metadata.csv", "file_name\n")
    assert find_metadata(tmp_path) == path
    write(tmp_path / "metadata.jsonl", "")
    with pytest.raises(MetadataError, match=r"metadata\.csv and metadata\.jsonl"):
        find_metadata(tmp_path)


def shop_of(tmp_path, *names):
    """Absolute paths of new, empty files."""
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return [str(tmp_path / name) for name in names]


def test_a_named_table_may_name_files_relative_to_the_folder(tmp_path):
    pictures = shop_of(tmp_path, "pics/a.jpg", "pics/sub/b.jpg", "pics/c.jpg")
    (tmp_path / "tables").mkdir()
    lines = "file_name,n\na.jpg,1\nsub/b.jpg,2\n../pics/c.jpg,3\nz.jpg,4\n"
    named = write(tmp_path / "tables" / "prices.csv", lines)
    tables = read_tables([str(tmp_path / "pics")], pictures, named)
    assert [tables.lines[picture]["n"] for picture in pictures] == [1, 2, 3]
    assert tables.used == {str(named): 3}
    (remark,) = tables.remarks
    assert remark.reason == "1 line names a file that does not exist (z.jpg)"


@pytest.mark.parametrize("lines", ["", "x.jpg,1\ny.jpg,2\n"])
def test_a_named_table_that_names_no_picture_is_refused(tmp_path, lines):
    pictures = shop_of(tmp_path, "pics/a.jpg")
    named = write(tmp_path / "prices.csv", f"file_name,n\n{lines}")
    with pytest.raises(MetadataError, match="names none of the pictures") as raised:
        read_tables([str(tmp_path / "pics")], pictures, named)
    assert str(tmp_path / "pics") in str(raised.value)
    assert "x.jpg, y.jpg" in str(raised.value) or not lines


def test_the_table_above_is_used_if_it_names_the_pictures(tmp_path):
    pictures = shop_of(tmp_path, "shop/images/a.jpg", "shop/images/b.jpg")
    roots = [str(tmp_path / "shop" / "images")]
    above = write(tmp_path / "shop" / "metadata.csv", "file_name,n\nimages/a.jpg,1\n")
    tables = read_tables(roots, pictures)
    assert tables.lines == {pictures[0]: {"n": 1}}
    assert (tables.used, tables.remarks) == ({str(above): 1}, [])
    for text in ["file_name,n\nother/a.jpg,1\na.jpg,2\n", "name\n"]:
        write(above, text)
        tables = read_tables(roots, pictures)
        assert (tables.lines, tables.used, tables.remarks) == ({}, {}, [])
    write(above.with_suffix(".jsonl"), "")
    assert not read_tables(roots, pictures).lines
    own = write(tmp_path / "shop" / "images" / "metadata.csv", "file_name,n\na.jpg,9\n")
    assert read_tables(roots, pictures).used == {str(own): 1}
