"""The docs agree with the code: what they show runs, what they name exists, nothing is left out."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from PIL import Image

from ocelot.cli.main import app
from ocelot.errors import ConfigurationError
from ocelot.settings import Settings, load_settings
from ocelot.training.config import (
    DataConfig,
    NetworkConfig,
    OptimiserConfig,
    TrainConfig,
    read_config,
)
from ocelot.training.triplets import read_triplet_file

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
TEXTS = [*PAGES, *(file for file in [ROOT / "README.md"] if file.is_file())]
FENCE = re.compile(r"^(?P<mark><!-- run -->\n)?```(?P<kind>\w*)\n(?P<body>.*?)^```$", re.M | re.S)


@pytest.fixture(autouse=True)
def clean(bare_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_docs", DOCS / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(page: Path, *kinds: str) -> Iterator[tuple[str, bool]]:
    """The code blocks of a page, and whether each is marked to be run."""
    for found in FENCE.finditer(page.read_text(encoding="utf-8")):
        if found["kind"] in kinds:
            yield found["body"], bool(found["mark"])


# Generated pages


@pytest.mark.parametrize("name", ["api", "cli", "settings"])
def test_generated_pages_are_up_to_date(generate: ModuleType, name: str) -> None:
    written = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    assert written == getattr(generate, f"{name}_page")(), "run `make docs`"


def test_help_is_of_one_width(generate: ModuleType) -> None:
    help = [body for body, _ in blocks(DOCS / "cli.md", "text")]
    assert max(len(line) for body in help for line in body.splitlines()) <= generate.WIDTH


# Commands


def real_commands(command: Any = None, name: str = "ocelot") -> Iterator[tuple[str, Any]]:
    """Leaves of the tree that typer itself builds."""
    command = command or typer.main.get_command(app)
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
    for part, child in (below or {}).items():
        yield from real_commands(child, f"{name} {part}")


def options_of(command: Any) -> set[str]:
    named = {name for parameter in command.params for name in parameter.opts}
    return {name for name in named if name.startswith("-")}


def test_every_command_and_option_is_in_the_reference() -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## ([^\n]+)\n\n```text\n(.*?)^```$", page, re.M | re.S))
    commands = dict(real_commands())
    assert list(sections) == list(commands) and len(commands) > 5
    for name, command in commands.items():
        shown = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", sections[name]))
        assert options_of(command) <= shown, name


def test_every_command_is_explained_somewhere() -> None:
    prose = "".join(page.read_text(encoding="utf-8") for page in TEXTS if page.name != "cli.md")
    assert [name for name, _ in real_commands() if name not in prose] == []


def command_lines() -> list[tuple[str, str]]:
    """Each documented call of ocelot: its page, and the line from `ocelot` on."""
    found = []
    for page in TEXTS:
        for body, _ in blocks(page, "", "sh", "bash", "console", "ini"):
            for line in body.replace("\\\n", " ").splitlines():
                call = re.search(r"^(?:[^#]*[\s/])?(ocelot \S.*)$", line)
                if call:
                    found.append((page.name, call[1]))
    return found


def words_of(line: str) -> list[str]:
    """The arguments of a call, without what a shell makes of the rest of the line."""
    words = shlex.split(line, comments=True)
    ends = [number for number, word in enumerate(words) if word in ("|", ">", "&", "&&", ";")]
    return words[1 : ends[0] if ends else None]


@pytest.mark.parametrize(("page", "line"), command_lines())
def test_command_lines_are_accepted(page: str, line: str) -> None:
    words = words_of(line)
    names = dict(real_commands())
    name = next((n for n in (f"ocelot {' '.join(words[:k])}" for k in (1, 2)) if n in names), None)
    assert name is not None, f"{page}: there is no such command: {line}"
    rest = words[len(name.split()) - 1 :]
    if "--help" not in rest:
        names[name].make_context(name, rest)  # fails for unknown, missing and surplus arguments


# Settings


def documented() -> dict[str, tuple[list[str], str]]:
    """Of each setting in docs/settings.md its variables and its default."""
    rows = re.findall(
        r"^\| `([a-z_]+)` \| (.*?) \| (.*?) \| .+ \|$",
        (DOCS / "settings.md").read_text(encoding="utf-8"),
        re.M,
    )
    return {
        name: (re.findall(r"`(\w+)`", names), default.strip().strip("`"))
        for name, names, default in rows
    }


SAMPLES = {
    "backend": "openvino", "precision": "bf16", "reduced_decoding": "false",
    "reranker": "fusion", "batch_size": "7", "llm_timeout": "7.5", "llm_retries": "7",
    "llm_price_in": "7.5", "llm_price_out": "7.5", "llm_prices": '{"m": [7.5, 8.0]}',
    "llm_daily_tokens": "7", "llm_daily_dollars": "7.5", "llm_pause": "7.5",
    "llm_max_tokens": "77", "llm_detail": "low", "llm_window": "7", "llm_votes": "3",
    "llm_cache": "false", "mcp": "true", "read_only": "true",
    "max_upload_mb": "7.5", "thumbnails_mb": "77", "max_pixels": "777", "request_timeout": "7.5",
    "header_timeout": "7.5", "client_connections": "7", "log_format": "json",
    "stop_timeout": "7.5", "outage_timeout": "7.5", "threads": "7", "queue": "7",
    "batch_window": "0.7", "encoder_max_pixels": "7777", "encoder_dimension": "7",
    "encoder_text_weight": "0.7",
}  # fmt: skip


def plain(value: Any) -> str:
    value = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    return json.dumps(value) if isinstance(value, (bool, dict)) else str(value)


def test_every_setting_is_documented_with_its_default() -> None:
    table = documented()
    settings = load_settings()
    assert set(table) == set(Settings.model_fields)
    for name, (_, default) in table.items():
        value = getattr(settings, name)
        assert default == ("" if value is None else plain(value)), name


@pytest.mark.parametrize(
    ("name", "variable"), [(n, v) for n, (names, _) in documented().items() for v in names]
)
def test_each_variable_sets_its_setting(
    name: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = SAMPLES.get(name, "sample")
    assert plain(getattr(load_settings(), name)) != sample
    monkeypatch.setenv(variable, sample)
    assert plain(getattr(load_settings(), name)) == sample


def test_of_several_variables_the_first_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    several = {name: names for name, (names, _) in documented().items() if len(names) > 1}
    assert several
    for name, names in several.items():
        for number, variable in enumerate(names):
            monkeypatch.setenv(variable, f"value-{number}")
        assert plain(getattr(load_settings(), name)) == "value-0", name


def test_each_key_of_the_file_works_and_no_other(tmp_path: Path) -> None:
    values = {name: SAMPLES.get(name, "sample") for name in documented()}
    quoted = {n: v if v[0].isdigit() or v == "false" else f'"{v}"' for n, v in values.items()}
    quoted["llm_prices"] = values["llm_prices"].replace(": ", " = ")
    file = tmp_path / "ocelot.toml"
    file.write_text("\n".join(f"{name} = {value}" for name, value in quoted.items()))
    settings = load_settings()
    assert {name: plain(getattr(settings, name)) for name in values} == values
    file.write_text("unheard_of = 1")
    with pytest.raises(ConfigurationError, match="unheard_of"):
        load_settings()


def test_variables_named_anywhere_are_documented() -> None:
    listed = re.findall(r"\bOCELOT_[A-Z_]+\b", (DOCS / "settings.md").read_text(encoding="utf-8"))
    named = {
        name
        for page in TEXTS
        for name in re.findall(r"\bOCELOT_[A-Z_]+\b", page.read_text(encoding="utf-8"))
    }
    assert named <= set(listed)


def test_example_files_of_settings_are_accepted(tmp_path: Path) -> None:
    pages = [page for page in TEXTS if page.name != "training.md"]
    examples = [body for page in pages for body, _ in blocks(page, "toml")]
    assert examples
    for body in examples:
        (tmp_path / "ocelot.toml").write_text(body, encoding="utf-8")
        load_settings()


# Training


def test_example_files_of_training_are_accepted(tmp_path: Path) -> None:
    examples = [body for body, _ in blocks(DOCS / "training.md", "toml")]
    assert examples
    for body in examples:
        (tmp_path / "run.toml").write_text(body, encoding="utf-8")
        read_config(tmp_path / "run.toml", TrainConfig)


def test_example_triplets_are_accepted(tmp_path: Path) -> None:
    examples = [body for body, _ in blocks(DOCS / "training.md", "json")]
    assert examples
    for body in examples:
        for name in re.findall(r'"([^"]+\.jpg)"', body):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        (tmp_path / "own.jsonl").write_text(body, encoding="utf-8")
        read_triplet_file(tmp_path / "own.jsonl")


def settings_of_training(section: str) -> str:
    """What docs/training.md says of a section of the configuration."""
    _, _, text = (DOCS / "training.md").read_text(encoding="utf-8").partition("# The configuration")
    return text.partition(f"\n`[{section}]`")[2].partition("\n`[")[0]


@pytest.mark.parametrize(
    ("name", "section"),
    [("data", DataConfig), ("optimiser", OptimiserConfig), ("network", NetworkConfig)],
)
def test_every_training_setting_is_documented_with_its_default(name: str, section: Any) -> None:
    rows = re.findall(r"^\| `(\w+)` \|(.*?)\| .+ \|$", settings_of_training(name), re.M)
    documented = {setting: default.strip() for setting, default in rows}
    declared = {
        setting: "" if field.is_required() else f"`{json.dumps(field.default)}`"
        for setting, field in section.model_fields.items()
    }
    assert documented == declared and len(rows) == len(declared)


def test_the_example_of_a_batch_source_runs() -> None:
    (body,) = (body for body, _ in blocks(DOCS / "training.md", "python"))
    Path("colours.toml").write_text("[optimiser]\nsteps = 1\n", encoding="utf-8")
    exec(compile(body, "training.md", "exec"), {"__name__": "training"})
    assert Path("runs/colours/encoder").is_dir()


# Links


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_relative_links_lead_to_files(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", text)
    for target in (one or other for one, other in targets):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {target}"
        assert file.is_relative_to(ROOT), f"{page.name}: {target} leads out of the repository"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.M)
            slugs = {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings}
            assert anchor in slugs, f"{page.name}: {target}"


def test_every_page_is_reachable() -> None:
    linked = {
        target.partition("#")[0].rpartition("/")[2]
        for page in TEXTS
        for target in re.findall(r"\]\(([^)\s]+\.md[^)\s]*)\)", page.read_text(encoding="utf-8"))
    }
    readme = (ROOT / "README.md").is_file()
    roots = set() if readme else {"tutorial.md"}
    assert {page.name for page in PAGES} - roots <= linked


# Code


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_python_blocks_compile(page: Path) -> None:
    for body, _ in blocks(page, "python"):
        compile(body, page.name, "exec")


def write_pictures(folder: Path) -> Path:
    """Squares of one colour each, with a metadata.csv."""
    colours = {
        "red": (200, 30, 30), "blue": (30, 30, 200), "green": (30, 200, 30),
        "purple": (150, 20, 150), "yellow": (200, 200, 20), "grey": (120, 120, 120),
    }  # fmt: skip
    folder.mkdir()
    with open(folder / "metadata.csv", "w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["file_name", "title", "category", "price"])
        for number, (name, colour) in enumerate(colours.items(), 1):
            Image.new("RGB", (24, 24), colour).save(folder / f"{name}.png")
            lines.writerow([f"{name}.png", f"A {name} square", "square", 10 * number])
    return folder


def test_the_marked_blocks_of_the_library_page_run(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures")
    page = DOCS / "library.md"
    bodies = [body for body, marked in blocks(page, "python") if marked]
    assert len(bodies) > 5
    names: dict[str, Any] = {"__name__": "library"}
    try:
        for number, body in enumerate(bodies, 1):
            exec(compile(body, f"{page.name}, block {number}", "exec"), names)
    finally:
        if "engine" in names:
            names["engine"].close()


def test_the_architecture_page_names_what_there_is() -> None:
    """Each step of the flows is defined in the file that the page names; each room exists."""
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    steps = re.findall(r"^ *([A-Za-z_.]+) +([a-z_/]+\.py)\b", page, re.M)
    assert len(steps) > 20
    for name, file in steps:
        source = (ROOT / "src" / "ocelot" / file).read_text(encoding="utf-8")
        assert re.search(rf"(def|class) {name.rpartition('.')[2]}\b", source), f"{name} in {file}"
    for room in re.findall(r"`([a-z_]+(?:/|/[a-z_]+\.py))`", page):
        assert (ROOT / "src" / "ocelot" / room).exists() or (ROOT / room).exists(), room
