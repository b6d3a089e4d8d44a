from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ocelot as package
from ocelot.encoders import VisualizedBGE
from tests.cli.conftest import Command

DATA = Path(__file__).parents[1] / "data"
GOLDEN = DATA / "golden" / "tiny-base"
START = ("--initial", GOLDEN / "weights.pth", "--text-model", GOLDEN, "--device", "cpu")
CONFIG = """
name = "mine"
[data]
triplets = "pictures/triplets.jsonl"
validation = "pictures/triplets.jsonl"
batch_size = 3
[optimiser]
steps = 2
evaluate_every = 1
bf16 = false
"""


def write_run(folder: Path) -> Path:
    """A configuration, and six triplets in a folder beside it."""
    pictures = folder / "pictures"
    pictures.mkdir()
    noise = np.random.default_rng(0)
    lines = []
    for number in range(6):
        pixels = noise.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((64, 64)).save(pictures / f"{number}.png")
        target = f"{(number + 1) % 6}.png"
        lines.append({"reference": f"{number}.png", "text": "make it red", "target": target})
    (pictures / "triplets.jsonl").write_text("\n".join(map(json.dumps, lines)))
    file = folder / "run.toml"
    file.write_text(CONFIG)
    return file


def test_fine_tuning_on_own_triplets(ocelot: Command) -> None:
    write_run(Path())
    done = ocelot("train", "run.toml", "--output", "run", *START)
    assert (done.code, done.err) == (0, "")
    *steps, last = done.out.splitlines()
    for number, line in enumerate(steps, 1):
        pattern = (
            rf"step {number}/2  loss \d\.\d+  accuracy \d\.\d+  \d+ queries/s  0 min left"
            r"  held-out R@1: validation \d\.\d+"
        )
        assert re.fullmatch(pattern, line)
    assert len(steps) == 2
    assert last == "The encoder is in run/encoder: use it with --encoder run/encoder."
    assert VisualizedBGE.load("run/encoder", device="cpu").name == "mine"
    again = ocelot("train", "run.toml", "--output", "run", *START)
    assert (again.code, again.out.splitlines()) == (0, [last])


def test_two_processes_train_together_and_one_prints(
    bare_environment: None, tmp_path: Path
) -> None:
    write_run(tmp_path)
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
        *("-m", "ocelot", "train", "run.toml", "--output", "run", *map(str, START)),
    ]
    own = {
        "OMP_NUM_THREADS": "1",
        "OCELOT_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": str(Path(package.__file__).parents[1]),
    }
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | own, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["step", "1/2"], ["step", "2/2"], ["The", "encoder"],
    ]  # fmt: skip
    assert VisualizedBGE.load(tmp_path / "run" / "encoder", device="cpu").name == "mine"


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (("", ""), (), "[network]"),
        (('triplets = "pictures/triplets.jsonl"', ""), START, "triplets"),
        (("steps = 2", "steps = 2\nspeed = 1"), START, "speed"),
        (("[optimiser]", "[groups]\nviews = 3\n[optimiser]"), START, "groups"),
        (("triplets.jsonl", "none.jsonl"), START, "none.jsonl"),
        (("", ""), (*START[:-1], "tpu"), "'tpu' cannot be used here"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    ocelot: Command, change: tuple[str, str], options: tuple[object, ...], message: str
) -> None:
    file = write_run(Path())
    file.write_text(CONFIG.replace(*change))
    outcome = ocelot("train", file, "--output", "run", *options)
    assert outcome.code == 2
    assert outcome.err.startswith("Error: ") and outcome.err.count("\n") == 1
    assert message in outcome.err


def test_a_missing_configuration_is_named(ocelot: Command) -> None:
    outcome = ocelot("train", "none.toml", "--output", "run")
    assert outcome.code == 2 and "none.toml" in outcome.err
