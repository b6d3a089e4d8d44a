"""What a newcomer gets wrong and an attacker tries: sentences instead of tracebacks, no damage."""

from __future__ import annotations

import copy
import gzip
import logging
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ocelot
from ocelot.images.fetch import fetch
from tests.http_server import serving

SECRET = "s3cret"


def mean_colour(image: Image.Image | None, text: str | None) -> Any:
    return np.ones(3) + (0 if image is None else np.asarray(image).mean(axis=(0, 1)))


ENCODER = ocelot.FunctionEncoder(mean_colour, dimension=3, name="mean colour")


def plain(colour: Any) -> Image.Image:
    return Image.new("RGB", (9, 9), colour)


def open_shop(folder: Path, encoder: ocelot.Encoder = ENCODER, **settings: Any) -> ocelot.Engine:
    return ocelot.open(str(folder / "shop.db"), encoder=encoder, reranker="fusion", **settings)


def uploads_of(folder: Path) -> set[str]:
    return {str(path) for path in folder.glob("*uploads/*/*")}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ocelot.Engine]:
    with open_shop(tmp_path) as shop:
        shop.add(plain("red"), id="red", metadata={"price": [1]})
        yield shop


@pytest.mark.parametrize(
    "wrong",
    [
        lambda shop: shop.search(text="red", rerank="fusion"),
        lambda shop: shop.search(text="red", rerank=lambda query, hits: [0]),
        lambda shop: shop.search(text="red", rerank=ocelot.FunctionReranker),
        lambda shop: shop.rerank(shop.search(text="red", rerank=False), "fusion"),
        lambda shop: shop.rerank(None),
        lambda shop: shop.search(text="red", filter=3),
        lambda shop: shop.get(["red"]),
        lambda shop: shop.similar(shop.get("red")),
        lambda shop: shop.delete(None),
        lambda shop: shop.delete(shop.get("red")),
        lambda shop: shop.delete([shop.get("red")]),
        lambda shop: shop.add(plain("blue"), metadata="price"),
        lambda shop: shop.index(None),
        lambda shop: shop.index(5),
        lambda shop: shop.index(b"pictures"),
        lambda shop: shop.index(""),
    ],
)
def test_a_wrong_argument_is_an_input_error(
    shop: ocelot.Engine, wrong: Callable[[ocelot.Engine], Any]
) -> None:
    with pytest.raises(ocelot.InputError):
        wrong(shop)


def test_a_result_without_hits_says_so_instead_of_drawing(shop: ocelot.Engine) -> None:
    with pytest.raises(ocelot.InputError, match="no hits"):
        shop.search(text="red", filter="price == 2").panorama()


def test_blank_filters_count_as_none(shop: ocelot.Engine) -> None:
    assert shop.count(filter="  ") == len(list(shop.items(filter="  "))) == 1


def test_a_number_in_an_array_is_metadata(shop: ocelot.Engine) -> None:
    assert shop.add(plain("blue"), metadata={"price": np.array(3)}).metadata == {"price": 3}


