from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocelot.types import Input
from tests.cli.conftest import Command, Outcome
from tests.rerankers.chat_server import ChatServer, completion, error, ranking

KEY = "sk-test-0123456789abcdef"
QUESTION = "phone case with this image theme"


def test_table_best_match_reason_and_outputs(
    ocelot: Command, shop: Path, indexed: Path, tmp_path: Path
) -> None:
    panorama, page = tmp_path / "out" / "panorama.jpg", tmp_path / "out" / "page.html"
    outcome = ocelot(
        "search", "--db", indexed, "--image", shop / "leopard.jpg", "--text", QUESTION,
        "--panorama", panorama, "--html", page,
    )  # fmt: skip
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0].split() == ["#", "was", "score", "path", "title"]
    assert [line.split()[0] for line in lines[1:10]] == [str(n) for n in range(1, 10)]
    assert "Best match: " in outcome.out and "Why: " in outcome.out
    assert "Ranked by fusion." in outcome.out
    assert outcome.err.count("OPENAI_API_KEY") == 1
    with Image.open(panorama) as picture:
        assert picture.width > picture.height > 500
    assert QUESTION in page.read_text(encoding="utf-8")


def test_words_that_the_encoder_never_saw(ocelot: Command, shop: Path, indexed: Path) -> None:
    said = "ocelot-tiny does not know: blorf."
    assert said in ocelot("search", "--db", indexed, "a red blorf").out
    composed = ocelot("search", "--db", indexed, shop / "leopard.jpg", "blorf", "--json")
    assert json.loads(composed.out)["unknown_words"] == ["blorf"]
    for text in ("blorf", "手机壳"):
        refused = ocelot("search", "--db", indexed, text)
        assert refused.code == 2 and "Traceback" not in refused.err
        assert f"ocelot-tiny does not know: {text}" in refused.err
        assert "bge-visualized-base" in refused.err


def test_json_is_complete(ocelot: Command, shop: Path, indexed: Path) -> None:
    outcome = ocelot("search", "--db", indexed, "-i", shop / "leopard.jpg", "-n", 5, "--json")
    result = json.loads(outcome.out)
    assert [hit["rank"] for hit in result["hits"]] == [1, 2, 3, 4, 5]
    assert sorted(hit["retrieval_rank"] for hit in result["hits"]) == [1, 2, 3, 4, 5]
    assert result["best"] == result["hits"][0]
    assert result["ranking"]["reranker"] == "fusion"
    assert set(result["timings"]) == {"encode", "search", "rerank", "total"}
    assert "KEY" not in outcome.err


def test_the_reference_is_left_out_unless_it_is_kept(
    ocelot: Command, shop: Path, indexed: Path
) -> None:
    picture = sorted((shop / "images").iterdir())[3]
    without = json.loads(ocelot("search", "--db", indexed, "-i", picture, "--json").out)
    assert str(picture) not in [hit["path"] for hit in without["hits"]]
    assert len(without["hits"]) == 9
    kept = ocelot("search", "--db", indexed, "-i", picture, "--keep-reference", "--json")
    first = json.loads(kept.out)["hits"][0]
    assert first["path"] == str(picture)
    assert first["score"] == pytest.approx(1, abs=1e-4)


