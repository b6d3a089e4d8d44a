"""Whole runs on a drawn shop: better, interrupted, useless, too small."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import ocelot as library
from ocelot.adapting.adapt import verdict
from ocelot.adapting.measure import Figure
from ocelot.encoders import VisualizedBGE
from ocelot.errors import ConfigurationError, InputError
from tests.adapting.made import useless, write_metadata, write_shop
from tests.cli.conftest import Command, ocelot  # noqa: F401

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "tiny-base"
DOCS = Path(__file__).parents[2] / "docs"


def test_a_shop_gets_a_better_encoder_by_the_example_of_the_docs(
    micro: Path, bare_environment: None, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (DOCS / "adapt.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"<!-- run -->\n```python\n(.*?)```", page, re.S)
    code = code.replace("minutes=10", "steps=80, encoder='micro', device='cpu'")
    names: dict[str, Any] = {}
    exec(compile(code, "adapt.md", "exec"), names)
    assert "kind: kind, 3 values: " in capsys.readouterr().out
    found = names["found"]
    assert found.encoder == Path("shop-encoder/encoder"), found.reason
    figures = {figure.task: figure for figure in found.figures}
    gain = figures["same item in another colour"]
    assert gain.after > 0.15 > gain.before and gain.gain_interval[0] > 0
    encoder = VisualizedBGE.load(found.encoder, device="cpu")
    assert encoder.name == "micro-shop" and {"red", "lamps"} <= encoder.words
    assert encoder.geometry.instance and encoder.geometry.share_by_words
    assert Path("shop.db").exists()  # a collection of the adapted encoder
    report = json.loads(Path("shop-encoder/report.json").read_text())
    assert report["reason"] == found.reason
    html = Path("shop-encoder/report.html").read_text()
    assert html.count("<section>") == 10 and html.count("data:image/jpeg") > 80
    assert 'class="right"' in html and "http" not in html.replace("http-equiv", "")
    left = {path.name for path in Path("shop-encoder/training").iterdir()}
    assert left <= {"metrics.csv", "metrics.png"}
    with pytest.raises(ConfigurationError, match="holds a finished adaptation"):
        library.adapt("shop", encoder="micro", steps=1)
    assert VisualizedBGE.load(found.encoder, device="cpu").fingerprint == encoder.fingerprint
    assert json.loads(Path("shop-encoder/report.json").read_text()) == report


def test_an_interrupted_run_goes_on(micro: Path) -> None:
    def interrupts(line: str) -> None:
        if line.startswith("step 20"):
            raise KeyboardInterrupt

    options: dict[str, Any] = {"encoder": micro, "steps": 25, "device": "cpu"}
    with pytest.raises(KeyboardInterrupt):
        library.adapt("shop", output="cut", say=interrupts, **options)
    assert not Path("cut/report.json").exists() and Path("cut/training/state.pt").exists()
    with pytest.raises(ConfigurationError, match="other options"):
        library.adapt("shop", output="cut", encoder=micro, steps=26)
    said: list[str] = []
    resumed = library.adapt("shop", output="cut", say=said.append, **options)
    assert not [line for line in said if re.match("step 10|asking micro ", line)]  # that was done
    whole = library.adapt("shop", output="whole", **options)
    assert resumed.figures == whole.figures
    Path("other").mkdir()
    Path("other/note.txt").touch()
    with pytest.raises(ConfigurationError, match="something else"):
        library.adapt("shop", output="other", encoder=micro)


def test_useless_metadata_changes_nothing(micro: Path) -> None:
    lines = write_shop(Path("random"))
    write_metadata(Path("random"), useless(lines))
    found = library.adapt("random", encoder=micro, steps=30, device="cpu")
    assert found.encoder is None and "nothing is kept" in found.reason.lower()
    assert found.report and found.report.is_file()
    assert not Path("random-encoder/encoder").exists()
    write_metadata(Path("random"), [{"file_name": line["file_name"], "a": "red"} for line in lines])
    found = library.adapt("random", encoder=micro, output="one")
    assert found.reason.endswith("Nothing was changed.") and not Path("one").exists()


def test_an_encoder_in_the_published_format(micro: Path) -> None:
    options = {"encoder": GOLDEN / "weights.pth", "text_model": GOLDEN, "device": "cpu"}
    found = library.adapt("shop", steps=2, **options)
    assert len(found.figures) == 5 and found.report and found.report.is_file()


def test_thirty_pictures_are_too_few(ocelot: Command, micro: Path) -> None:  # noqa: F811
    write_metadata(Path("shop"), write_shop(Path("again"))[:30])
    outcome = ocelot("adapt", "shop", "--encoder", micro)
    assert outcome.code == 0 and "Nothing was changed." in outcome.out
    assert "30 pictures with metadata" in outcome.out and not Path("shop-encoder").exists()
    corrected = ("--title", "kind", "--attributes", "colour,title", "--kind", "colour", "--json")
    outcome = ocelot("adapt", "shop", "--encoder", micro, *corrected)
    found = json.loads(outcome.out)
    assert found["encoder"] is None and found["understood"][1].startswith("title: kind")
    columns = [line.partition(",")[0] for line in found["understood"]]
    assert columns[2:5] == ["kind: colour", "attribute: colour", "attribute: title"]
    assert outcome.err.splitlines() == found["understood"]
    outcome = ocelot("adapt", "shop", "--kind", "size")
    assert outcome.code == 2 and "no column 'size': it has title, colour, kind." in outcome.err


def figure(task: str, gain: float, interval: tuple[float, float]) -> Figure:
    return Figure(task, "R@1", 9, 0.1, (0, 1), 0.1 + gain, (0, 1), gain, interval)


def test_nothing_that_is_worse_is_kept() -> None:
    good, unclear = figure("a", 0.2, (0.1, 0.3)), figure("b", -0.01, (-0.1, 0.1))
    bad, mean = figure("c", -0.2, (-0.3, -0.1)), figure("mean", 0.1, (0.01, 0.2))
    assert verdict([good, unclear, mean])[1]
    assert verdict([good, bad, mean]) == (
        "The adapted encoder is worse in: c. Nothing is kept.",
        False,
    )
    assert not verdict([good, unclear, figure("mean", 0.1, (-0.01, 0.2))])[1]


def test_the_command_of_the_docs(ocelot: Command, micro: Path) -> None:  # noqa: F811
    page = (DOCS / "adapt.md").read_text(encoding="utf-8")
    words = re.findall(r"^ocelot (adapt .+)$", page, re.M)[0].split()
    outcome = ocelot(*words, "--encoder", micro, "--minutes", "0.03", "--device", "cpu")
    assert outcome.code == 0, outcome.err
    assert "same item in another colour (R@1," in outcome.out
    assert "The report is shop-encoder/report.html." in outcome.out
    kept = Path("shop-encoder/encoder").is_dir()
    assert kept == ("ocelot reindex --encoder shop-encoder/encoder" in outcome.out)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"minutes": 0}, InputError),
        ({"minutes": float("nan")}, InputError),
        ({"steps": 0}, InputError),
        ({"encoder": "st:clip"}, ConfigurationError),
        ({"encoder": "nobody"}, ConfigurationError),
        ({"language": "xx"}, InputError),
    ],
)
def test_what_is_wrong_is_said(micro: Path, options: dict[str, object], error: type) -> None:
    with pytest.raises(error):
        library.adapt("shop", **({"encoder": micro, "device": "cpu"} | options))
    assert not Path("shop-encoder").exists()


def test_an_output_that_cannot_be_written_is_named(ocelot: Command, micro: Path) -> None:  # noqa: F811
    Path("file").touch()
    outcome = ocelot("adapt", "shop", "--encoder", micro, "--output", "file/out", "--device", "cpu")
    assert outcome.code == 1
    assert "cannot be written: Not a directory (file/out)." in outcome.err


@pytest.mark.parametrize("run", ['{"x": 1}', "[1]", "not JSON"])
def test_a_folder_of_something_else_is_left_alone(micro: Path, run: str) -> None:
    output = Path("other")
    output.mkdir()
    (output / "run.json").write_text(run)
    with pytest.raises(ConfigurationError, match="delete it"):
        library.adapt("shop", encoder=micro, device="cpu", output=output, steps=1)
    assert [file.read_text() for file in output.iterdir()] == [run]
