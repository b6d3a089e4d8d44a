"""Downloads from a real server on loopback; archives made here, good and bad."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ocelot import downloads
from ocelot.downloads import fetch_amazon_reviews, pictures_hash
from ocelot.errors import DownloadError

Member = tuple[str, bytes] | tarfile.TarInfo


class Server(ThreadingHTTPServer):
    """Serves one body at every path; the attributes choose how it behaves."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = b""
        self.headers = {"Content-Length": ""}  # empty: the length of the body
        self.status = 200
        self.redirect = ""
        self.release: threading.Event | None = None  # nothing is sent until then
        self.requests: list[str] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # a client that hangs up is no error
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/data/reviews.tar.gz"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        server.requests.append(self.path)
        if server.release is not None:
            server.release.wait(30)
        status, headers = server.status, dict(server.headers)
        if server.redirect and not self.path.startswith("/moved"):
            status, headers["Location"] = 302, server.redirect
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value or str(len(server.body)))
        self.end_headers()
        self.wfile.write(server.body)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with Server() as running:
        running.body = data_set("images_folder/", "images/")
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def archive_of(*members: Member) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


def data_set(prefix: str, folder: str) -> bytes:
    pictures = [(f"{prefix}{folder}{number:03}.jpg", bytes([number])) for number in range(20)]
    return archive_of(*pictures, (f"{prefix}leopard.jpg", b"?"), (f"{prefix}._a.jpg", b"?"))


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("prefix", "folder"), [("images_folder/", "images/"), ("", ""), ("a/", "")]
)
def test_the_pictures_are_found_and_a_second_run_fetches_nothing(
    server: Server, tmp_path: Path, prefix: str, folder: str
) -> None:
    server.body = data_set(prefix, folder)
    seen: list[tuple[int, int | None]] = []
    images = fetch_amazon_reviews(
        tmp_path / "new", url=server.url, progress=lambda done, total: seen.append((done, total))
    )
    assert (images / "007.jpg").read_bytes() == b"\x07"
    assert len(list(images.glob("0*.jpg"))) == 20
    assert ((images.parent if folder else images) / "leopard.jpg").exists()
    assert not list(tmp_path.rglob("._*"))
    assert leftovers(tmp_path / "new") == ["reviews"]
    assert seen == sorted(seen) and seen[-1] == (len(server.body), len(server.body))
    assert fetch_amazon_reviews(tmp_path / "new", url=server.url) == images
    assert len(server.requests) == 1


def test_an_archive_saved_by_hand_is_used_and_kept(server: Server, tmp_path: Path) -> None:
    (tmp_path / "reviews.tar.gz").write_bytes(server.body)
    assert fetch_amazon_reviews(tmp_path, url=server.url).is_dir()
    assert server.requests == [] and (tmp_path / "reviews.tar.gz").is_file()