def test_several_pictures_search_with_the_mean_of_their_vectors(
    ocelot: Command, shop: Path, indexed: Path, tmp_path: Path
) -> None:
    from ocelot.build import build_encoder
    from ocelot.settings import load_settings

    files = sorted((shop / "images").iterdir())
    given = [files[2], files[30], files[47]]
    panorama, page = tmp_path / "panorama.png", tmp_path / "page.html"
    outcome = ocelot(
        "search", "--db", indexed, "--image", given[0], "-i", given[1], "--image", given[2],
        "-t", "in blue", "-n", 50, "--no-rerank", "--json", "--panorama", panorama, "--html", page,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    result = json.loads(outcome.out)
    assert result["query"] == {"images": [str(file) for file in given], "text": "in blue"}
    found = {hit["path"]: hit["score"] for hit in result["hits"]}
    assert len(found) == 50 and not {str(file) for file in given} & set(found)

    encoder = build_encoder(load_settings())
    mean = encoder.encode([Input(file, "in blue") for file in given]).astype(float).mean(axis=0)
    cosines = encoder.encode([Input(file) for file in files]) @ mean / np.linalg.norm(mean)
    expected = dict(zip(map(str, files), cosines.tolist(), strict=True))
    assert found == pytest.approx({path: expected[path] for path in found}, abs=1e-3)
    left_out = set(expected) - set(found) - {str(file) for file in given}
    assert len(left_out) == 7
    assert max(expected[path] for path in left_out) <= min(found.values()) + 1e-3
    with Image.open(panorama) as drawn, Image.open(given[0]) as plain:
        assert drawn.width > drawn.height > plain.height
    assert "Picture 3 of 3" in page.read_text(encoding="utf-8")


def test_json_of_one_picture_or_none(ocelot: Command, shop: Path, indexed: Path) -> None:
    image = str(shop / "leopard.jpg")
    for arguments, query in (
        (("-i", image), {"images": [image], "text": None}),
        (("-t", "mug"), {"images": [], "text": "mug"}),
    ):
        outcome = ocelot("search", "--db", indexed, *arguments, "-n", 1, "--json")
        assert json.loads(outcome.out)["query"] == query


def test_filter_limit_and_min_score(ocelot: Command, indexed: Path) -> None:
    outcome = ocelot(
        "search", "--db", indexed, "-t", "kettle", "--no-rerank", "--json",
        "--filter", 'category == "Electronics" and price < 200', "-n", 50,
    )  # fmt: skip
    result = json.loads(outcome.out)
    assert result["ranking"] is None
    assert 0 < len(result["hits"]) < 50
    for hit in result["hits"]:
        assert hit["metadata"]["category"] == "Electronics" and hit["metadata"]["price"] < 200
    scores = [hit["score"] for hit in result["hits"]]
    assert scores == sorted(scores, reverse=True)
    least = scores[2]
    cut = ocelot(
        "search", "--db", indexed, "-t", "kettle", "--no-rerank", "--json", "-n", 50,
        "--filter", 'category == "Electronics" and price < 200', "--min-score", least - 1e-5,
    )  # fmt: skip
    assert len(json.loads(cut.out)["hits"]) == 3
    nothing = ocelot("search", "--db", indexed, "-t", "kettle", "--min-score", 0.9999)
    assert nothing.code == 0 and "Nothing was found" in nothing.out


def test_weights_negatives_and_stored_items(ocelot: Command, shop: Path, indexed: Path) -> None:
    from ocelot.build import open as open_engine
    from ocelot.types import Query

    files = sorted((shop / "images").iterdir())
    with open_engine(indexed, create=False, reranker=None) as engine:
        ids = [item.id for item in engine.items()][:3]
        query = Query(
            files[2], "mug", items=ids[0], image_weights=[2, 1], text_weight=3,
            negative_text="red, striped, blue", negative_images=files[3], negative_weight=0.7,
            like=ids[1], unlike=ids[2], group_by="kind", fold=0.99, diversity=0.2, min_share=0.3,
        )  # fmt: skip
        expected = engine.search(query, limit=5).to_dict()
    outcome = ocelot(
        "search", "--db", indexed, files[2], "mug -red -striped", "--item", ids[0],
        "--image-weight", 2, "--image-weight", 1, "--text-weight", 3, "--negative-text", "blue",
        "--negative-image", files[3], "--negative-weight", 0.7, "--like", ids[1],
        "--unlike", ids[2], "--group-by", "kind", "--fold", 0.99, "--diversity", 0.2,
        "--min-share", 0.3, "--no-rerank", "--json", "-n", 5,
    )  # fmt: skip
    found = json.loads(outcome.out)
    assert found["query"] == expected["query"]
    assert found["hits"] == expected["hits"] and len(found["hits"]) > 1


def test_the_table_says_how_many_hits_a_hit_stands_for(ocelot: Command, indexed: Path) -> None:
    from ocelot.build import open as open_engine
    from ocelot.types import Query

    with open_engine(indexed, create=False, reranker=None) as engine:
        expected = engine.search(Query(text="red mug", hybrid="title")).to_dict()
    asked = ("search", "--db", indexed, "red mug", "--hybrid", "title", "--no-rerank", "--json")
    assert json.loads(ocelot(*asked).out)["hits"] == expected["hits"]
    outcome = ocelot("search", "--db", indexed, "-t", "mug", "--group-by", "category", "-n", 1)
    assert re.search(r" \(\+\d+\)", outcome.out)


def test_without_hits_there_is_a_page_but_no_panorama(
    ocelot: Command, indexed: Path, tmp_path: Path
) -> None:
    page, panorama = tmp_path / "page.html", tmp_path / "panorama.jpg"
    outcome = ocelot(
        "search", "--db", indexed, "-t", "kettle", "--min-score", 0.9999,
        "--html", page, "--panorama", panorama,
    )  # fmt: skip
    assert outcome.code == 0
    assert page.exists() and not panorama.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "give a picture, a text, or both"),
        (["--text", "  "], 2, "give a picture, a text, or both"),
        (["--image", "none.jpg"], 2, "none.jpg: there is no such file"),
        (["--image", "a.jpg"] * 9, 2, "at most 8 reference images"),
        (["--text", "a", "--filter", "price <"], 2, "price <"),
        (["--text", "a", "--filter", "prise < 30"], 2, "a field prise; there are: price, "),
        (["--text", "a", "--reranker", "magic"], 2, "reranker"),
        (["--text", "a", "--reranker", "llm"], 2, "OPENAI_API_KEY"),
        (["--text", "a", "--encoder", "none"], 2, "`ocelot encoders`"),
        (["--text", "a", "--encoder", "~nobody-here/e"], 2, "`ocelot encoders`"),
        (["--text", "a", "--device", "warp"], 2, "warp"),
        (["--text", "a", "--panorama", "/proc/no/p.jpg"], 2, "/proc/no/p.jpg"),
        (["--text", "a", "--panorama", "p.xyz"], 2, "p.xyz"),
        (["--text", "a", "--min-score", "nan"], 2, "minimum score"),
        (["--text", "-red"], 2, "nothing to search for besides 'red', which is not wanted"),
        (["--text", "mug", "--text-weight", 0], 2, "text_weight must be 0.1 to 10, was: 0"),
        (["--item", "none", "--image-weight", 1, "--image-weight", 2], 2, "2 image_weights"),
        (["--item", "none"], 2, "no item with the id none"),
        (["--text", "mug", "--like", "none"], 2, "no item with the id none"),
        (["--text", "mug", "--negative-image", "none.jpg"], 2, "none.jpg: there is no such file"),
        (["--text", "mug", "--hybrid", "titel"], 2, "'titel' to compare words with: they have "),
        (["--text", "mug", "--group-by", "colr"], 2, "'colr' to group by: they have "),
    ],
)
def test_bad_input_is_one_sentence(
    ocelot: Command, indexed: Path, arguments: list[str], code: int, message: str
) -> None:
    outcome = ocelot("search", "--db", indexed, *arguments)
    assert outcome.code == code
    errors = [line for line in outcome.err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1 and message in errors[0]


@pytest.mark.parametrize("db", ["", "/", "~nobody-here/x", "folder/"])
def test_an_address_that_is_no_database_is_named(ocelot: Command, db: str) -> None:
    for command in (("search", "--text", "a"), ("index", "."), ("info",)):
        outcome = ocelot(*command, "--db", db)
        assert outcome.code == 2 and outcome.err.startswith(f"Error: The database {db!r}")


def test_one_hit_is_one_picture(ocelot: Command, indexed: Path) -> None:
    outcome = ocelot("search", "--db", indexed, "-t", "mug", "-n", 1, "--no-rerank")
    assert "\n1 picture in " in outcome.out


def test_an_empty_place_says_how_to_fill_it(ocelot: Command) -> None:
    outcome = ocelot("search", "--db", "new.db", "--text", "a")
    assert outcome.code == 2
    assert "ocelot index" in outcome.err
    assert not Path("new.db").exists()


def test_a_language_model_reranks(
    ocelot: Command, shop: Path, indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = '{"ranking": [5, 1, 2, 3, 4, 6, 7, 8, 9], "reason": "It has spots.", "match": true}'
    with ChatServer(lambda request: completion(reply)) as server:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OCELOT_LLM_PRICE_IN", "2.5")
        monkeypatch.setenv("OCELOT_LLM_PRICE_OUT", "10")
        arguments = ("search", "--db", indexed, "-i", shop / "leopard.jpg", "-t", QUESTION)
        outcome = ocelot(*arguments)
        assert outcome.code == 0, outcome.err
        assert outcome.out.splitlines()[1].split()[:2] == ["1", "5"]
        assert "Why: It has spots." in outcome.out
        assert "Ranked by gpt-4o, 100 tokens in, 20 out, $0.00045." in outcome.out
        assert outcome.err == ""  # it is no terminal
        assert len(server.requests) == 1
        again = ocelot(*arguments)
        assert "from the cache" in again.out and len(server.requests) == 1
        assert not server.complaints
    for text in (outcome.out, outcome.err, again.out, again.err):
        assert KEY not in text


def test_a_failing_language_model_never_fails_the_search(
    ocelot: Command, shop: Path, indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer(lambda request: error(401, f"Incorrect API key provided: {KEY}")) as server:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        outcome = ocelot("search", "--db", indexed, "-i", shop / "leopard.jpg", "--json")
        table = ocelot("search", "--db", indexed, "-i", shop / "leopard.jpg", "-n", 2)
        monkeypatch.setenv("OCELOT_LLM_PRICE_IN", "2.5")
        priced = ocelot("search", "--db", indexed, "mug")
    assert priced.code == 2 and "both llm_price_in and llm_price_out" in priced.err
    assert outcome.code == table.code == 0
    assert "\nIn retrieval order: gpt-4o at " in table.out and "(HTTP 401)" in table.out
    assert "Ranked by" not in table.out and "Best match" not in table.out
    result = json.loads(outcome.out)
    assert result["ranking"]["status"] == "fallback"
    assert result["ranking"]["ranked_by"] == "retrieval"
    assert result["ranking"]["reranker"] == "gpt-4o"
    assert [hit["retrieval_rank"] for hit in result["hits"]] == list(range(1, 10))
    assert KEY not in outcome.out + outcome.err


def test_a_spent_budget_leaves_the_order_to_fusion(
    ocelot: Command, shop: Path, indexed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "cache"))
    asked = ("search", "--db", indexed, "-i", shop / "leopard.jpg", "in green")
    own = ocelot(*asked, "--reranker", "fusion")
    with ChatServer(lambda _: ranking(range(9), "It has the spots.")) as server:  # 120 tokens
        monkeypatch.setenv("OCELOT_LLM_BASE_URL", server.url)
        monkeypatch.setenv("OCELOT_LLM_DAILY_TOKENS", "100")
        first, cached = ocelot(*asked), ocelot(*asked)
        other = ocelot(*asked[:-1], "in blue", "--json")
        monkeypatch.setenv("OCELOT_LLM_CACHE", "false")
        spent = ocelot(*asked)
    assert len(server.requests) == 1
    assert "Ranked by gpt-4o, 100 tokens in, 20 out." in first.out
    assert "Ranked by gpt-4o, from the cache, at no cost." in cached.out
    detail = (
        "gpt-4o was not asked, as the budget of today is spent (120 of 100 tokens; the day ends at "
        "midnight UTC)."
    )
    verdict = json.loads(other.out)["ranking"]
    assert (verdict["status"], verdict["ranked_by"], verdict["detail"]) == (
        "replaced", "fusion", detail,
    )  # fmt: skip
    assert f"Ranked by fusion: {detail}" in spent.out
    table = own.out.partition("\n\n")[0]
    assert spent.code == other.code == 0 and spent.out.startswith(table)


def query_of(outcome: Outcome) -> object:
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)["query"]


def test_files_among_the_words_are_pictures(ocelot: Command, shop: Path, indexed: Path) -> None:
    shutil.copy(shop / "leopard.jpg", "A.jpg")
    shutil.copy(shop / "leopard.jpg", "unnamed")
    Path("red").mkdir()
    for words, images, text in (
        (["A.jpg", "in green"], ["A.jpg"], "in green"),
        (["in", "A.jpg", "green"], ["A.jpg"], "in green"),
        (["A.jpg"], ["A.jpg"], None),
        (["A.jpg", "-t", "blue"], ["A.jpg"], "blue"),
        (["-i", "./unnamed", "A.jpg"], ["./unnamed", "A.jpg"], None),
        (["red"], [], "red"),  # the name of a folder, too
        (["black/white", "mug"], [], "black/white mug"),
    ):
        outcome = ocelot("search", "--db", indexed, "--json", "-n", 1, "--no-rerank", *words)
        assert query_of(outcome) == {"images": images, "text": text}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["B.jpg", "in green"], "There is no picture B.jpg: correct the path, or give a text"),
        (["unnamed"], "'unnamed' is a file here"),
        (["./folder"], "./folder: it is a folder"),
        (["a", "mug", "-t", "blue"], "given twice, as 'a mug' and as --text 'blue'"),
        (["-", "-"], "Standard input can be read once"),
        (["ftp://user:secret@host/a.jpg"], "only http:// and https://"),
        (["-i", "", "-t", "mug"], "A picture is an empty text"),  # an empty variable of a shell
        (["mug", "--paths", "--json"], "--paths and --json exclude each other"),
    ],
)
def test_what_is_not_clear_is_asked_back(
    ocelot: Command, indexed: Path, words: list[str], message: str
) -> None:
    Path("unnamed").touch()
    Path("folder").mkdir()
    outcome = ocelot("search", "--db", indexed, *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("Error: ") and message in outcome.err
    assert "secret" not in outcome.err


def test_a_picture_from_standard_input(
    ocelot: Command, shop: Path, indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (shop / "leopard.jpg").read_bytes()
    for words in (["-", "in green"], ["-i", "-", "-t", "in green"]):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        outcome = ocelot("search", "--db", indexed, "--json", "-n", 1, *words)
        assert query_of(outcome) == {"images": ["standard input"], "text": "in green"}
    for data, message in ((b"", "it is empty"), (b"text", "it is not an image")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        outcome = ocelot("search", "--db", indexed, "-")
        assert outcome.code == 2 and f"Cannot use standard input: {message}" in outcome.err


def test_a_picture_from_the_web_keeps_its_slashes(ocelot: Command, indexed: Path) -> None:
    for words in (["http://127.0.0.1:9/a//b.jpg"], ["-i", "http://127.0.0.1:9/a//b.jpg"]):
        outcome = ocelot("search", "--db", indexed, *words)
        assert outcome.code == 2 and "Cannot use http://127.0.0.1:9/a//b.jpg: " in outcome.err


def test_paths_alone(ocelot: Command, indexed: Path) -> None:
    arguments = ("search", "--db", indexed, "mug", "-n", 3)
    hits = json.loads(ocelot(*arguments, "--json").out)["hits"]
    outcome = ocelot(*arguments, "--paths")
    assert outcome.out.splitlines() == [hit["path"] for hit in hits]
    assert outcome.err == ""
    nothing = ocelot("search", "--db", indexed, "mug", "--min-score", 0.9999, "--paths")
    assert (nothing.code, nothing.out) == (0, "") and "Nothing was found" in nothing.err


def test_similar_to_a_stored_picture(
    ocelot: Command, indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (stored,) = json.loads(ocelot("search", "--db", indexed, "mug", "-n", 1, "--json").out)["hits"]
    monkeypatch.setattr("ocelot.build.build_encoder", None)  # nothing is encoded
    command = ("similar", "--db", indexed, stored["id"], "-n", 3)
    found = json.loads(ocelot(*command, "--json").out)
    assert [hit["rank"] for hit in found["hits"]] == [1, 2, 3]
    paths = [hit["path"] for hit in found["hits"]]
    assert stored["path"] not in paths
    assert ocelot(*command, "--paths").out.splitlines() == paths
    table = ocelot(*command).out
    assert table.splitlines()[0].split() == ["#", "score", "path", "title"]
    assert all(path in table for path in paths) and "\n3 pictures in " in table
    for id, message in (("none", "no item with the id none"), ("a b", "id 'a b'")):
        outcome = ocelot("similar", "--db", indexed, id)
        assert outcome.code == 2 and message in outcome.err


@pytest.mark.parametrize("option", ["--panorama", "--html"])
def test_outputs_are_checked_before_the_search(
    ocelot: Command, indexed: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("folder.jpg").mkdir()
    Path("old.jpg").write_text("kept until it is replaced")
    with monkeypatch.context() as patched:
        patched.setattr("ocelot.build.build_engine", None)
        for output in ("folder.jpg", "/proc/no/p.jpg"):
            outcome = ocelot("search", "--db", indexed, "mug", option, output)
            assert outcome.code == 2 and f"Cannot write {output}: " in outcome.err
    outcome = ocelot("search", "--db", "none.db", "mug", option, "old.jpg")
    assert outcome.code == 2 and Path("old.jpg").read_text() == "kept until it is replaced"


def test_an_interrupted_search_keeps_nothing(
    ocelot: Command, indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ocelot.engine.Engine.search", interrupt)
    monkeypatch.setattr("ocelot.engine.Engine.index", interrupt)
    outcome = ocelot("search", "--db", indexed, "mug")
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "Interrupted.\n")
    outcome = ocelot("index", ".")
    assert outcome.code == 130 and "What is finished is kept" in outcome.err
