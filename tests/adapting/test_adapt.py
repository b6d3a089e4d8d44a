"""Whole runs on a drawn shop: better, interrupted, useless, too small."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

import ocelot as library
from ocelot.adapting.adapt import verdict
from ocelot.adapting.measure import Figure
from ocelot.encoders import VisualizedBGE
from ocelot.errors import ConfigurationError, InputError
from tests.adapting.made import useless, write_encoder, write_metadata, write_shop
from tests.cli.conftest import Command, ocelot  # noqa: F401

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def micro(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The encoder; a shop lies beside it, in the working folder."""
    monkeypatch.chdir(tmp_path)
    write_shop(tmp_path / "shop")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    yield write_encoder(tmp_path / "micro")
    torch.set_num_threads(threads)


def test_a_shop_gets_a_better_encoder(micro: Path) -> None:
    said: list[str] = []
    found = library.adapt("shop", encoder=micro, steps=120, device="cpu", say=said.append)
    assert found.encoder == Path("shop-encoder/encoder"), found.reason
    assert "attribute: colour, 4 values: black, blue, green, red …" in "\n".join(said).replace(
        "red, green, blue, black", "black, blue, green, red"
    )
    figures = {figure.task: figure for figure in found.figures}
    gain = figures["colour and kind"]
    assert gain.after > gain.before and gain.gain_interval[0] > 0
    encoder = VisualizedBGE.load(found.encoder, device="cpu")
    assert encoder.name == "micro-shop" and {"red", "lamps"} <= encoder.words
    report = json.loads(Path("shop-encoder/report.json").read_text())
    assert report["reason"] == found.reason
    page = Path("shop-encoder/report.html").read_text()
    assert page.count("<section>") == 10 and page.count("data:image/jpeg") > 80
    assert 'class="right"' in page and "http" not in page.replace("http-equiv", "")
    assert {path.name for path in Path("shop-encoder/training").iterdir()} <= {
        "metrics.csv", "metrics.png",
    }  # fmt: skip


def test_an_interrupted_run_goes_on(micro: Path) -> None:
    def until_second_check(line: str) -> None:
        if line.startswith("step 80"):
            raise KeyboardInterrupt

    def encoder(output: str) -> bytes:
        return Path(output, "training", "encoder", "model.safetensors").read_bytes()

    options = {"encoder": micro, "steps": 90, "device": "cpu"}
    with pytest.raises(KeyboardInterrupt):
        library.adapt("shop", output="cut", say=until_second_check, **options)
    assert not Path("cut/report.json").exists() and Path("cut/training/state.pt").exists()
    said: list[str] = []
    resumed = library.adapt("shop", output="cut", say=said.append, **options)
    assert [line for line in said if line.startswith("step 40")] == []  # that was done
    assert [line for line in said if line.startswith("asking micro ")] == []
    whole = library.adapt("shop", output="whole", **options)
    assert [vars(figure) for figure in resumed.figures] == [vars(f) for f in whole.figures]
    with pytest.raises(ConfigurationError, match="other options"):
        library.adapt("shop", output="cut", encoder=micro, steps=91)
    Path("other").mkdir()
    Path("other/note.txt").touch()
    with pytest.raises(ConfigurationError, match="something else"):
        library.adapt("shop", output="other", encoder=micro)


def test_useless_metadata_changes_nothing(micro: Path) -> None:
    write_metadata(Path("shop"), useless(write_shop(Path("again"))))
    found = library.adapt("shop", encoder=micro, steps=20, device="cpu")
    assert found.encoder is None and "nothing is kept" in found.reason.lower()
    assert found.report and found.report.is_file()
    assert not Path("shop-encoder/encoder").exists()


def test_thirty_pictures_are_too_few(micro: Path, ocelot: Command) -> None:  # noqa: F811
    write_metadata(Path("shop"), write_shop(Path("few"), 3)[:30])
    write_shop(Path("tiny"), 3)
    outcome = ocelot("adapt", "tiny", "--encoder", micro)
    assert outcome.code == 0 and "Nothing was changed." in outcome.out
    assert not Path("tiny-encoder").exists()


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


def test_the_command_of_the_docs(micro: Path, ocelot: Command) -> None:  # noqa: F811
    write_shop(Path("shop"))
    page = (DOCS / "adapt.md").read_text(encoding="utf-8")
    words = re.findall(r"^ocelot (adapt .+)$", page, re.M)[0].split()
    outcome = ocelot(*words, "--encoder", micro, "--minutes", "0.03", "--device", "cpu")
    assert outcome.code == 0, outcome.err
    assert "same item in another colour (R@1," in outcome.out
    assert "The report is shop-encoder/report.html." in outcome.out
    kept = Path("shop-encoder/encoder").is_dir()
    assert kept == ("ocelot reindex --encoder shop-encoder/encoder" in outcome.out)


def test_the_example_of_the_library_runs(
    micro: Path, monkeypatch: pytest.MonkeyPatch, bare_environment: None
) -> None:
    page = (DOCS / "adapt.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"<!-- run -->\n```python\n(.*?)```", page, re.S)
    code = code.replace("minutes=10", "steps=120, encoder='micro', device='cpu'")
    names: dict[str, object] = {}
    exec(compile(code, "adapt.md", "exec"), names)
    assert Path("shop.db").exists()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"minutes": 0}, InputError),
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
