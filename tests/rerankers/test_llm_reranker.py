from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageColor
from pydantic import SecretStr

from ocelot.cancel import Abandoned, cancellable
from ocelot.errors import ConfigurationError
from ocelot.images.file import ImageFile
from ocelot.rerankers import LLMReranker
from ocelot.rerankers.base import Reranker
from ocelot.rerankers.llm import client as client_module
from ocelot.rerankers.llm import reranker as reranker_module
from ocelot.rerankers.panorama.compose import panorama_layout
from ocelot.rerankers.panorama.tiles import query_picture
from ocelot.types import Hit, Query, Ranking, Usage
from tests.rerankers.chat_server import ChatServer, Reply, Request, completion, error, ranking
from tests.rerankers.conftest import MakeHits

KEY = "sk-test-ThisIsTheKey-0123456789"
QUERY = Query(Image.new("RGB", (80, 60), "olive"), "the same in blue")
COLOURS = ["red", "blue", "green"]


@pytest.fixture(autouse=True)
def key_is_never_shown(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> Iterator[None]:
    """Whatever a test does, neither logs of any level nor the terminal show the key."""
    with caplog.at_level(logging.DEBUG):
        yield
    shown = capsys.readouterr()
    assert KEY not in caplog.text + shown.out + shown.err


def reranker(server: ChatServer, **options: Any) -> LLMReranker:
    options = {"api_key": KEY, "base_url": server.url, "timeout": 10, "retries": 0, **options}
    return LLMReranker("served", **options)


def assert_fallback(result: Ranking, *words: str, calls: int = 0) -> None:
    assert result.order == tuple(range(len(result.order)))
    assert result.status == "fallback" and result.match is None
    assert result.usage.calls == calls
    assert KEY not in repr(result)
    for word in words:
        assert word in result.detail
    assert result.detail.endswith(".") and "\n" not in result.detail
    assert "did not judge it" in result.reason


# What is sent


def test_a_request_carries_all_that_the_model_needs(
    server: ChatServer, make_hits: MakeHits
) -> None:
    server.replies(ranking([1, 0, 2], "It is blue."))
    hits = make_hits(COLOURS, price=3)
    result = reranker(server, detail="low", max_tokens=77).rerank(QUERY, hits)
    assert result == Ranking(
        (1, 0, 2), "It is blue.", "served", match=True, usage=Usage(1, 100, 20)
    )
    (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body["model"] == "served"
    assert request.body["max_tokens"] == 77
    assert request.body["temperature"] == 0
    assert request.body["response_format"]["type"] == "json_schema"
    image = request.body["messages"][0]["content"][1]["image_url"]
    assert image["detail"] == "low"
    assert (
        '"the same in blue"' in request.prompt and '3. title: "Item 2"; price: 3' in request.prompt
    )
    layout = panorama_layout(3, text_lines=1)
    assert request.picture.size == layout.size
    for (left, top, right, bottom), colour in zip(layout.cells, COLOURS, strict=True):
        seen = request.picture.getpixel(((left + right) // 2, (top + bottom) // 2))
        wanted = Image.new("RGB", (1, 1), colour).getpixel((0, 0))
        assert np.abs(np.subtract(seen, wanted)).max() < 12


def test_azure_has_its_own_path_and_header(server: ChatServer, make_hits: MakeHits) -> None:
    server.replies(ranking([1, 0, 2]))
    azure = LLMReranker(
        "my-deployment", api_key=KEY, azure_endpoint=server.root, azure_api_version="2024-10-21"
    )
    assert azure.rerank(QUERY, make_hits(COLOURS)).order == (1, 0, 2)
    (request,) = server.requests
    assert request.path == (
        "/openai/deployments/my-deployment/chat/completions?api-version=2024-10-21"
    )
    assert request.headers["api-key"] == KEY
    assert "max_completion_tokens" in request.body


def test_a_server_without_keys(server: ChatServer, make_hits: MakeHits) -> None:
    server.replies(ranking([1, 0, 2]))
    assert reranker(server, api_key=None).rerank(QUERY, make_hits(COLOURS)).status == "ok"
    assert KEY not in server.requests[0].headers["authorization"]


def test_the_environment_of_the_client_is_not_used(
    server: ChatServer, make_hits: MakeHits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1")
    server.replies(ranking([1, 0, 2]))
    assert reranker(server, api_key=None).rerank(QUERY, make_hits(COLOURS)).status == "ok"
    assert KEY not in repr(server.requests[0].headers)
    with pytest.raises(ConfigurationError, match="needs an API key"):
        LLMReranker()


def test_a_secret_string_is_taken(server: ChatServer, make_hits: MakeHits) -> None:
    reranker(server, api_key=SecretStr(KEY + "\n")).rerank(QUERY, make_hits(COLOURS))
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("query", [Query(text="blue"), Query(Image.new("RGB", (9, 9))), QUERY])
def test_queries_of_each_kind(server: ChatServer, make_hits: MakeHits, query: Query) -> None:
    server.replies(ranking([2, 1, 0]))
    assert reranker(server).rerank(query, make_hits(COLOURS)).order == (2, 1, 0)


def test_a_picture_that_is_gone_is_shown_as_none(server: ChatServer, make_hits: MakeHits) -> None:
    server.replies(ranking([2, 1, 0]))
    hits = make_hits(COLOURS)
    Path(hits[1].path).unlink()
    hits[2] = replace(hits[2], paths=("/not/here.png", hits[2].path))
    assert reranker(server).rerank(QUERY, hits).status == "ok"
    cells = panorama_layout(3, text_lines=1).cells
    corners = [server.requests[0].picture.getpixel((x - 20, y - 20)) for _, _, x, y in cells]
    assert np.abs(np.subtract(corners[1], (225, 225, 225))).max() < 8  # grey
    second = np.asarray(server.requests[0].picture.crop(cells[2]))[150, 150]
    assert np.abs(np.subtract(second.astype(int), (0, 128, 0))).max() < 12  # its second path


def test_a_query_picture_that_cannot_be_decoded(server: ChatServer, make_hits: MakeHits) -> None:
    query = Query(ImageFile(b"no image", "query.png"))
    assert_fallback(reranker(server).rerank(query, make_hits(COLOURS)), "query.png", "not an image")
    assert not server.requests


def test_no_hits_ask_nobody(server: ChatServer) -> None:
    assert reranker(server).rerank(QUERY, []).order == ()
    assert not server.requests


# What comes back

SAID = '{"ranking": [3, 1, 2], "reason": "Spots.", "match": true}'


@pytest.mark.parametrize(
    ("reply", "status", "detail"),
    [
        (completion(SAID), "ok", ""),
        (completion("Ranked list: [3, 1, 2]\nReasons: Spots."), "ok", ""),
        (completion([{"type": "text", "text": SAID}]), "ok", ""),
        (completion(SAID, usage=None), "ok", ""),
        (
            completion(SAID.replace("3, 1, 2", "3, 3, 1")),
            "repaired",
            "1 repeat was dropped; 1 missing index was appended",
        ),
        (completion(SAID, finish="length"), "repaired", "the reply was cut at max_tokens=1024"),
        (
            completion('{"ranking": [3, 1, 2], "reason": "Spots.', finish="length"),
            "repaired",
            "the reply was cut at max_tokens=1024; the JSON was malformed",
        ),
    ],
)
def test_replies_that_can_be_used(
    server: ChatServer, make_hits: MakeHits, reply: Reply, status: str, detail: str
) -> None:
    server.replies(reply)
    result = reranker(server).rerank(QUERY, make_hits(COLOURS))
    assert (result.order, result.reason) == ((2, 0, 1), "Spots.")
    assert (result.status, result.detail) == (status, detail)
    counted = (100, 20) if "usage" in reply.body else (0, 0)
    assert result.usage == Usage(1, *counted)


def test_nothing_fits(server: ChatServer, make_hits: MakeHits) -> None:
    server.replies(ranking([], "Only cars.", match=False))
    result = reranker(server).rerank(QUERY, make_hits(COLOURS))
    assert (result.order, result.match, result.status) == ((0, 1, 2), False, "ok")
    assert result.reason == "Only cars."


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (completion("I like them all."), "holds no ranked list"),
        (completion(""), "an empty answer"),
        (completion(None), "an empty answer"),
        (completion(5), "an empty answer"),
        (completion(None, finish="length"), "raise max_tokens"),
        (completion('{"rank', finish="length"), "raise max_tokens"),
        (completion(None, refusal="I will not look."), "refused to answer (I will not look)"),
        (completion(SAID, finish="content_filter"), "content filter"),
        (Reply(b""), "an empty body"),
        (Reply(b"<html>Sign in</html>", headers={"Content-Type": "text/html"}), "/v1"),
        (Reply(b"{"), "not a chat completion"),
        (Reply([1]), "not a chat completion"),
        (Reply(b"[" * 99_999), "not a chat completion"),
        (Reply({"choices": []}), "without a choice"),
        (Reply({"choices": None, "error": {"message": "Overloaded"}}), "(Overloaded)"),
        (Reply({"choices": [None], "usage": "much"}), "without a choice"),
        (Reply({"choices": [{"message": "hello"}]}), "an empty answer"),
    ],
)
def test_replies_that_cannot_be_used(
    server: ChatServer, make_hits: MakeHits, reply: Reply, words: str
) -> None:
    server.replies(reply)
    result = reranker(server).rerank(QUERY, make_hits(COLOURS))
    assert_fallback(result, words, "served", calls=1)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (error(401, f"Incorrect API key provided: {KEY}"), "check the key"),
        (error(403, "Not for you"), "(Not for you)"),
        (Reply(b"", 404), "check the address"),
        (error(400, "Violence", code="content_filter"), "content filter (HTTP 400) (Violence)"),
        (error(413, "Too big"), "smaller window"),
        (error(429, "Slow down"), "too many requests"),
        (error(500, "Oops"), "(HTTP 500) (Oops)"),
        (Reply(b"<html>Bad gateway", 502), "(HTTP 502) (<html>Bad gateway)"),
        (Reply({"error": "as words"}, 500), "(as words)"),
        (Reply({"detail": [{"msg": "wrong"}]}, 422), "wrong"),
        (Reply(b"", 418), "(HTTP 418)"),
        (Reply(b"", 301), "(HTTP 301)"),
    ],
)
def test_errors_that_the_server_reports(
    server: ChatServer, make_hits: MakeHits, reply: Reply, words: str
) -> None:
    server.replies(reply)
    result = reranker(server).rerank(QUERY, make_hits(COLOURS))
    assert_fallback(result, words, "served")
    assert len(server.requests) == 1


MODEL, PICTURES, READABLE, SHORT, NEITHER = (
    "; check the model's name.",
    "; use a model that takes pictures.",
    "; use a smaller window, or another model.",
    "; use a smaller window, or a model with a longer context.",
    "; check the model and the reranker's settings.",
)


@pytest.mark.parametrize(
    ("reply", "mend"),
    [  # as OpenAI, Azure, Mistral, vLLM, Ollama, OpenRouter and llama.cpp say it
        (error(404, "The model `served` does not exist", code="model_not_found"), MODEL),
        (error(404, "There is no such deployment", code="DeploymentNotFound"), MODEL),
        (error(400, "Invalid model: served", type="invalid_model"), MODEL),
        (error(404, 'model "served" not found, try pulling it first'), MODEL),
        (error(400, "served is not a valid model ID", code=400), MODEL),
        (Reply([{"error": {"message": "models/served is not found", "code": 404}}], 404), MODEL),
        (error(400, "This model takes no images"), PICTURES),
        (error(400, "served is not a multimodal model"), PICTURES),
        (error(400, "unknown variant `image_url`, expected `text`"), PICTURES),
        (error(422, "Wrong part", param="messages[0].content[1].image_url"), PICTURES),
        (error(400, "You uploaded an unsupported image", code="invalid_image_format"), READABLE),
        (error(400, "Failed to process the image"), READABLE),
        (error(400, "Too long", code="context_length_exceeded"), SHORT),
        (error(400, "This model's maximum context length is 4096 tokens"), SHORT),
        (error(400, "It is large", type="exceed_context_size_error"), SHORT),
        (error(400, "Unknown argument"), NEITHER),
    ],
)
def test_each_refusal_has_its_own_mend(
    server: ChatServer, make_hits: MakeHits, reply: Reply, mend: str
) -> None:
    server.replies(reply)
    result = reranker(server).rerank(QUERY, make_hits(COLOURS))
    assert_fallback(result)
    assert result.detail.endswith(mend)


def test_a_models_name_says_nothing_about_pictures(make_hits: MakeHits) -> None:
    said = error(404, "The model `image-vision` does not exist")
    with ChatServer(lambda _: said) as server:
        model = LLMReranker("image-vision", base_url=server.url, retries=0)
        assert model.rerank(QUERY, make_hits(COLOURS)).detail.endswith(MODEL)


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize(
    "echo",
    [
        f"Bad key {KEY}!",
        f"You sent Authorization: Bearer {KEY}",
        f'headers: {{"authorization": "Bearer {KEY}", "api-key": "{KEY}"}}',
        "The key is sk-proj-another****Wxyz.",
        "x" * 195 + KEY,
    ],
)
def test_an_echoed_key_is_hidden(
    server: ChatServer, make_hits: MakeHits, status: int, echo: str
) -> None:
    server.replies(error(status, echo))
    result = reranker(server).rerank(QUERY, make_hits(COLOURS))
    assert_fallback(result)
    assert not any(part in repr(result) for part in (KEY, KEY[:12], "sk-proj", "Wxyz"))


@pytest.mark.parametrize("spelling", [KEY, KEY.replace("k", "\\u006b")])
def test_a_key_in_the_reason_is_hidden(
    server: ChatServer, make_hits: MakeHits, tmp_path: Path, spelling: str
) -> None:
    server.replies(completion(SAID.replace("Spots.", f"Spots and {spelling}.")))
    result = reranker(server, cache=tmp_path / "cache").rerank(QUERY, make_hits(COLOURS))
    assert result.reason == "Spots and [hidden]."
    (kept,) = (tmp_path / "cache").iterdir()
    assert KEY not in kept.read_text()


def test_a_short_key_hides_only_whole_words(server: ChatServer, make_hits: MakeHits) -> None:
    server.replies(completion(SAID.replace("Spots.", "Spots EMPTY, not EMPTYING.")))
    result = reranker(server, api_key="EMPTY").rerank(QUERY, make_hits(COLOURS))
    assert result.reason == "Spots [hidden], not EMPTYING."


@pytest.mark.parametrize("how", ["wait", "drip"])
def test_a_server_that_is_slow(server: ChatServer, make_hits: MakeHits, how: str) -> None:
    """Or sends a byte now and then, as gateways do: each would start a timeout anew."""
    release = threading.Event()
    server.replies(replace(ranking([1, 0, 2]), **{how: release}))
    try:
        result = reranker(server, timeout=0.3).rerank(QUERY, make_hits(COLOURS))
    finally:
        release.set()
    assert_fallback(result, "within 0.3 s", "raise the timeout")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in seconds, which a test moves on; sleeping moves it on at once."""
    now = [1000.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    fake = SimpleNamespace(monotonic=lambda: now[0], sleep=sleep)
    for module in (client_module, reranker_module):
        monkeypatch.setattr(module, "time", fake)
    return now


def test_the_timeout_bounds_all_retries(
    server: ChatServer, make_hits: MakeHits, clock: list[float]
) -> None:
    def slow(request: Request) -> Reply:
        clock[0] += 1.2
        return error(503, "no")

    server.script = slow
    result = reranker(server, timeout=3, retries=10).rerank(QUERY, make_hits(COLOURS))
    assert_fallback(result, "(HTTP 503)")
    assert len(server.requests) == 2 and clock[0] <= 1003


def test_a_pause_that_is_longer_than_the_time_left_is_not_made(
    server: ChatServer, make_hits: MakeHits, clock: list[float]
) -> None:
    server.replies(error(429, "Slow down", headers={"Retry-After": "5"}))
    result = reranker(server, timeout=3, retries=2).rerank(QUERY, make_hits(COLOURS))
    assert_fallback(result, "(HTTP 429) (Slow down)")  # and not that it took too long
    assert len(server.requests) == 1 and clock[0] == 1000


def test_the_timeout_bounds_all_windows(
    server: ChatServer, make_hits: MakeHits, clock: list[float]
) -> None:
    def slow(request: Request) -> Reply:
        clock[0] += 1.2
        return brightest_first(request)

    server.script = slow
    result = reranker(server, timeout=3).rerank(QUERY, make_hits(GREYS))
    assert len(server.requests) == 3
    assert result.detail.startswith("3 of 6 windows kept retrieval order, because: ")
    assert "did not answer within 3 s" in result.detail
    assert (result.order[0], result.match) == (0, None)


def test_no_connection_outlives_the_answer(server: ChatServer, make_hits: MakeHits) -> None:
    model = reranker(server)
    server.replies(ranking([1, 0, 2]))
    assert model.rerank(QUERY, make_hits(COLOURS)).status == "ok"
    assert server.closed.wait(5) and model.name == "served"  # which still exists


@pytest.mark.parametrize(
    ("prices", "cost"), [(None, None), ((2.5, 10.0), 3 * (100 * 2.5 + 20 * 10.0) / 1e6)]
)
def test_money_is_said_where_the_prices_are_known(
    server: ChatServer, make_hits: MakeHits, prices: Any, cost: float | None
) -> None:
    server.script = brightest_first
    model = reranker(server, prices=prices, window=2)
    assert model.rerank(QUERY, make_hits(GREYS[:4])).usage == Usage(3, 300, 60, cost)


def test_a_connection_that_breaks_midway(server: ChatServer, make_hits: MakeHits) -> None:
    server.replies(replace(ranking([1, 0, 2]), drop=True))
    assert_fallback(reranker(server).rerank(QUERY, make_hits(COLOURS)), "broke")


def test_a_server_that_is_not_there(make_hits: MakeHits) -> None:
    with socket.socket() as taken:  # bound but not listening: refused, and nobody else's
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        unreachable = LLMReranker("m", api_key=KEY, base_url=url, retries=0)
        result = unreachable.rerank(QUERY, make_hits(COLOURS * 10))
    assert_fallback(result, "m at http://127.0.0.1", "cannot be reached (Connection refused)")


def test_too_many_requests_are_tried_again(server: ChatServer, make_hits: MakeHits) -> None:
    busy = error(429, "Slow down", headers={"Retry-After": "0.01"})
    server.replies(busy, busy, ranking([1, 0, 2]))
    result = reranker(server, retries=2).rerank(QUERY, make_hits(COLOURS))
    assert (result.order, result.status, result.usage.calls) == ((1, 0, 2), "ok", 1)
    assert len(server.requests) == 3


# Dialects


def refuses(**wrong: str) -> Any:
    """A server that answers 400 to requests with these fields."""

    def script(request: Request) -> Reply:
        for name, message in wrong.items():
            if name in request.body:
                return error(400, message, param=name)
        if "response_format" in request.body:
            return ranking([1, 0, 2])
        return completion("Ranked list: [2, 1, 3]\nReasons: Blue.\nMatch: yes")

    return script


UNKNOWN = {
    "response_format": "This server knows no response_format of type json_schema.",
    "max_tokens": "Unsupported parameter: 'max_tokens' is not supported with this model. "
    "Use 'max_completion_tokens' instead.",
    "temperature": "Unsupported value: 'temperature' does not support 0 with this model.",
}


@pytest.mark.parametrize("names", [*([name] for name in UNKNOWN), list(UNKNOWN)])
def test_what_a_server_does_not_know_is_left_out_and_remembered(
    server: ChatServer, make_hits: MakeHits, names: list[str]
) -> None:
    server.script = refuses(**{name: UNKNOWN[name] for name in names})
    model, hits = reranker(server), make_hits(COLOURS)
    first = model.rerank(QUERY, hits)
    assert (first.order, first.status, first.match) == ((1, 0, 2), "ok", True)
    assert first.usage.calls == 1
    assert len(server.requests) == 1 + len(names)
    model.rerank(QUERY, hits)
    assert len(server.requests) == 2 + len(names)
    last = server.requests[-1]
    assert not set(names) & set(last.body)
    assert ("Ranked list:" in last.prompt) == ("response_format" in names)


def test_a_server_that_knows_only_max_tokens(server: ChatServer, make_hits: MakeHits) -> None:
    server.script = refuses(max_completion_tokens="Unrecognized: max_completion_tokens")
    azure = LLMReranker("m", api_key=KEY, azure_endpoint=server.root, retries=0)
    assert azure.rerank(QUERY, make_hits(COLOURS)).status == "ok"
    assert "max_tokens" in server.requests[-1].body


def test_a_server_that_is_never_content_is_not_asked_for_ever(
    server: ChatServer, make_hits: MakeHits
) -> None:
    everything = "response_format max_tokens max_completion_tokens temperature"
    server.script = lambda request: error(400, everything)
    assert_fallback(reranker(server).rerank(QUERY, make_hits(COLOURS)), "HTTP 400")
    assert len(server.requests) <= 8


# Windows


def brightest_first(request: Request) -> Reply:
    """Looks at the picture, as a model would, and prefers light tiles."""
    count = sum(line[:1].isdigit() for line in request.prompt.splitlines())
    light = []
    for left, top, right, bottom in panorama_layout(count).cells:
        middle = request.picture.crop((left + 100, top + 120, right - 100, bottom - 120))
        light.append(float(np.asarray(middle.convert("L")).mean()))
    best = max(light)
    return ranking(sorted(range(count), key=lambda i: -light[i]), f"Light: {best:.0f}.")


@pytest.mark.parametrize("window", [2, 9, 25])
def test_the_best_of_thirty_climbs_to_the_top(
    server: ChatServer, make_hits: MakeHits, window: int
) -> None:
    greys = [8 * ((7 * i + 4) % 30) for i in range(30)]  # no two alike
    server.script = brightest_first
    hits = make_hits([(grey,) * 3 for grey in greys])
    result = reranker(server, window=window).rerank(QUERY, hits)
    assert sorted(result.order) == list(range(30)) and result.status == "ok"
    reach = window // 2
    oracle = sorted(range(30), key=lambda i: -greys[i])
    assert list(result.order[:reach]) == oracle[:reach]
    assert result.reason == f"Light: {max(greys)}."  # of the last window, at the head
    assert result.usage.calls == len(server.requests) > 1
    assert result.usage.prompt_tokens == 100 * len(server.requests)
    titles = {line for request in server.requests for line in request.prompt.splitlines()}
    assert all(any(f'"Item {i}"' in line for line in titles) for i in range(30))


def nth(*numbers: int, reply: Reply) -> Any:
    """Ranks by light, but gives `reply` to these requests, counted from 1."""
    count = iter(range(1, 99))
    return lambda request: reply if next(count) in numbers else brightest_first(request)


GREYS = [(8 * i,) * 3 for i in range(30)]  # the best is the last: six windows of nine


@pytest.mark.parametrize(
    "reply", [completion("no"), completion(None, refusal="no"), Reply(b"", 500)]
)
def test_a_window_that_fails_leaves_the_others(
    server: ChatServer, make_hits: MakeHits, reply: Reply
) -> None:
    server.script = nth(2, reply=reply)
    result = reranker(server).rerank(QUERY, make_hits(GREYS))
    assert len(server.requests) == 6
    assert sorted(result.order) == list(range(30)) and result.order[0] > 0
    assert result.status == "repaired" and result.match is True
    assert result.detail.startswith("1 of 6 windows kept retrieval order, because: ")


def test_when_the_head_fails_its_reason_is_not_invented(
    server: ChatServer, make_hits: MakeHits
) -> None:
    server.script = nth(6, reply=completion("no"))
    result = reranker(server).rerank(QUERY, make_hits(GREYS))
    assert (result.order[0], result.status, result.match) == (0, "repaired", None)
    assert result.reason == "Kept from the search (similarity 0.90): served did not judge it."


def test_a_repair_names_its_window(server: ChatServer, make_hits: MakeHits) -> None:
    server.script = nth(3, reply=ranking([0, 0, 1, 2, 3, 4, 5, 6, 7, 8]))
    result = reranker(server).rerank(QUERY, make_hits(GREYS))
    assert result.detail == "window 3 of 6: 1 repeat was dropped"


@pytest.mark.parametrize("status", [400, 401])
def test_errors_that_will_not_go_away_end_it(
    server: ChatServer, make_hits: MakeHits, status: int
) -> None:
    server.script = nth(*range(1, 9), reply=error(status, "no"))
    assert_fallback(reranker(server).rerank(QUERY, make_hits(GREYS)), f"HTTP {status}")
    assert len(server.requests) == 1


def test_a_server_that_failed_twice_is_left_alone(server: ChatServer, make_hits: MakeHits) -> None:
    server.script = nth(2, 4, reply=error(503, "no"))
    result = reranker(server).rerank(QUERY, make_hits(GREYS))
    assert len(server.requests) == 4
    assert (result.status, result.order[0], result.match) == ("repaired", 0, None)
    assert "4 of 6 windows" in result.detail


def test_refusals_do_not_end_it(server: ChatServer, make_hits: MakeHits) -> None:
    # Windows overlap, so a picture that a filter objects to is in two of them.
    server.script = nth(2, 3, 4, reply=error(400, "no", code="content_filter"))
    result = reranker(server).rerank(QUERY, make_hits(GREYS))
    assert len(server.requests) == 6
    assert "3 of 6 windows" in result.detail and result.match is True


def test_a_quota_that_is_used_up_ends_it(server: ChatServer, make_hits: MakeHits) -> None:
    server.replies(error(429, "No more", code="insufficient_quota"))
    assert_fallback(reranker(server).rerank(QUERY, make_hits(GREYS)), "quota")
    assert len(server.requests) == 1


# Cache


@pytest.fixture
def cached(server: ChatServer, tmp_path: Path) -> LLMReranker:
    server.replies(ranking([1, 0, 2], "Blue."))
    return reranker(server, cache=tmp_path / "cache")


def test_the_same_question_is_asked_once(
    cached: LLMReranker, server: ChatServer, make_hits: MakeHits, tmp_path: Path
) -> None:
    hits = make_hits(COLOURS)
    first = cached.rerank(QUERY, hits)
    # The same content from a file, in another process: still the same question.
    (tmp_path / "query.png").write_bytes(QUERY.images[0].data)
    again = reranker(server, cache=tmp_path / "cache", api_key="another-key-123")
    second = again.rerank(Query(tmp_path / "query.png", QUERY.text), hits)
    assert len(server.requests) == 1
    assert second == replace(first, cached=True, usage=Usage())


def other_title(hits: list[Hit]) -> list[Hit]:
    return [replace(hits[0], metadata={"title": "Other"}), *hits[1:]]


@pytest.mark.parametrize(
    ("query", "change", "options"),
    [
        (Query(Image.new("RGB", (80, 60), "pink"), QUERY.text), None, {}),
        (Query(QUERY.images, "the same in red"), None, {}),
        (Query(QUERY.images), None, {}),
        (Query(text=QUERY.text), None, {}),
        (QUERY, lambda hits: [replace(hits[0], sha256="f" * 64), *hits[1:]], {}),
        (QUERY, lambda hits: hits[::-1], {}),
        (QUERY, lambda hits: hits[:2], {}),
        (QUERY, other_title, {}),
        (QUERY, None, {"detail": "low"}),
        (QUERY, None, {"window": 8}),
        (QUERY, None, {"max_tokens": 99}),
    ],
)
def test_another_question_is_asked(
    cached: LLMReranker,
    server: ChatServer,
    make_hits: MakeHits,
    tmp_path: Path,
    query: Query,
    change: Any,
    options: dict[str, Any],
) -> None:
    hits = make_hits(COLOURS)
    cached.rerank(QUERY, hits)
    other = reranker(server, cache=tmp_path / "cache", **options)
    result = other.rerank(query, change(hits) if change else hits)
    assert len(server.requests) == 2 and not result.cached


def test_each_set_of_reference_pictures_is_a_question_of_its_own(
    cached: LLMReranker, server: ChatServer, make_hits: MakeHits
) -> None:
    hits = make_hits(COLOURS)
    olive, pink, navy = (Image.new("RGB", (80, 60), name) for name in ("olive", "pink", "navy"))
    sheet = query_picture(Query([olive, pink]))
    assert sheet is not None
    sets = [(olive,), (olive, pink), (pink, olive), (olive, navy), (olive, pink, navy),
            (olive, olive), (sheet,)]  # fmt: skip
    for number, images in enumerate(sets, 1):
        query = Query(images, "in blue")
        assert not cached.rerank(query, hits).cached
        assert cached.rerank(query, hits).cached
        assert len(server.requests) == number


def test_each_other_wish_is_a_question_of_its_own(
    cached: LLMReranker, server: ChatServer, make_hits: MakeHits
) -> None:
    hits = make_hits(COLOURS)
    wishes: list[dict[str, Any]] = [
        {}, {"negative_text": "red"}, {"negative_text": "green"}, {"negative_images": b"x"},
        {"negative_images": b"y"}, {"text_weight": 2}, {"image_weights": 2}, {"like": "a"},
        {"unlike": "a"}, {"like": "b"}, {"negative_text": "red", "negative_weight": 1},
    ]  # fmt: skip
    picture = Image.new("RGB", (80, 60), "olive")
    for number, wish in enumerate(wishes, 1):
        query = Query(picture, "in blue", **wish)
        assert not cached.rerank(query, hits).cached
        assert cached.rerank(query, hits).cached
        assert len(server.requests) == number


def test_a_request_shows_every_reference_picture_and_says_how_many(
    server: ChatServer, make_hits: MakeHits
) -> None:
    server.replies(ranking([1, 0, 2]))
    names = ("olive", "pink", "navy")
    query = Query([Image.new("RGB", (60, 60), name) for name in names], "in blue")
    assert reranker(server).rerank(query, make_hits(COLOURS)).status == "ok"
    (request,) = server.requests
    assert "3 query pictures" in request.prompt
    tile = np.asarray(request.picture.crop(panorama_layout(3, text_lines=1).picture)).astype(int)
    for name in names:
        near = np.abs(tile - ImageColor.getrgb(name)).max(axis=2) < 12
        assert near.mean() > 0.2


def test_items_of_equal_content_are_the_same_question(
    cached: LLMReranker, server: ChatServer, make_hits: MakeHits
) -> None:
    hits = make_hits(COLOURS)
    cached.rerank(QUERY, hits)
    named = [replace(hits[0], id="my-own-id"), *hits[1:]]
    assert cached.rerank(QUERY, named).cached
    assert len(server.requests) == 1


def test_another_model_is_asked(
    cached: LLMReranker, server: ChatServer, make_hits: MakeHits, tmp_path: Path
) -> None:
    hits = make_hits(COLOURS)
    cached.rerank(QUERY, hits)
    other = LLMReranker("other", base_url=server.url, cache=tmp_path / "cache")
    assert other.rerank(QUERY, hits).reranker == "other"
    assert len(server.requests) == 2


@pytest.mark.parametrize("reply", [completion("no"), Reply(b"", 500), ranking([9])])
def test_failures_are_not_kept(
    cached: LLMReranker, server: ChatServer, make_hits: MakeHits, reply: Reply
) -> None:
    server.replies(reply, ranking([2, 1, 0]))
    hits = make_hits(COLOURS)
    assert cached.rerank(QUERY, hits).status == "fallback"
    assert cached.rerank(QUERY, hits).order == (2, 1, 0)


def test_answers_that_may_come_out_better_are_not_kept(
    cached: LLMReranker, server: ChatServer, make_hits: MakeHits, tmp_path: Path
) -> None:
    server.script = nth(2, reply=Reply(b"", 500))
    assert cached.rerank(QUERY, make_hits(GREYS)).status == "repaired"
    hits = make_hits(COLOURS)
    Path(hits[0].path).unlink()
    assert cached.rerank(QUERY, hits).status == "ok"
    assert not (tmp_path / "cache").exists()


# Construction


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "needs an API key"),
        ({"api_key": " "}, "needs an API key"),
        ({"api_key": f"{KEY} {KEY}"}, "copy it again"),
        ({"api_key": f"{KEY}\n{KEY}"}, "copy it again"),
        ({"api_key": f"{KEY}é"}, "copy it again"),
        ({"base_url": "localhost:8000/v1"}, "http://"),
        ({"base_url": "http://"}, "http://"),
        ({"base_url": "http://[::1"}, "http://"),
        ({"base_url": "http://host:99999999/v1"}, "http://"),
        ({"base_url": f"http://user:{KEY}@host/v1"}, "no user name"),
        ({"base_url": f"ftp://user:{KEY}@host/v1"}, "http://"),
        ({"base_url": f"http://host/v1?key={KEY}"}, "query"),
        ({"base_url": "http://host", "azure_endpoint": "http://host"}, "keep one"),
        ({"azure_endpoint": "http://host"}, "needs an API key"),
        ({"api_key": KEY, "window": 1}, "2 to 25 candidates, was: 1"),
        ({"api_key": KEY, "window": 26}, "was: 26"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        LLMReranker(**options)
    assert words in str(caught.value) and KEY not in str(caught.value)


def test_its_name_and_repr(server: ChatServer) -> None:
    model = reranker(server)
    assert isinstance(model, Reranker)
    assert model.name == "served"
    # Not even a careless look inside shows the key.
    inside = [repr(model), repr(vars(model)), repr(vars(model._chat)), repr(model._chat.redact)]
    assert KEY not in "".join(inside)


@pytest.mark.parametrize("tries", [0, 1])
def test_no_try_is_made_for_who_has_gone(
    server: ChatServer, make_hits: MakeHits, tries: int
) -> None:
    """Retries wait up to minutes; a server must not pay for callers that hung up."""
    server.script = lambda request: Reply(b"busy", status=500)
    gone = cancellable(lambda: len(server.requests) >= tries)
    with gone, pytest.raises(Abandoned):
        reranker(server, retries=5).rerank(QUERY, make_hits(COLOURS))
    assert len(server.requests) == tries


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "25"}])
def test_nobody_waits_for_a_model_that_hangs(
    server: ChatServer, make_hits: MakeHits, headers: dict[str, str]
) -> None:
    """Neither for its answer nor until it may be asked again: the thread is free at once."""
    gone, release = threading.Event(), threading.Event()

    def script(_: Request) -> Reply:
        gone.set()
        return Reply(b"busy", 503, headers, wait=None if headers else release)

    server.script = script
    with cancellable(gone.is_set), pytest.raises(Abandoned):
        reranker(server, timeout=30, retries=1).rerank(QUERY, make_hits(COLOURS))
    assert len(server.requests) == 1 and not release.is_set()
    release.set()
