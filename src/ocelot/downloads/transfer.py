"""Fetch a file over HTTP: whole or not at all, resumed where it stopped.

A transfer that stops goes on where it stopped when the server says that the file is still the
same one (`If-Range`). Until then its bytes lie in `FILE.part`, beside notes of where they are from.
"""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from ocelot.errors import DownloadError
from ocelot.images.decode import hash_bytes

__all__ = ["MAX_BYTES", "Progress", "cannot_write", "download", "without_secrets"]

MAX_BYTES = 2 * 2**30

Progress = Callable[[int, "int | None"], None]

_ATTEMPTS = 8
_REDIRECTS = 5


def download(
    url: str,
    file: str | Path,
    *,
    max_bytes: int = MAX_BYTES,
    timeout: float = 60.0,
    progress: Progress | None = None,
) -> Path:
    """Fetch `url` into `file`, which appears whole or not at all.

    A file that is there already is left as it is, without a request. Until it is whole its bytes
    lie in `FILE.part`; an interrupted transfer goes on from there, at once or in a later run.
    Proxies and certificates come from the usual variables (HTTPS_PROXY, SSL_CERT_FILE).

    Raises:
        DownloadError: The address cannot be reached or refuses, or the file is over `max_bytes`
            or cannot be written.
    """
    file = Path(file)
    if file.is_file():
        return file
    shown = without_secrets(url)
    partial = _Partial(file, url)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _client(url, timeout) as client:
            for _ in range(_ATTEMPTS):
                if partial.is_whole() or _transfer(client, url, partial, max_bytes, progress):
                    return partial.finish()
    except httpx.TooManyRedirects:
        raise _cannot(shown, f"it redirects more than {_REDIRECTS} times") from None
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        cause = str(error).rstrip(".")
        raise _cannot(shown, f"only http and https are followed ({cause})") from None
    except httpx.TimeoutException as error:
        raise _cannot(shown, f"no answer within {timeout:g} seconds", file) from error
    except httpx.HTTPError as error:
        what = "cannot be reached" if isinstance(error, httpx.NetworkError) else "gave no answer"
        cause = str(error).strip().rstrip(".") or type(error).__name__
        raise _cannot(shown, f"the server {what} ({cause})", file) from error
    except OSError as error:
        raise cannot_write(file, error) from error
    raise _cannot(
        shown, f"the transfer broke off {_ATTEMPTS} times; run it again to go on where it stopped"
    )


class _Partial:
    """A file on its way: the bytes so far in FILE.part, where they are from in FILE.part.json."""

    def __init__(self, file: Path, url: str) -> None:
        self.file = file
        self.data = file.with_name(f"{file.name}.part")
        self._notes = file.with_name(f"{file.name}.part.json")
        self._url = hash_bytes(url.encode())  # an address may hold a secret
        self.size, self.validator, self.total = self._read()

    def _read(self) -> tuple[int, str, int | None]:
        try:
            notes = json.loads(self._notes.read_text(encoding="utf-8"))
            url, validator, total = notes["url"], str(notes["validator"]), notes["total"]
            if url == self._url and validator and isinstance(total, (int, type(None))):
                return self.data.stat().st_size, validator, total
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return 0, "", None

    def is_whole(self) -> bool:
        return self.size > 0 and self.size == self.total

    def discard(self) -> None:
        # The bytes go first: they must never lie beside notes about other bytes.
        self.data.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)
        self.size, self.validator, self.total = 0, "", None

    def restart(self, validator: str, total: int | None) -> None:
        self.discard()
        self.validator, self.total = validator, total
        notes = {"url": self._url, "validator": validator, "total": total}
        self._notes.write_text(json.dumps(notes), encoding="utf-8")

    def finish(self) -> Path:
        self.data.replace(self.file)
        self._notes.unlink(missing_ok=True)
        return self.file


def _client(url: str, timeout: float) -> httpx.Client:
    try:
        return httpx.Client(
            follow_redirects=True,
            max_redirects=_REDIRECTS,
            timeout=timeout,
            headers={"Accept-Encoding": "identity"},
            event_hooks={"request": [_secure_redirects(url)]},
        )
    except (ValueError, ImportError, OSError, httpx.InvalidURL) as error:
        cause = " ".join(str(error).split()).rstrip(".")
        raise _cannot(
            without_secrets(url),
            f"the proxy or certificate variables of the environment cannot be used ({cause})",
        ) from None


