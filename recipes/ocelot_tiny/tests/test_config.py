from __future__ import annotations

from pathlib import Path

import pytest

from ocelot.errors import ConfigurationError
from ocelot.training.config import read_config
from recipes.ocelot_tiny.config import RecipeConfig

LEGS = sorted((Path(__file__).parents[1] / "configs").glob("*.toml"))
GROUPS = "[optimiser]\nsteps = 1\n[groups]\ndrawings = 8\n"
PHOTOGRAPHS = "[photographs]\nfolder = 'p'\n"


@pytest.mark.parametrize("file", LEGS, ids=lambda file: file.stem)
def test_the_legs_can_be_read(file: Path) -> None:
    assert read_config(file, RecipeConfig).name == "ocelot-tiny"
    assert file.name in file.read_text(encoding="utf-8")  # the command in its first lines


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GROUPS.replace("drawings = 8", ""), "above 0"),
        (GROUPS.replace("8", "-8"), "drawings"),
        (PHOTOGRAPHS + GROUPS.replace("8", "8\nwords = 1"), "words describes photographs"),
        ("[drawings]\nviews = 0\n" + GROUPS, "views and theme_views of at least 1"),
        (
            PHOTOGRAPHS + "[drawings]\nstencil_views = 0\n" + GROUPS.replace("8", "8\nprints = 1"),
            "stencil_views",
        ),
        (GROUPS + "own = 3\n", "own"),
        (
            "[tables]\nroot = 't'\nfolders = ['a']\n" + GROUPS.replace("8", "8\ntitles = 1"),
            "titles",
        ),
        ("[tables]\nroot = 't'\nfolders = []\n" + GROUPS, "folders"),
    ],
)
def test_a_bad_config_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "leg.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message) as caught:
        read_config(file, RecipeConfig)
    assert str(file) in str(caught.value) and "\n" not in str(caught.value)
