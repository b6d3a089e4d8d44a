"""Held-out evaluation sets made of photographs: a gallery, and queries with their answers.

Only held-out photographs are asked with or asked for. Each set is decided by its seed.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from ocelot.errors import InputError
from recipes.ocelot_tiny.batch_plan import PictureSpec, Subjects, Traits
from recipes.ocelot_tiny.benchmark_writer import BenchmarkWriter
from recipes.ocelot_tiny.colours import FAMILIES, RGB, random_rgb
from recipes.ocelot_tiny.photographs import SIDE, PhotoSet, read_metadata, read_photo_set
from recipes.ocelot_tiny.pools import StencilPool
from recipes.ocelot_tiny.wording import phrase
from recipes.ocelot_tiny.words import plural, with_article

__all__ = ["PHOTO_TASKS", "read_photographs", "write_photo_benchmark"]

_VIEWS = 2000  # pictures in the gallery of views, at least, where the folder has as many
_QUERIES = 300  # for prints
_CATEGORY = 10  # photographs that a category needs to be asked for
_NONE = Traits()  # what a picture answers is known here by other means


def read_photographs(
    folder: Path,
    cache: Path,
    task: str,
    *,
    held_out: frozenset[str],
    articles: str = "",
    seed: int = 0,
    workers: int = 0,
) -> PhotoSet:
    """The photographs that a task is made of: the held-out ones, for views others besides.

    Args:
        folder: See `recipes.ocelot_tiny.photographs`, with `cache`, `articles` and `workers`.
        task: A key of `PHOTO_TASKS`.
        held_out: File names.

    Raises:
        ConfigurationError: The folder has no such metadata, or a photograph cannot be read.
        InputError: There is no such task, or the folder has no held-out photograph.
    """
    _check_task(task)
    names = {row["file_name"] for row in read_metadata(folder)}
    if not names & held_out:
        raise InputError(f"None of the held-out photographs is in {folder / 'metadata.csv'}.")
    only = set(names & held_out)
    if task == "view":
        others = sorted(names - held_out)
        missing = max(0, _VIEWS - len(only))
        only |= set(random.Random(f"others/{seed}").sample(others, min(missing, len(others))))
    return read_photo_set(folder, cache, articles=articles, only=frozenset(only), workers=workers)


def write_photo_benchmark(
    folder: Path,
    photos: PhotoSet,
    task: str,
    *,
    held_out: frozenset[str],
    queries: int | None = None,
    seed: int = 0,
) -> Path:
    """Write a gallery and `queries.jsonl` beside it, as `ocelot evaluate triplets` reads.

    Args:
        folder: Gets `images` and `queries.jsonl`.
        photos: Photographs; those that are not held out only fill the gallery of views.
        task: A key of `PHOTO_TASKS`.
        held_out: File names.
        queries: How many at most; None asks with every held-out photograph that fits (prints:
            300 of them).

    Returns:
        The queries file.

    Raises:
        InputError: There is no such task, the folder has pictures already, or no photograph
            of the photos fits the task.
    """
    _check_task(task)
    if (folder / "images").is_dir() and any((folder / "images").iterdir()):
        raise InputError(f"{folder / 'images'} has pictures already: choose another folder.")
    (folder / "images").mkdir(parents=True, exist_ok=True)
    made = BenchmarkWriter(folder, task, photos, held_out, random.Random(f"{task}/{seed}"), queries)
    PHOTO_TASKS[task](made)
    if not made.lines:
        raise InputError(f"No held-out photograph can be used for the task {task}.")
    file = folder / "queries.jsonl"
    file.write_text("\n".join(made.lines) + "\n", encoding="utf-8")
    return file


def _check_task(task: str) -> None:
    if task not in PHOTO_TASKS:
        raise InputError(f"The task must be one of {', '.join(PHOTO_TASKS)}, was: {task!r}.")


def _recolour(made: BenchmarkWriter) -> None:
    """Each article in every colour family, the rest of its photograph unchanged."""
    _recolourings(made, made.recoloured)


def _recolour_elsewhere(made: BenchmarkWriter) -> None:
    """The same before other backgrounds, at other sizes, some of them worn."""

    def elsewhere(number: int, colours: Sequence[RGB]) -> list[str]:
        return made.render(
            [PictureSpec("photograph", number, _NONE, "elsewhere", c) for c in colours]
        )

    _recolourings(made, elsewhere)


def _recolourings(made: BenchmarkWriter, dye: Callable[[int, Sequence[RGB]], list[str]]) -> None:
    """Two queries an article: the literal "same item in blue", and any wording."""
    articles = [n for n in made.numbers if made.photos.photographs[n].article]
    for number in made.sample(articles, None if made.queries is None else -(-made.queries // 2)):
        original = made.original(number)
        colours = [random_rgb(made.rng, family, family) for family in FAMILIES]
        names = dict(zip(FAMILIES, dye(number, colours), strict=True))
        own = made.photos.photographs[number].colour
        one, two = made.rng.sample([family for family in FAMILIES if family != own], 2)
        made.ask(original, f"same item in {one}", [names[one]])
        text = phrase(made.rng, "colour", kind=made.word(number), colour=two)
        made.ask(original, text, [names[two]])


def _print(made: BenchmarkWriter) -> None:
    """A part of a photograph on a product, beside two near misses.

    One is another kind with this print, the other is this kind with another print.
    """
    numbers, rng = made.numbers, made.rng
    articles: dict[str, list[int]] = {}
    for number in numbers:
        if made.photos.photographs[number].article:
            articles.setdefault(made.word(number), []).append(number)
    themes = made.sample(numbers, _QUERIES if made.queries is None else made.queries)
    rng.shuffle(themes)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as kept:
        # Other drawings of the products than a run with a usual seed trains on.
        stencils = StencilPool(Path(kept, "stencils.npy"), size=SIDE, views=1, seed=1 << 20)
        products = Subjects(stencils=stencils.products).products

        def any_kind() -> str:
            garment = articles and rng.random() < 0.25
            return rng.choice(list(articles if garment else products))

        def printed(kind: str, theme: int) -> PictureSpec:
            if kind in products:
                return PictureSpec("stencil", rng.choice(products[kind]), _NONE, printed=theme)
            article = rng.choice(articles[kind])
            return PictureSpec("photograph", article, _NONE, "elsewhere", printed=theme)

        asked: list[tuple[str, int]] = []
        shown: list[tuple[str, int]] = []
        for theme in themes:
            kind, other = any_kind(), any_kind()
            while other == kind:
                other = any_kind()
            asked.append((kind, theme))
            shown += [(kind, theme), (other, theme), (kind, rng.choice(numbers))]
        names = made.render([printed(*what) for what in shown], stencils)
    answers: dict[tuple[str, int], list[str]] = {}
    for what, name in zip(shown, names, strict=True):
        answers.setdefault(what, []).append(name)
    for place, (kind, theme) in enumerate(asked):
        text = f"{kind} with this image theme" if place % 2 else phrase(rng, "print", kind=kind)
        made.ask(made.original(theme), text, answers[kind, theme])


def _view(made: BenchmarkWriter) -> None:
    """Another view of every photograph; half of the articles are before another background."""

    def another(number: int) -> PictureSpec:
        away = made.photos.photographs[number].article and made.rng.random() < 0.5
        return PictureSpec("photograph", number, _NONE, "elsewhere" if away else "own")

    names = made.render([another(number) for number in range(len(made.photos.photographs))])
    asked = made.sample(made.numbers, made.queries)
    for number in asked:
        made.ask(made.original(number), None, [names[number]])


def _words(made: BenchmarkWriter) -> None:
    """A category's name, in three wordings, for all of its photographs."""
    members: dict[str, list[str]] = {}
    for number in made.numbers:
        members.setdefault(made.word(number), []).append(made.original(number))
    for kind, names in members.items():
        if len(names) >= _CATEGORY:
            shown = f"a photo of {with_article(made.rng, kind)}"
            for text in dict.fromkeys((kind, plural(kind), shown)):
                made.ask(None, text, names)


PHOTO_TASKS: Mapping[str, Callable[[BenchmarkWriter], None]] = MappingProxyType(
    {
        "recolour": _recolour,
        "recolour-elsewhere": _recolour_elsewhere,
        "print": _print,
        "view": _view,
        "words": _words,
    }
)
"""Task -> what makes its set."""
