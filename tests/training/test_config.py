from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ocelot.errors import ConfigurationError
from ocelot.training.config import (
    DataConfig,
    GroupsConfig,
    NetworkConfig,
    OptimiserConfig,
    TrainConfig,
    read_config,
)

REPOSITORY = Path(__file__).parents[2]

REST = """
[groups]
drawings = 8

[optimiser]
steps = 1
"""
NETWORK = """
[network]
image_size = 32
vision_widths = [16, 32, 32]
vision_depths = [1, 1, 1]
width = 32
hidden = 64
layers = 2
heads = 2
positions = 48
"""
PHOTOGRAPHS = "[data]\nphotographs = 'p'\n"


def read(folder: Path, text: str) -> TrainConfig:
    file = folder / "run.toml"
    file.write_text(text, encoding="utf-8")
    return read_config(file)


@pytest.mark.parametrize("file", sorted((REPOSITORY / "configs").rglob("*.toml")), ids=str)
def test_the_recipes_can_be_read(file: Path) -> None:
    assert read_config(file).name == "ocelot-tiny"


def test_every_section_is_read(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        NETWORK
        + """
[data]
photographs = "pictures"
triplets = "own.jsonl"
augmentation = 1

[groups]
views = 4
own = 3

[optimiser]
steps = 7
learning_rate = 2e-5
chunk = 16
bf16 = false
""",
    )
    assert config.name == "run" and config.seed == 0
    assert config.network == NetworkConfig(32, (16, 32, 32), (1, 1, 1), 32, 64, 2, 2, 48)
    assert config.data == DataConfig(photographs="pictures", triplets="own.jsonl")
    assert config.groups == GroupsConfig(views=4, own=3)
    assert config.optimiser == OptimiserConfig(steps=7, learning_rate=2e-5, chunk=16, bf16=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[network", "is not TOML"),
        ("[network]\nimage_size = 32" + REST, r"\[network\] lacks vision_widths"),
        (
            REST.replace("steps = 1", "speed = 3"),
            r"\[optimiser\] has no setting 'speed'; it has steps, ",
        ),
        (REST.replace("steps = 1", "learning_rate = 1e-3"), "lacks steps"),
        (REST.replace("steps = 1", "steps = 'ten'"), "steps must be a whole number"),
        (REST.replace("steps = 1", "steps = true"), "steps must be a whole number"),
        (REST.replace("steps = 1", "steps = 0"), "at least 1"),
        (REST + "memory = -1", "no number may be below 0"),
        (REST + "average = 1.0", "average must be below 1, was: 1.0"),
        (REST + "learning_rate = 'fast'", "learning_rate must be a number"),
        (REST + "bf16 = 1", "bf16 must be true or false"),
        (REST + "[optimizer]", "no setting or section 'optimizer'"),
        ("seed = 'x'" + REST, "seed must be"),
        ("data = 3" + REST, "data must be a section"),
        ("[data]\ntriplets = 3" + REST, "triplets must be a text"),
        ("[data]\naugmentation = -1" + REST, "no number may be below 0"),
        (NETWORK.replace("[1, 1, 1]", "[1]") + REST, "same length"),
        (NETWORK.replace("heads = 2", "heads = 5") + REST, "multiple of heads"),
        (NETWORK.replace("heads = 2", "heads = 0") + REST, "must be at least 1"),
        (NETWORK.replace("[1, 1, 1]", "[1, 0, 1]") + REST, "must be at least 1"),
        (NETWORK.replace("positions = 48", "positions = 9") + REST, "positions must leave room"),
        (NETWORK.replace("[1, 1, 1]", "[1, 1, true]") + REST, "must be a whole number"),
        (NETWORK.replace("[1, 1, 1]", "1") + REST, "must be a list of whole numbers"),
        (REST.replace("drawings = 8", ""), "at least one number of groups"),
        (REST.replace("8", "-8"), "none below"),
        (REST.replace("8", "8\nrecolourings = 1"), "recolourings needs photographs"),
        (REST.replace("8", "8\nviews = 1"), "views needs photographs"),
        (REST.replace("8", "8\nprints = 1"), "prints needs photographs"),
        (REST.replace("8", "8\nwords = 1"), "words needs photographs"),
        (PHOTOGRAPHS + REST.replace("8", "8\nwords = 1"), "words describes photographs"),
        ("[data]\nviews = 0" + REST, "views and theme_views of at least 1"),
        (PHOTOGRAPHS + "stencil_views = 0" + REST.replace("8", "8\nprints = 1"), "stencil_views"),
        (REST.replace("8", "8\nown = 1"), "own needs triplets"),
        ("[data]\ntriplets = 'own.jsonl'" + REST, "triplets are not used"),
    ],
)
def test_a_bad_config_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "run.toml") in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"Cannot read .*none\.toml"):
        read_config(tmp_path / "none.toml")


def test_what_only_measures_is_not_part_of_what_a_run_is(tmp_path: Path) -> None:
    """A run's state holds its configuration as text, and resumes only under the same one."""
    config = read(tmp_path, REST)
    validated = replace(config, data=replace(config.data, validation="other.jsonl"))
    assert validated != config and repr(validated) == repr(config)
    assert repr(replace(config, seed=1)) != repr(config)
