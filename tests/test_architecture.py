"""The house rules, read from the code: arrows point down, start-up stays lean, names are kept."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

from PIL import Image

import ocelot
from ocelot import errors

SOURCE = Path(ocelot.__file__).parent

# Ground floor first. A module imports from floors below, or from its own room.
FLOORS = (
    (
        "assets",
        "score_calibration",
        "errors",
        "cancel",
        "files",
        "settings",
        "spelling",
        "telemetry",
        "types",
        "words",
        "images",
        "query",
        "query_vector",
        "hybrid",
        "request_id",
        "selection",
    ),
    ("encoders.base", "rerankers.base", "model", "downloads"),
    ("collection",),
    ("encoders", "rerankers", "indexing", "training"),
    ("maintenance",),
    ("render",),
    ("engine", "evaluation"),
    ("service",),
    ("build",),
    ("adapting",),
    ("web",),
    ("mcp",),
    ("cli",),
    ("__main__",),
)


def room(module: str) -> str:
    """A module's folder; a seam is a room of its own, below those who implement it."""
    first, *rest = module.split(".")[1:]
    return f"{first}.base" if rest == ["base"] else first


def imports() -> set[tuple[str, str]]:
    """Pairs (importing module, imported module) within the package; type hints count too."""
    found = set()
    for file in SOURCE.rglob("*.py"):
        parts = ("ocelot", *file.relative_to(SOURCE).with_suffix("").parts)
        name = ".".join(parts).removesuffix(".__init__")
        if name == "ocelot":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not node.level, f"{name} imports relatively"
                targets = [str(node.module)]
                if node.module == "ocelot":
                    targets = [f"ocelot.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            else:
                continue
            found |= {
                (name, target)
                for target in targets
                if target.startswith("ocelot.") and not target.startswith("ocelot.__")
            }
    return found


def floor(module: str) -> int:
    for number, rooms in enumerate(FLOORS):
        if room(module) in rooms:
            return number
    raise AssertionError(f"{module} stands on no floor: give it one in FLOORS")


def test_arrows_point_down() -> None:
    pairs = imports()
    assert len(pairs) > 100
    upward = {
        (importer, imported)
        for importer, imported in pairs
        if floor(imported) >= floor(importer)
        and (floor(imported) > 0 or floor(importer) > 0)
        and room(importer) != room(imported)
    }
    assert not upward


def test_recipes_stay_outside() -> None:
    """They use the package, which is installed without them."""
    for file in SOURCE.rglob("*.py"):
        assert not re.search(r"\brecipes\b", file.read_text(encoding="utf-8")), file


def test_no_circles() -> None:
    graph: dict[str, set[str]] = {}
    for importer, imported in imports():
        if room(importer) != room(imported) and floor(importer) > 0:
            graph.setdefault(room(importer), set()).add(room(imported))

    def reaches(start: str, goal: str, seen: frozenset[str] = frozenset()) -> bool:
        return any(
            next_ == goal or (next_ not in seen and reaches(next_, goal, seen | {next_}))
            for next_ in graph.get(start, ())
        )

    assert [name for name in graph if reaches(name, name)] == []


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_is_lean() -> None:
    heavy = run(
        "import ocelot, sys; ocelot.Query(text='a')\n"
        "heavy = ('torch', 'pymilvus', 'openai', 'pydantic', 'rich')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    assert heavy.strip() == "[]"


def test_help_is_lean() -> None:
    heavy = run(
        "import sys, runpy\n"
        "sys.argv = ['ocelot', '--help']\n"
        "try: runpy.run_module('ocelot', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print([m for m in ('torch', 'pymilvus', 'openai', 'pydantic') if m in sys.modules])"
    )
    assert heavy.strip().splitlines()[-1] == "[]"


# What a search without a language model has no use for, and what is slow to import.
NOT_FOR_A_SEARCH = (
    "cv2", "fastapi", "httpx", "huggingface_hub", "jinja2", "matplotlib", "nncf", "openai",
    "opentelemetry", "prometheus_client", "ray", "sentence_transformers", "starlette", "torch",
    "transformers", "uvicorn",
)  # fmt: skip


def test_a_search_is_lean(tmp_path: Path, bare_environment: None) -> None:
    pictures = [tmp_path / f"{colour}.png" for colour in ("red", "blue")]
    for picture in pictures:
        Image.new("RGB", (40, 30), picture.stem).save(picture)
    with ocelot.open(tmp_path / "a.db", reranker=None) as engine:
        engine.index(pictures)
    asked = ["search", "-i", str(pictures[0]), "-t", "in blue", "--db", str(tmp_path / "a.db")]
    lines = run(
        "import sys, runpy\n"
        f"sys.argv = ['ocelot', *{asked!r}]\n"
        "try: runpy.run_module('ocelot', run_name='__main__')\n"
        "except SystemExit as stop: assert not stop.code\n"
        f"print([m for m in {NOT_FOR_A_SEARCH!r} if m in sys.modules])"
    ).splitlines()
    assert any("blue.png" in line for line in lines)
    assert lines[-1] == "[]"


def test_public_names() -> None:
    assert ocelot.__all__ == sorted(ocelot.__all__)
    assert len(set(ocelot.__all__) - set(errors.__all__)) < 20
    assert set(errors.__all__) <= set(ocelot.__all__)
    for name in ocelot.__all__:
        assert getattr(ocelot, name) is not None
    assert set(ocelot.__all__) <= set(dir(ocelot))


def test_every_all_is_true() -> None:
    import importlib

    for file in SOURCE.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = [
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign)
            and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets)
        ]
        if not names or file.name == "__init__.py":
            continue
        module = ".".join(("ocelot", *file.relative_to(SOURCE).with_suffix("").parts))
        loaded = importlib.import_module(module)
        assert all(hasattr(loaded, name) for name in names[0]), module
