from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ocelot import build
from ocelot.encoders import VisualizedBGE
from ocelot.engine import Engine
from ocelot.settings import Settings
from tests.cli.conftest import Command
from tests.images.videos import GREEN, RED, write_video


def test_index_then_index_again(ocelot: Command, shop: Path) -> None:
    first = ocelot("index", shop / "images", "--metadata", shop / "metadata.csv", "--json")
    assert first.code == 0
    report = json.loads(first.out)
    assert (report["found"], report["encoded"], report["total"]) == (60, 60, 60)
    again = json.loads(ocelot("index", shop / "images", "--json").out)
    assert (again["unchanged"], again["encoded"], again["total"]) == (60, 0, 60)


def test_with_nothing_new_neither_model_nor_database_is_opened(
    ocelot: Command, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(shop / "images", folder)
    first = json.loads(ocelot("index", folder, "--json").out)
    with monkeypatch.context() as patched:
        patched.setattr("ocelot.build.build_engine", None)
        again = ocelot("index", folder)
        assert again.code == 0
        assert "60 pictures found: 60 unchanged" in again.out
        assert "Encoder: ocelot-tiny" not in again.out
        assert "now holds 60 pictures" in again.out
    (folder / "more.png").write_bytes(next(folder.iterdir()).read_bytes())
    third = json.loads(ocelot("index", folder, "--json").out)
    assert (first["encoded"], third["unchanged"], third["relocated"]) == (60, 60, 1)


def test_a_video_is_found_by_its_second(ocelot: Command, tmp_path: Path) -> None:
    write_video(tmp_path / "films" / "clip.mp4", [(RED, 2.0), (GREEN, 1.5)])
    Image.new("RGB", (64, 48), GREEN).save(tmp_path / "green.png")
    done = ocelot("index", tmp_path / "films", "--video", "scene")
    assert "2 pictures found: 2 encoded" in done.out
    assert "2 unchanged" in ocelot("index", tmp_path / "films", "--video", "scene").out
    found = ocelot("search", tmp_path / "green.png", "--reranker", "none")
    assert "clip.mp4 at 2 s" in found.out.splitlines()[0] + found.out.splitlines()[1]
    refused = ocelot("index", tmp_path / "films", "--video", "often")
    assert refused.code == 2
    assert "was: 'often'" in refused.err


def test_a_url_needs_ray(ocelot: Command) -> None:
    refused = ocelot("index", "s3://bucket/shop")
    assert (refused.code, refused.out) == (2, "")
    assert "s3://bucket/shop is a URL: add --engine ray" in refused.err


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder of three pictures."""
    folder = tmp_path / "small"
    folder.mkdir()
    for colour in ("red", "green", "blue"):
        Image.new("RGB", (30, 30), colour).save(folder / f"{colour}.png")
    return folder


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each engine that is built; with a valid stamp none is."""
    inner, built = build.build_engine, []

    def build_engine(settings: Settings, **options: Any) -> Engine:
        built.append(settings.collection)
        return inner(settings, **options)

    monkeypatch.setattr(build, "build_engine", build_engine)
    return built


def test_the_stamp_holds_for_the_same_options_only(
    ocelot: Command, small: Path, opened: list[str]
) -> None:
    assert "3 encoded" in ocelot("index", small).out
    assert "3 unchanged" in ocelot("index", small).out
    assert len(opened) == 1
    cases = [
        (["--collection", "other"], 0, "3 encoded"),
        (["--index", "HNSW"], 0, "3 unchanged"),
        (["--precision", "fp32"], 0, "3 unchanged"),
        (["--device", "cpu"], 0, "3 unchanged"),
        (["--backend", "torch", "--precision", "int8"], 2, "int8"),
        (["--backend", "openvino", "--device", "cuda"], 2, "openvino"),
        (["--calibration", "."], 0, "3 unchanged"),
    ]
    for options, code, text in cases:
        opened.clear()
        first = ocelot("index", small, *options)
        assert (first.code, len(opened)) == (code, 1), options
        assert text in first.out + first.err
        again = ocelot("index", small, *options)
        stamped = not code and "--calibration" not in options
        assert (again.code, len(opened)) == (code, 1 if stamped else 2), options
        assert ("3 unchanged" if stamped else text) in again.out + again.err


def test_int8_is_calibrated_though_nothing_is_new(
    ocelot: Command, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered: list[int] = []

    def load(name: str, **options: Any) -> VisualizedBGE:
        offered.append(len(options["calibration"].pictures()))  # calibrating itself takes long
        return VisualizedBGE.load(name)

    monkeypatch.setattr("ocelot.encoders.openvino.encoder.OpenVINOEncoder.load", load)
    assert "3 encoded" in ocelot("index", small, "--backend", "torch").out
    again = ocelot("index", small, "--precision", "int8")
    assert "3 unchanged" in again.out
    assert offered == [3]


def test_an_edited_folder_of_weights_is_read_again(
    ocelot: Command, small: Path, opened: list[str], tmp_path: Path
) -> None:
    bundled = Path(build.__file__).parent / "assets" / "ocelot-tiny"
    shutil.copytree(bundled, tmp_path / "own")
    for _ in range(2):
        assert ocelot("index", small, "--encoder", tmp_path / "own").code == 0
    assert len(opened) == 1
    (tmp_path / "own" / "config.json").write_text("{}")
    outcome = ocelot("index", small, "--encoder", tmp_path / "own")
    assert outcome.code == 2 and "config.json" in outcome.err


def test_an_encoder_that_is_not_on_this_disk_fails_in_the_run(
    ocelot: Command, small: Path, tmp_path: Path
) -> None:
    (tmp_path / "w.pth").write_bytes(b"")
    outcome = ocelot("index", small, "--weights", tmp_path / "w.pth", "--text-model", "none")
    assert outcome.code == 2 and "none" in outcome.err


def test_bad_files_are_reported_again_from_the_stamp(
    ocelot: Command, small: Path, opened: list[str]
) -> None:
    (small / "text.jpg").write_text("I am no picture")
    first, again = (json.loads(ocelot("index", small, "--json").out) for _ in range(2))
    assert len(opened) == 1
    assert (first["encoded"], again["unchanged"], again["total"]) == (3, 3, 3)
    assert first["failures"] == again["failures"] != []
    assert again["seconds"] > 0
    for name in ("red", "green", "blue"):
        (small / f"{name}.png").unlink()
    assert [ocelot("index", small).code for _ in range(2)] == [1, 1]
    assert len(opened) == 2


def test_bad_files_are_reported_and_stop_nothing(ocelot: Command, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (30, 30), "red").save(folder / "good.png")
    (folder / "text.jpg").write_text("I am no picture")
    (folder / "empty.png").write_bytes(b"")
    outcome = ocelot("index", folder)
    assert outcome.code == 0
    assert "1 encoded" in outcome.out
    assert "2 files could not be used" in outcome.err
    assert "text.jpg: it is not an image" in outcome.err
    assert "empty.png: the file is empty" in outcome.err


def test_nothing_usable_exits_1(ocelot: Command, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.jpg").write_text("no")
    assert ocelot("index", tmp_path / "bad").code == 1


def test_a_missing_folder_exits_2(ocelot: Command) -> None:
    outcome = ocelot("index", "no-such-folder")
    assert outcome.code == 2
    assert "no-such-folder" in outcome.err


def test_an_empty_argument_is_not_the_working_folder(ocelot: Command) -> None:
    assert ocelot("index", "").code == 2


def test_prune(ocelot: Command, shop: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(shop / "images", folder)
    ocelot("index", folder)
    for file in sorted(folder.iterdir())[:10]:
        file.unlink()
    kept = json.loads(ocelot("index", folder, "--json").out)
    assert (kept["removed"], kept["total"]) == (0, 60)
    pruned = json.loads(ocelot("index", folder, "--prune", "--json").out)
    assert (pruned["removed"], pruned["total"]) == (10, 50)


def test_another_encoder_is_refused(ocelot: Command, indexed: Path) -> None:
    golden = Path(__file__).parents[1] / "data" / "golden" / "tiny-base"
    outcome = ocelot(
        "search", "--db", indexed, "--text", "a",
        "--weights", golden / "weights.pth", "--text-model", golden,
    )  # fmt: skip
    assert outcome.code == 2
    assert "ocelot-tiny" in outcome.err and "weights" in outcome.err


@pytest.mark.parametrize("encoder", ["bge-visualized-base", "bge-visualized-m3", "own", "w.pth"])
def test_an_encoder_of_another_length_is_refused_before_it_is_fetched_or_loaded(
    ocelot: Command, indexed: Path, small: Path, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = Path(__file__).parents[1] / "data" / "golden" / "tiny-base"
    Path("own").mkdir()
    Path("own", "config.json").write_text('{"text": {"width": 512}}')  # there are no weights
    Path("w.pth").write_bytes(b"")
    monkeypatch.setattr(build, "build_encoder", None)
    own = ("--text-model", golden) if encoder == "w.pth" else ()
    for command in (("search", "--text", "a"), ("index", small), ("serve", "--port", 0)):
        outcome = ocelot(*command, "--db", indexed, "--encoder", encoder, *own)
        assert outcome.code == 2
        assert "ocelot-tiny" in outcome.err and f"not with {encoder} (" in outcome.err


def test_an_encoder_that_cannot_be_loaded_makes_no_database(ocelot: Command, small: Path) -> None:
    Path("empty").mkdir()
    assert ocelot("index", small, "--encoder", "empty").code == 2
    assert not Path("ocelot.db").exists()


def test_an_index_type_that_lite_lacks(ocelot: Command, shop: Path) -> None:
    outcome = ocelot("index", shop / "images", "--index", "DISKANN")
    assert outcome.code == 2
    assert "DISKANN" in outcome.err and "FLAT" in outcome.err


def table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(["file_name,price", *lines, ""]))
    return path


def test_remarks_on_metadata_are_no_failures(ocelot: Command, small: Path) -> None:
    names = ["red", "green", "blue"] * 4
    table(small / "metadata.csv", *(f"{name}.png,5" for name in names), "gone.png,6")
    outcome = ocelot("index", small)
    assert outcome.code == 0
    assert "metadata.csv names 3 of them" in outcome.out
    assert "could not be used" not in outcome.err
    assert "10 remarks on metadata:" in outcome.err
    assert "metadata.csv:5: an earlier line is for red.png" in outcome.err
    assert "and 5 more" in outcome.err
    report = json.loads(ocelot("index", small, "--json").out)  # from the stamp
    assert (len(report["remarks"]), report["failures"]) == (10, [])
    assert report["remarks"][-1] == {
        "path": str(small / "metadata.csv"),
        "reason": "1 line names a file that does not exist (gone.png)",
    }
    assert report["metadata"] == {str(small / "metadata.csv"): 3}


def test_a_metadata_file_that_names_no_picture_is_refused(ocelot: Command, small: Path) -> None:
    prices = table(small.parent / "prices.csv", "red.png,5", "blue.png,6")
    assert "prices.csv names 2 of them" in ocelot("index", small, "--metadata", prices).out
    table(prices, "one.png,7", "two.png,8")
    outcome = ocelot("index", small, "--metadata", prices)
    assert outcome.code == 2
    assert "names none of the pictures (2 lines: one.png, two.png)" in outcome.err
    found = json.loads(
        ocelot("search", "--text", "a", "--filter", "price > 0", "--no-rerank", "--json").out
    )
    assert sorted(hit["metadata"]["price"] for hit in found["hits"]) == [5, 6]


def test_the_metadata_of_a_shop_is_found_above_its_pictures(ocelot: Command, shop: Path) -> None:
    outcome = ocelot("index", shop / "images")
    assert f"Metadata: {shop / 'metadata.csv'} names 60 of them." in outcome.out
    assert outcome.err == ""


def test_the_log_can_be_lines_of_json(
    ocelot: Command,
    small: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OCELOT_LOG_FORMAT", "json")
    assert ocelot("index", small, "--db", "a.db", "--json").err == ""
    logging.getLogger("ocelot.indexing").warning("It takes %d s.", 3)
    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["message"]) == ("WARNING", "It takes 3 s.")