def _transfer(
    client: httpx.Client, url: str, partial: _Partial, max_bytes: int, progress: Progress | None
) -> bool:
    # One request; whether the file is whole after it. False means: try again.
    headers = {}
    if partial.size:
        headers = {"Range": f"bytes={partial.size}-", "If-Range": partial.validator}
    with client.stream("GET", url, headers=headers) as response:
        status, validator = response.status_code, _validator(response)
        length = response.headers.get("Content-Length")
        if status == 200:
            partial.restart(validator, int(length) if length else None)
        elif headers and (
            status == 416 or (status == 206 and not _continues(response, partial, validator))
        ):
            partial.discard()
            return False
        elif status != 206 or not headers:
            raise _cannot(without_secrets(url), _meaning(status))
        if (partial.total or 0) > max_bytes:
            partial.discard()
            raise _over(url, f"{partial.total or 0:,} bytes", max_bytes)
        try:
            _receive(response, partial, url, max_bytes, progress)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            if not partial.validator:  # nothing says that the rest will be of the same file
                partial.discard()
            return False
    return partial.total is None or partial.size == partial.total


def _receive(
    response: httpx.Response,
    partial: _Partial,
    url: str,
    max_bytes: int,
    progress: Progress | None,
) -> None:
    with open(partial.data, "r+b" if partial.size else "wb") as file:
        file.seek(partial.size)
        if progress is not None:
            progress(partial.size, partial.total)
        for chunk in response.iter_raw():
            if partial.size + len(chunk) > max_bytes:
                file.close()
                partial.discard()
                raise _over(url, "more", max_bytes)
            file.write(chunk)
            partial.size += len(chunk)
            if progress is not None:
                progress(partial.size, partial.total)


def _validator(response: httpx.Response) -> str:
    # A weak ETag says "means the same", not "has the same bytes": no use for joining parts.
    etag = str(response.headers.get("ETag", ""))
    if etag.startswith('"'):
        return etag
    return str(response.headers.get("Last-Modified", ""))


def _continues(response: httpx.Response, partial: _Partial, validator: str) -> bool:
    found = re.fullmatch(
        r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip()
    )
    return (
        found is not None
        and int(found[1]) == partial.size
        and (partial.total is None or found[2] in ("*", str(partial.total)))
        and validator in ("", partial.validator)
    )


def _secure_redirects(url: str) -> Callable[[httpx.Request], None]:
    def check(request: httpx.Request) -> None:
        if urlsplit(url).scheme == "https" and request.url.scheme == "http":
            raise httpx.UnsupportedProtocol("it redirects from https to http")

    return check


def without_secrets(url: str) -> str:
    """The address without what may be secret in it: user, password and query."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError
    except ValueError:
        raise DownloadError(f"Cannot fetch {url!r}: it is no http or https address.") from None
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _meaning(status: int) -> str:
    if status in (404, 410):
        return f"there is no such file ({status})"
    if status in (401, 403, 407):
        return f"access is refused ({status})"
    if status == 429 or status >= 500:
        return f"the server has trouble ({status}); try again later"
    return f"the server answers with status {status}"


def _cannot(shown: str, cause: str, file: Path | None = None) -> DownloadError:
    mend = (
        ""
        if file is None
        else f"; check the connection, or fetch it elsewhere and save it as {file}"
    )
    return DownloadError(f"Cannot fetch {shown}: {cause}{mend}.")


def _over(url: str, size: str, limit: int) -> DownloadError:
    return DownloadError(
        f"{without_secrets(url)} has {size} where the limit is {limit:,} bytes: "
        "raise the limit if the address is right."
    )


def cannot_write(path: Path, error: OSError) -> DownloadError:
    """The one sentence for a file or folder that the system refuses to write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DownloadError(
            f"There is no room left for {path}: free some space and run it again; "
            "what was fetched so far is kept."
        )
    return DownloadError(f"Cannot write {path}: {error.strerror or error}.")
