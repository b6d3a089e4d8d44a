"""Downloads against a real server on loopback, archives made here, good and evil."""

from __future__ import annotations

import gzip
import io
import os
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from ocelot.downloads import archive as archives
from ocelot.downloads import download, extract, fetch_amazon_reviews, transfer
from ocelot.errors import DownloadError

DATA = os.urandom(300_000)


class Server(ThreadingHTTPServer):
    """Serves one body at every path; the attributes choose how it behaves."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = DATA
        self.etag: str | None = '"v1"'
        self.ranges = True  # honours Range
        self.cuts: list[int] = []  # bytes to send before hanging up, one for each request
        self.announce: int | None = None  # a lie about the length
        self.status = 200
        self.redirect = ""
        self.requests: list[dict[str, str]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # a client that hangs up is no error
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/data/reviews.tar.gz"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        server.requests.append({"path": self.path, **dict(self.headers.items())})
        if server.redirect and not self.path.startswith("/moved"):
            return self._head(302, {"Location": server.redirect, "Content-Length": "0"})
        if server.status != 200:
            return self._head(server.status, {"Content-Length": "0"})
        start, status, headers = 0, 200, {}
        same = server.etag is not None and self.headers.get("If-Range") == server.etag
        if server.ranges and same:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(server.body):
                return self._head(416, {"Content-Length": "0"})
            status = 206
            whole = len(server.body)
            headers["Content-Range"] = f"bytes {start}-{whole - 1}/{whole}"
        if server.etag:
            headers["ETag"] = server.etag
        body = server.body[start:]
        headers["Content-Length"] = str(server.announce or len(body))
        self._head(status, headers)
        cut = server.cuts.pop(0) if server.cuts else len(body)
        self.wfile.write(body[:cut])
        self.close_connection = cut < len(body) or server.announce is not None

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Transfers


def test_a_file_arrives_whole_with_progress(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    file = download(
        server.url,
        tmp_path / "new" / "file",
        progress=lambda done, total: seen.append((done, total)),
    )
    assert file.read_bytes() == DATA
    assert leftovers(file.parent) == ["file"]
    assert seen[0] == (0, len(DATA)) and seen[-1] == (len(DATA), len(DATA))
    assert seen == sorted(seen)


def test_a_file_that_is_there_is_not_asked_for(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    assert download(server.url, tmp_path / "file").read_bytes() == b"mine"
    assert server.requests == []


def test_a_dropped_connection_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.cuts = [100_000, 50_000]
    assert download(server.url, tmp_path / "file").read_bytes() == DATA
    assert [request.get("Range") for request in server.requests] == [
        None,
        "bytes=100000-",
        "bytes=150000-",
    ]
    assert [request.get("If-Range") for request in server.requests] == [None, '"v1"', '"v1"']


def test_a_later_run_goes_on_where_the_first_gave_up(server: Server, tmp_path: Path) -> None:
    server.cuts = [10_000] * 8
    with pytest.raises(DownloadError, match="broke off 8 times; run it again"):
        download(server.url, tmp_path / "file")
    assert not (tmp_path / "file").exists()
    assert download(server.url, tmp_path / "file").read_bytes() == DATA
    assert server.requests[-1]["Range"] == "bytes=80000-"
    assert leftovers(tmp_path) == ["file"]


def test_an_interrupted_run_keeps_its_bytes(server: Server, tmp_path: Path) -> None:
    def interrupt(done: int, total: int | None) -> None:
        if done > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(server.url, tmp_path / "file", progress=interrupt)
    kept = (tmp_path / "file.part").stat().st_size
    assert kept > 0
    assert download(server.url, tmp_path / "file").read_bytes() == DATA
    assert server.requests[-1]["Range"] == f"bytes={kept}-"


def give_up_midway(server: Server, file: Path) -> None:
    server.cuts = [10_000] * 8
    with pytest.raises(DownloadError):
        download(server.url, file)
    server.requests.clear()


def test_a_changed_file_is_fetched_from_its_start(server: Server, tmp_path: Path) -> None:
    give_up_midway(server, tmp_path / "file")
    server.body, server.etag = DATA[::-1], '"v2"'
    assert download(server.url, tmp_path / "file").read_bytes() == DATA[::-1]
    assert len(server.requests) == 1  # the server answered the range with the whole


def test_parts_of_different_versions_are_never_joined(server: Server, tmp_path: Path) -> None:
    # A server that honours Range but not If-Range: the ETag of its answer gives it away.
    give_up_midway(server, tmp_path / "file")
    server.body = DATA[::-1]
    original = Handler._head

    def head(self: Handler, status: int, headers: dict[str, str]) -> None:
        original(self, status, {**headers, "ETag": '"v2"'})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Handler, "_head", head)
        assert download(server.url, tmp_path / "file").read_bytes() == DATA[::-1]
    assert [request.get("Range") for request in server.requests] == ["bytes=80000-", None]


def test_bytes_of_another_address_are_not_used(server: Server, tmp_path: Path) -> None:
    give_up_midway(server, tmp_path / "file")
    assert download(server.url + "?other", tmp_path / "file").read_bytes() == DATA
    assert "Range" not in server.requests[0]


def test_a_server_without_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    server.cuts = [100_000]
    assert download(server.url, tmp_path / "file").read_bytes() == DATA
    assert server.requests[1]["Range"] == "bytes=100000-"


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_strong_validator_it_starts_over(
    server: Server, tmp_path: Path, etag: str | None
) -> None:
    server.etag = etag
    server.cuts = [100_000]
    assert download(server.url, tmp_path / "file").read_bytes() == DATA
    assert [request.get("Range") for request in server.requests] == [None, None]


def test_a_range_past_the_end_starts_over(server: Server, tmp_path: Path) -> None:
    give_up_midway(server, tmp_path / "file")
    with open(tmp_path / "file.part", "ab") as part:
        part.write(DATA)
    assert download(server.url, tmp_path / "file").read_bytes() == DATA
    assert [request.get("Range") for request in server.requests] == ["bytes=380000-", None]


def test_a_whole_part_needs_no_request(server: Server, tmp_path: Path) -> None:
    give_up_midway(server, tmp_path / "file")
    (tmp_path / "file.part").write_bytes(DATA)
    assert download(server.url, tmp_path / "file").read_bytes() == DATA
    assert server.requests == []


@pytest.mark.parametrize("notes", ["", "[]", "{}", '{"url": 1, "validator": "", "total": "x"}'])
def test_a_part_with_unusable_notes_starts_over(server: Server, tmp_path: Path, notes: str) -> None:
    (tmp_path / "file.part").write_bytes(b"?" * 1000)
    (tmp_path / "file.part.json").write_text(notes)
    assert download(server.url, tmp_path / "file").read_bytes() == DATA
    assert "Range" not in server.requests[0]


def test_a_length_that_is_too_long_is_reported(server: Server, tmp_path: Path) -> None:
    server.announce = len(DATA) + 5
    with pytest.raises(DownloadError, match="broke off"):
        download(server.url, tmp_path / "file")
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("announced", [True, False])
def test_the_size_limit_holds_announced_or_not(
    server: Server, tmp_path: Path, announced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not announced:
        original = Handler._head

        def head(self: Handler, status: int, headers: dict[str, str]) -> None:
            headers.pop("Content-Length")
            self.close_connection = True
            original(self, status, {**headers, "Connection": "close"})

        monkeypatch.setattr(Handler, "_head", head)
    done = [0]
    with pytest.raises(DownloadError, match=r"limit is 100,000 bytes"):
        download(
            server.url,
            tmp_path / "file",
            max_bytes=100_000,
            progress=lambda now, total: done.append(now),
        )
    assert max(done) <= (0 if announced else 100_000)
    assert leftovers(tmp_path) == []


def test_redirects_are_followed(server: Server, tmp_path: Path) -> None:
    server.redirect = "/moved?token=secret"
    assert download(server.url, tmp_path / "file").read_bytes() == DATA
    assert [request["path"] for request in server.requests] == [
        "/data/reviews.tar.gz",
        "/moved?token=secret",
    ]


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("/again", "redirects more than 5 times"),
        ("ftp://127.0.0.1/x", "only http and https"),
        ("file:///etc/passwd", "only http and https"),
    ],
)
def test_redirects_that_are_refused(
    server: Server, tmp_path: Path, target: str, sentence: str
) -> None:
    server.redirect = target
    with pytest.raises(DownloadError, match=sentence):
        download(server.url, tmp_path / "file")
    assert leftovers(tmp_path) == []


def test_a_redirect_from_https_to_http_is_refused() -> None:
    check = transfer._secure_redirects("https://a.example/x")
    check(httpx.Request("GET", "https://b.example/y"))
    with pytest.raises(httpx.UnsupportedProtocol, match="from https to http"):
        check(httpx.Request("GET", "http://b.example/y"))


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (404, r"no such file \(404\)"),
        (403, r"access is refused \(403\)"),
        (500, r"trouble \(500\); try again later"),
        (204, "status 204"),
        (416, "status 416"),
    ],
)
def test_a_refusal_is_one_sentence_without_secrets(
    server: Server, tmp_path: Path, status: int, sentence: str
) -> None:
    server.status = status
    url = server.url.replace("http://", "http://me:pass@") + "?token=secret"
    with pytest.raises(DownloadError, match=sentence) as caught:
        download(url, tmp_path / "file")
    assert server.url in str(caught.value)
    assert "secret" not in str(caught.value) and "pass" not in str(caught.value)
    assert leftovers(tmp_path) == []


def test_an_unreachable_server_says_what_to_do(server: Server, tmp_path: Path) -> None:
    url = server.url
    server.server_close()
    with pytest.raises(DownloadError, match=r"cannot be reached.*save it as .*file"):
        download(url, tmp_path / "file")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "nonsense", "http://[", ""])
def test_an_address_that_is_none(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadError, match="Cannot fetch"):
        download(url, tmp_path / "file")


@pytest.mark.parametrize(
    ("name", "value"), [("HTTP_PROXY", "nonsense://proxy"), ("SSL_CERT_FILE", "/nowhere/ca.pem")]
)
def test_unusable_proxy_or_certificates_are_named(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(DownloadError, match="proxy or certificate variables"):
        download(server.url, tmp_path / "file")


def test_a_slow_server_is_given_up(server: Server, tmp_path: Path) -> None:
    original, release = Handler._head, threading.Event()

    def head(self: Handler, status: int, headers: dict[str, str]) -> None:
        release.wait(30)
        original(self, status, headers)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Handler, "_head", head)
        with pytest.raises(DownloadError, match=r"no answer within 0\.05 seconds"):
            download(server.url, tmp_path / "file", timeout=0.05)
        release.set()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_named(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file.part").symlink_to("/dev/full")
    # A new transfer would take the link away: the device must be what is written to.
    monkeypatch.setattr(transfer._Partial, "discard", lambda self: None)
    with pytest.raises(DownloadError, match=r"no room left for .*file: free some space"):
        download(server.url, tmp_path / "file")


def test_a_folder_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with pytest.raises(DownloadError, match="Cannot write"):
        download(server.url, tmp_path / "plain" / "file")


# Archives


def archive_of(
    file: Path, *members: tuple[str, bytes] | tarfile.TarInfo, mode: str = "w:gz"
) -> Path:
    with tarfile.open(file, mode) as tar:  # type: ignore[call-overload]
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return file


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_an_archive_is_unpacked(tmp_path: Path, mode: str) -> None:
    archive = archive_of(
        tmp_path / "a.tar.gz",
        special("top", tarfile.DIRTYPE),
        ("./top/one.txt", b"one"),
        ("top/._one.txt", b"resource fork"),
        ("top/deep/" + "long" * 60 + ".txt", b"two"),
        ("top/empty", b""),
        mode=mode,
    )
    out = extract(archive, tmp_path / "out")
    found = {path.relative_to(out).as_posix(): path for path in out.rglob("*") if path.is_file()}
    assert {name: path.read_bytes() for name, path in found.items()} == {
        "one.txt": b"one",
        "deep/" + "long" * 60 + ".txt": b"two",
        "empty": b"",
    }
    assert leftovers(tmp_path) == ["a.tar.gz", "out"]


def test_modes_are_not_taken_over(tmp_path: Path) -> None:
    info = tarfile.TarInfo("run")
    info.mode = 0o4777
    out = extract(archive_of(tmp_path / "a.tar.gz", info), tmp_path / "out")
    assert (out / "run").stat().st_mode & 0o7111 == 0


EVIL: dict[str, list[tuple[str, bytes] | tarfile.TarInfo]] = {
    "parent": [("../evil", b"x")],
    "hidden parent": [("a/../../evil", b"x")],
    "absolute": [("/tmp/ocelot-evil", b"x")],
    "windows drive": [("C:\\evil", b"x")],
    "windows parent": [("..\\evil", b"x")],
    "windows share": [("\\\\host\\share\\evil", b"x")],
    "symlink out": [special("link", tarfile.SYMTYPE, "../outside"), ("link/evil", b"x")],
    "symlink inside": [special("link", tarfile.SYMTYPE, "a")],
    "hard link": [special("link", tarfile.LNKTYPE, "../outside/secret")],
    "device": [special("device", tarfile.CHRTYPE)],
    "fifo": [special("pipe", tarfile.FIFOTYPE)],
    "twice": [("a", b"1"), ("./a", b"2")],
    "file as folder": [("a", b"1"), ("a/b", b"2")],
    "folder as file": [("a/b", b"1"), ("a", b"2")],
    "itself": [(".", b"x")],
}


@pytest.mark.parametrize("case", EVIL)
def test_an_unsafe_archive_leaves_nothing(tmp_path: Path, case: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    archive = archive_of(tmp_path / "a.tar.gz", ("good.jpg", b"fine"), *EVIL[case])
    with pytest.raises(DownloadError, match="not safe to unpack"):
        extract(archive, tmp_path / "out")
    assert leftovers(tmp_path) == ["a.tar.gz", "outside"]
    assert leftovers(outside) == ["secret"] and not Path("/tmp/ocelot-evil").exists()


def test_a_bomb_is_refused_before_it_is_written(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "a.tar.gz", ("zeros", bytes(20_000_000)))
    assert archive.stat().st_size < 50_000
    with pytest.raises(DownloadError, match=r"more than .* 1,000,000 bytes: raise the limits"):
        extract(archive, tmp_path / "out", max_unpacked_bytes=1_000_000)
    assert leftovers(tmp_path) == ["a.tar.gz"]


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "a.tar.gz", *((str(i), b"") for i in range(11)))
    with pytest.raises(DownloadError, match="more than 10 files"):
        extract(archive, tmp_path / "out", max_files=10)
    extract(archive, tmp_path / "out", max_files=11)


def test_a_bomb_in_a_header_is_refused(tmp_path: Path) -> None:
    # A PAX header of 64 MiB: tarfile alone reads it into memory.
    header = special("pax", tarfile.XHDTYPE)
    header.size = 64 * 2**20
    with gzip.open(tmp_path / "a.tar.gz", "wb", compresslevel=1) as file:
        file.write(header.tobuf())
        file.write(bytes(header.size))
        file.write(tarfile.TarInfo("a").tobuf() + bytes(1024))
    with pytest.raises(DownloadError, match="header is too long"):
        extract(tmp_path / "a.tar.gz", tmp_path / "out")


def test_a_bomb_after_the_end_is_refused(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "plain.tar", ("a", b"x"), mode="w")
    with gzip.open(tmp_path / "a.tar.gz", "wb", compresslevel=1) as file:
        file.write(archive.read_bytes() + bytes(8 * 2**20))
    with pytest.raises(DownloadError, match="after its end"):
        extract(tmp_path / "a.tar.gz", tmp_path / "out", max_unpacked_bytes=1000, max_files=10)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:-4],
        lambda data: data[:-8] + b"\0\0\0\0" + data[-4:],
        lambda data: b"<html>Sign in</html>",
        lambda data: b"",
        lambda data: data[:10],
        lambda data: gzip.compress(b"no tar" * 1000),
        lambda data: gzip.compress(gzip.decompress(data)[:2000]),
    ],
    ids=["half", "no trailer", "bad sum", "page", "empty", "header", "no tar", "short tar"],
)
def test_a_damaged_archive_says_what_to_do(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    archive = archive_of(tmp_path / "a.tar.gz", ("a", os.urandom(5000)), ("b", os.urandom(5000)))
    archive.write_bytes(spoil(archive.read_bytes()))
    with pytest.raises(DownloadError, match=r"not a whole .tar.gz archive.*fetch it again"):
        extract(archive, tmp_path / "out")
    assert leftovers(tmp_path) == ["a.tar.gz"]


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "a.tar.gz", ("a", b"new"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("mine")
    with pytest.raises(DownloadError, match=r"there already.*move it away"):
        extract(archive, tmp_path / "out")
    assert (tmp_path / "out" / "a").read_text() == "mine"
    with pytest.raises(DownloadError, match="no archive"):
        extract(tmp_path / "none", tmp_path / "other")


# The data set

LAYOUTS = {
    "as published": ("amazon_reviews_2023_subset/images_folder/", "images/"),
    "flat": ("", ""),
    "one folder": ("pictures/", ""),
    "marked for macOS": ("./images_folder/", "images/"),
}


def data_set(prefix: str, folder: str) -> bytes:
    buffer = io.BytesIO()
    pictures = [(f"{prefix}{folder}{i:03}.jpg", bytes([i])) for i in range(20)]
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in [*pictures, (f"{prefix}leopard.jpg", b"?"), (f"{prefix}._a.jpg", b"?")]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_pictures_are_found_and_a_second_run_asks_nothing(
    server: Server, tmp_path: Path, layout: str
) -> None:
    server.body = data_set(*LAYOUTS[layout])
    images = fetch_amazon_reviews(tmp_path, url=server.url)
    assert (images / "007.jpg").read_bytes() == b"\x07"
    assert len(list(images.rglob("0*.jpg"))) == 20
    assert (images / "leopard.jpg").exists() == (LAYOUTS[layout][1] == "")
    assert leftovers(tmp_path) == ["reviews"]
    changed = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    server.requests.clear()
    assert fetch_amazon_reviews(tmp_path, url=server.url) == images
    assert server.requests == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == changed


def test_shelves_are_kept_together(server: Server, tmp_path: Path) -> None:
    pictures = [(f"all/images/{shelf}/{i}.png", b"p") for shelf in "ab" for i in range(5)]
    server.body = archive_of(tmp_path / "x.tar.gz", *pictures).read_bytes()
    images = fetch_amazon_reviews(tmp_path / "out", url=server.url)
    assert images == tmp_path / "out" / "reviews" / "images"


def test_an_interrupted_unpacking_is_done_again_without_a_request(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.body = data_set("", "images/")
    written = 0
    original = archives._write

    def write(*args: Any) -> None:
        nonlocal written
        written += 1
        if written == 10:
            raise KeyboardInterrupt
        original(*args)

    monkeypatch.setattr(archives, "_write", write)
    with pytest.raises(KeyboardInterrupt):
        fetch_amazon_reviews(tmp_path, url=server.url)
    assert leftovers(tmp_path) == ["reviews.tar.gz"]
    (tmp_path / ".reviews.unpacking").mkdir()  # as a killed process leaves it
    (tmp_path / ".reviews.unpacking" / "000.jpg").write_text("half")
    images = fetch_amazon_reviews(tmp_path, url=server.url)
    assert len(server.requests) == 1
    assert sorted(path.name for path in images.glob("0*")) == [f"{i:03}.jpg" for i in range(20)]
    assert (images / "000.jpg").read_bytes() == b"\0"
    assert leftovers(tmp_path) == ["reviews", "reviews.tar.gz"]


def test_an_archive_brought_by_hand_is_used_and_kept(server: Server, tmp_path: Path) -> None:
    (tmp_path / "reviews.tar.gz").write_bytes(data_set("", "images/"))
    assert fetch_amazon_reviews(tmp_path, url=server.url).is_dir()
    assert server.requests == [] and (tmp_path / "reviews.tar.gz").is_file()


def test_a_damaged_data_set_is_removed_and_fetched_anew(server: Server, tmp_path: Path) -> None:
    whole = data_set("", "images/")
    server.body = whole[:-100]
    with pytest.raises(DownloadError, match="it was removed, run the command again"):
        fetch_amazon_reviews(tmp_path, url=server.url)
    assert leftovers(tmp_path) == []
    server.body, server.etag = whole, '"v2"'
    assert fetch_amazon_reviews(tmp_path, url=server.url).is_dir()


def test_an_archive_over_the_limit_is_kept(server: Server, tmp_path: Path) -> None:
    server.body = data_set("", "images/")
    with pytest.raises(DownloadError, match="raise the limits"):
        fetch_amazon_reviews(tmp_path, url=server.url, max_files=5)
    assert fetch_amazon_reviews(tmp_path, url=server.url, max_files=50).is_dir()
    assert len(server.requests) == 1


def test_a_folder_of_another_origin_is_left_alone(server: Server, tmp_path: Path) -> None:
    (tmp_path / "reviews").mkdir()
    (tmp_path / "reviews" / "notes.txt").write_text("mine")
    with pytest.raises(DownloadError, match="move it away"):
        fetch_amazon_reviews(tmp_path, url=server.url)
    assert server.requests == [] and leftovers(tmp_path) == ["reviews"]


def test_an_archive_without_pictures(server: Server, tmp_path: Path) -> None:
    server.body = archive_of(tmp_path / "x.tar.gz", ("readme.txt", b"hello")).read_bytes()
    with pytest.raises(DownloadError, match="no pictures"):
        fetch_amazon_reviews(tmp_path / "out", url=server.url)