def test_the_pictures_are_compared_with_what_was_published(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = fetch_amazon_reviews(tmp_path / "one", url=server.url)
    published = pictures_hash(images.parent)
    assert fetch_amazon_reviews(tmp_path / "two", url=server.url, sha256=published).is_dir()
    server.body = archive_of(("images/000.jpg", b"another"))
    with pytest.raises(DownloadError, match="not those that were published: fetch it again"):
        fetch_amazon_reviews(tmp_path / "three", url=server.url, sha256=published)
    assert leftovers(tmp_path / "three") == []
    monkeypatch.setattr(downloads, "AMAZON_REVIEWS_URL", server.url)
    with pytest.raises(DownloadError, match="not those that were published"):
        fetch_amazon_reviews(tmp_path, url=server.url)


def test_the_hash_of_pictures_is_that_of_sorted_lines_of_sha256sum(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for name in ("b.jpg", "below/a.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"abc")
    line = hashlib.sha256(b"abc").hexdigest() + "  {}\n"
    expected = line.format("a.png") + line.format("b.jpg")
    assert pictures_hash(tmp_path) == hashlib.sha256(expected.encode()).hexdigest()


def test_what_was_killed_long_ago_is_swept(server: Server, tmp_path: Path) -> None:
    old, new = tmp_path / ".reviews.tar.gz.0a.part", tmp_path / ".reviews.0b.part"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    fetch_amazon_reviews(tmp_path, url=server.url)
    assert leftovers(tmp_path) == [new.name, "reviews"]


def test_an_interrupted_run_leaves_nothing(server: Server, tmp_path: Path) -> None:
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_amazon_reviews(tmp_path, url=server.url, progress=interrupt)
    assert leftovers(tmp_path) == []


def test_a_folder_without_pictures_is_left_alone(server: Server, tmp_path: Path) -> None:
    (tmp_path / "reviews").mkdir()
    (tmp_path / "reviews" / "notes.txt").write_text("mine")
    with pytest.raises(DownloadError, match="no pictures: move it away"):
        fetch_amazon_reviews(tmp_path, url=server.url)
    assert server.requests == [] and leftovers(tmp_path) == ["reviews"]


def test_redirects_are_followed(server: Server, tmp_path: Path) -> None:
    server.redirect = "/moved?token=secret"
    fetch_amazon_reviews(tmp_path, url=server.url)
    assert server.requests == ["/data/reviews.tar.gz", "/moved?token=secret"]


@pytest.mark.parametrize("target", ["/again", "ftp://127.0.0.1/x", "file:///etc/passwd"])
def test_redirects_that_are_refused(server: Server, tmp_path: Path, target: str) -> None:
    server.redirect = target
    with pytest.raises(DownloadError, match="Cannot fetch"):
        fetch_amazon_reviews(tmp_path, url=server.url)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_refusal_is_one_sentence_without_secrets(
    server: Server, tmp_path: Path, status: int
) -> None:
    server.status = status
    url = server.url.replace("http://", "http://me:pass@") + "?token=secret"
    with pytest.raises(DownloadError, match=f"answered {status}") as caught:
        fetch_amazon_reviews(tmp_path, url=url)
    assert server.url in str(caught.value)
    assert "secret" not in str(caught.value) and "pass" not in str(caught.value)
    assert leftovers(tmp_path) == []


def test_a_transfer_that_breaks_off_leaves_nothing(server: Server, tmp_path: Path) -> None:
    server.headers["Content-Length"] = str(len(server.body) + 5)
    with pytest.raises(DownloadError, match=r"Cannot fetch .*save it as .*reviews\.tar\.gz"):
        fetch_amazon_reviews(tmp_path, url=server.url)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("announced", [True, False])
def test_the_size_limit_holds_announced_or_not(
    server: Server, tmp_path: Path, announced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not announced:
        server.headers.clear()
    monkeypatch.setattr(downloads, "_MAX_BYTES", 100)
    with pytest.raises(DownloadError, match="more than 100 bytes"):
        fetch_amazon_reviews(tmp_path, url=server.url)
    assert leftovers(tmp_path) == []


def test_an_unreachable_server_says_what_to_do(server: Server, tmp_path: Path) -> None:
    url = server.url
    server.server_close()
    with pytest.raises(DownloadError, match=r": Connection refused; check .*save it as"):
        fetch_amazon_reviews(tmp_path, url=url)


def test_a_slow_server_is_given_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.release = threading.Event()
    monkeypatch.setattr(downloads, "_SECONDS", 0.05)
    with pytest.raises(DownloadError, match="timed out"):
        fetch_amazon_reviews(tmp_path, url=server.url)
    server.release.set()


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x.tar.gz", "x.tar.gz", "http://[/x.tar.gz", ""])
def test_an_address_that_cannot_be_used(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadError, match="Cannot fetch"):
        fetch_amazon_reviews(tmp_path, url=url)


def test_an_unusable_proxy_is_named(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "nonsense://proxy")
    with pytest.raises(DownloadError, match="proxy"):
        fetch_amazon_reviews(tmp_path, url=server.url)


def test_a_folder_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with pytest.raises(DownloadError, match="Cannot write"):
        fetch_amazon_reviews(tmp_path / "plain", url=server.url)


UNSAFE: dict[str, list[Member]] = {
    "parent": [("../evil", b"x")],
    "hidden parent": [("a/../../evil", b"x")],
    "symlink out": [special("link", tarfile.SYMTYPE, "../outside"), ("link/evil", b"x")],
    "symlink inside": [special("link", tarfile.SYMTYPE, "a")],
    "hard link": [special("link", tarfile.LNKTYPE, "../outside/secret")],
    "device": [special("device", tarfile.CHRTYPE)],
    "fifo": [special("pipe", tarfile.FIFOTYPE)],
}


@pytest.mark.parametrize("case", UNSAFE)
def test_an_unsafe_archive_leaves_nothing(server: Server, tmp_path: Path, case: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    server.body = archive_of(("good.jpg", b"fine"), *UNSAFE[case])
    with pytest.raises(DownloadError, match="not safe to unpack"):
        fetch_amazon_reviews(tmp_path, url=server.url)
    assert leftovers(tmp_path) == ["outside"] and leftovers(outside) == ["secret"]


def test_an_absolute_path_stays_inside(server: Server, tmp_path: Path) -> None:
    server.body = archive_of(("good.jpg", b"fine"), (f"{tmp_path}/evil", b"x"))
    fetch_amazon_reviews(tmp_path, url=server.url)
    assert leftovers(tmp_path) == ["reviews"]


def test_modes_are_not_taken_over(server: Server, tmp_path: Path) -> None:
    info = tarfile.TarInfo("run.jpg")
    info.mode = 0o4777
    server.body = archive_of(info)
    images = fetch_amazon_reviews(tmp_path, url=server.url)
    assert (images / "run.jpg").stat().st_mode & 0o7022 == 0


@pytest.mark.parametrize(("limit", "value"), [("_MAX_UNPACKED", 1_000_000), ("_MAX_FILES", 5)])
def test_an_archive_over_a_limit_is_refused(
    server: Server, tmp_path: Path, limit: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, limit, value)
    server.body = archive_of(("zeros.jpg", bytes(20_000_000)), *((f"{i}", b"") for i in range(9)))
    assert len(server.body) < 50_000
    with pytest.raises(DownloadError, match="holds more than"):
        fetch_amazon_reviews(tmp_path, url=server.url)
    assert leftovers(tmp_path) == []


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
def test_a_damaged_archive_is_removed(
    server: Server, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    whole = archive_of(("a.jpg", os.urandom(5000)), ("b.jpg", os.urandom(5000)))
    server.body = spoil(whole)
    with pytest.raises(DownloadError, match=r"not a whole .tar.gz archive.*fetch it again"):
        fetch_amazon_reviews(tmp_path, url=server.url)
    assert leftovers(tmp_path) == []
    server.body = whole
    assert fetch_amazon_reviews(tmp_path, url=server.url).is_dir()


def test_an_archive_without_pictures(server: Server, tmp_path: Path) -> None:
    server.body = archive_of(("readme.txt", b"hello"))
    with pytest.raises(DownloadError, match="no pictures"):
        fetch_amazon_reviews(tmp_path, url=server.url)
    assert leftovers(tmp_path) == []
