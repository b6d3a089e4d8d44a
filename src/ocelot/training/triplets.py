"""What a batch is to hold, as a plan: pictures to be made, and what is asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ocelot.catalogue.vocabulary import Product
from ocelot.training.colours import RGB
from ocelot.training.drawings import Theme
from ocelot.training.photographs import Photograph

__all__ = ["ANY", "NONE", "OPEN", "Draft", "Query", "Shot", "Source", "Traits"]

ANY = -1  # fits everything, and leaves open what fits
NONE = -2  # fits nothing that is asked for


class Traits(NamedTuple):
    """What a picture shows, or what a query asks for, as numbers that tensors compare.

    A query accepts a picture when each trait is equal, or ANY on either side.
    """

    item: int = NONE
    kind: int = NONE
    sort: int = NONE
    printed: int = NONE
    colour: int = NONE
    shade: int = NONE


OPEN = Traits(*[ANY] * len(Traits._fields))


@dataclass(frozen=True)
class Shot:
    """One picture to be made.

    Attributes:
        source: "photograph", "stencil" and "file" are numbers within their pools; "drawing" is
            a product or a theme.
        setting: Of a photograph: "own" keeps its background, "elsewhere" puts the cut-out
            article before another, "close" takes a part of it.
        colour: What the article is recoloured to.
        printed: The photograph that is printed on the article or the stencil.
    """

    source: str
    subject: int | Product | Theme
    traits: Traits
    setting: str = "own"
    colour: RGB | None = None
    printed: int | None = None


@dataclass(frozen=True)
class Query:
    """A query and its answer; pictures are numbers within the draft."""

    reference: int | None
    text: str | None
    target: int
    wanted: Traits


@dataclass
class Draft:
    """The plan of one batch."""

    shots: list[Shot] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)

    def add(self, shot: Shot) -> int:
        """The picture's number."""
        self.shots.append(shot)
        return len(self.shots) - 1

    def ask(self, reference: int | None, text: str | None, target: int, wanted: Traits) -> None:
        """A query whose answer is the picture `target`."""
        self.queries.append(Query(reference, text, target, wanted))


class Source:
    """What drafts are drawn from.

    Args:
        photographs: In the order of their pool.
        stencils: Kind and style of each empty product that can be printed on.

    Attributes:
        articles, whole: Numbers of the photographs that are cut out, and of the others, by kind.
        products: Numbers of the stencils by kind.
    """

    def __init__(
        self,
        photographs: Sequence[Photograph] = (),
        stencils: Sequence[tuple[str, int]] = (),
    ) -> None:
        self.photographs, self.stencils = photographs, stencils
        self.articles: dict[str, list[int]] = {}
        self.whole: dict[str, list[int]] = {}
        self.products: dict[str, list[int]] = {}
        for number, photograph in enumerate(photographs):
            group = self.articles if photograph.article else self.whole
            group.setdefault(photograph.kind, []).append(number)
        for number, (kind, _) in enumerate(stencils):
            self.products.setdefault(kind, []).append(number)