def test_results_are_values(shop: ocelot.Engine) -> None:
    result = shop.search(text="red")
    assert result == shop.search(text="red") and len({result, shop.search(text="red")}) == 1
    assert {*result} == {result[0]}
    for other in (copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert other == result and other.panorama().size == result.panorama().size


def test_deleting_leaves_the_users_own_files_alone(tmp_path: Path) -> None:
    (tmp_path / "pictures" / "new").mkdir(parents=True)
    plain("red").save(tmp_path / "pictures" / "new" / "a.png")
    with open_shop(tmp_path, uploads=tmp_path / "pictures") as shop:
        shop.index(tmp_path / "pictures")
        added = shop.add(plain("blue"))
        assert shop.delete([item.id for item in shop.items()]) == 2
    assert (tmp_path / "pictures" / "new" / "a.png").exists()
    assert not Path(added.path).exists()


def test_collections_of_one_database_have_their_own_uploads(tmp_path: Path) -> None:
    with open_shop(tmp_path) as shop:
        kept = shop.add(plain("red"))
    with open_shop(tmp_path, collection="other") as shop:
        shop.delete(shop.add(plain("red")).id)
    assert uploads_of(tmp_path) == {kept.path}


def test_a_failed_run_leaves_no_uploads_without_items(tmp_path: Path) -> None:
    def fails(image: Image.Image | None, text: str | None) -> Any:
        if image is not None and image.getpixel((0, 0)) == (150, 0, 0):
            raise ValueError("no memory")
        return mean_colour(image, text)

    def records(count: int, last: Exception | None = None) -> Iterator[dict[str, Any]]:
        for red in range(count):
            yield {"image": plain((red, 0, 0)), "id": f"item-{red}"}
        if last:
            raise last

    encoder = ocelot.FunctionEncoder(fails, dimension=3, name="fails")
    with open_shop(tmp_path, encoder) as shop:
        for run in (records(140, RuntimeError("the source broke")), records(220)):
            with pytest.raises((RuntimeError, ocelot.EncoderError)):
                shop.add_many(run)
            items = list(shop.items())
            assert items and {item.path for item in items} == uploads_of(tmp_path)
        with pytest.raises(ocelot.EncoderError):
            shop.add(plain((150, 0, 0)), id="item-1")  # the item keeps its own file
        assert {item.path for item in items} == uploads_of(tmp_path)


_KILLED = """
import os, sys
from pathlib import Path
import ocelot
from tests.test_public_api import mean_colour, plain

def dies(image, text):
    if image is not None and image.getpixel((0, 0))[0] == 100:
        os.kill(os.getpid(), 9)
    return mean_colour(image, text)

encoder = ocelot.FunctionEncoder(dies, dimension=3, name="dies")
with ocelot.open(sys.argv[1], encoder=encoder, reranker=None) as shop:
    shop.add_many({"image": plain((red, 0, 0))} for red in range(200))
"""


def test_uploads_of_a_killed_run_are_removed_by_the_next(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _KILLED, str(tmp_path / "shop.db")]
    killed = subprocess.run(
        command, cwd=Path(__file__).parents[1], capture_output=True, check=False
    )
    assert killed.returncode == -9, killed.stderr.decode()
    encoder = ocelot.FunctionEncoder(mean_colour, dimension=3, name="dies")
    with open_shop(tmp_path, encoder) as shop:
        assert len(uploads_of(tmp_path)) > shop.count()
        shop.add(plain("blue"))
        assert {item.path for item in shop.items()} == uploads_of(tmp_path)


def test_closing_in_the_middle_of_a_run_leaves_no_uploads_for_long(tmp_path: Path) -> None:
    shop = open_shop(tmp_path)

    def records() -> Iterator[dict[str, Any]]:
        for red in range(200):
            if red == 150:
                shop.close()
            yield {"image": plain((red, 0, 0))}

    with pytest.raises(ocelot.CollectionError):
        shop.add_many(records())
    with open_shop(tmp_path) as shop:
        shop.add(plain("blue"))
        assert {item.path for item in shop.items()} == uploads_of(tmp_path)


def test_databases_may_share_a_folder_for_uploads(tmp_path: Path) -> None:
    shared = {"encoder": ENCODER, "reranker": None, "uploads": tmp_path / "uploads"}
    with (
        ocelot.open(tmp_path / "a.db", **shared) as one,
        ocelot.open(tmp_path / "b.db", **shared) as other,
    ):
        kept, gone = one.add(plain("red")), other.add(plain("red"))
        other.delete(gone.id)
        assert one.images.original(kept).id == kept.id
        assert uploads_of(tmp_path) == {kept.path}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        headers = {
            "/moved": {"Location": f"http://user:{SECRET}@127.0.0.1:1/"},
            "/zeros": {"Content-Encoding": "gzip"},
        }.get(self.path, {})
        self.send_response(302 if self.path == "/moved" else 200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(gzip.compress(bytes(2**20)))

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(Handler) as address:
        yield address


def test_a_compressed_answer_is_not_unpacked(url: str) -> None:
    with pytest.raises(ocelot.ImageError, match="compressed"):
        fetch(f"{url}/zeros")


def test_no_log_names_where_a_redirect_leads(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ocelot.ImageError):
        fetch(f"{url}/moved")
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "source",
    [
        f"HTTP://user:{SECRET}@127.0.0.1:1/a.jpg?token={SECRET}",
        f" http://user:{SECRET}@127.0.0.1:1/a.jpg?token={SECRET}",
        f"http://user:x/{SECRET}@127.0.0.1:1/a.jpg",
        f"ftp://user:{SECRET}@127.0.0.1:1/a.jpg",
        f"http://user:{SECRET}@[::1/a.jpg",
        "http://xn--a/a.jpg",
        f"http://{'a' * 300}.invalid/a.jpg",
    ],
)
def test_a_bad_url_is_one_failure_without_secrets(shop: ocelot.Engine, source: str) -> None:
    report = shop.add_many([{"image": source}, {"image": plain("blue"), "id": "blue"}])
    assert len(report.failures) == 1 and report.encoded == 1
    with pytest.raises(ocelot.ImageError) as caught:
        shop.add(source)
    assert SECRET not in f"{report} {caught.value}"
