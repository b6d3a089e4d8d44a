"""The plan of a batch: which pictures to make, and the queries for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ocelot.training.batch import WILDCARD, Query
from recipes.ocelot_tiny.catalogue.vocabulary import Product
from recipes.ocelot_tiny.colours import RGB
from recipes.ocelot_tiny.drawings import Theme
from recipes.ocelot_tiny.photographs import Photograph, PhotoSet
from recipes.ocelot_tiny.pools import StencilPool

__all__ = ["ANY", "NONE", "OPEN", "BatchPlan", "PictureSpec", "Subjects", "Traits"]

ANY = WILDCARD  # a picture: the trait is not known; a query: the trait does not matter
NONE = -2  # a picture that fits no query for this trait


class Traits(NamedTuple):
    """The labels of a picture, or those that a query wants; see `ocelot.training.batch.Batch`."""

    item: int = NONE
    kind: int = NONE
    sort: int = NONE
    printed: int = NONE
    colour: int = NONE
    shade: int = NONE


OPEN = Traits(*[ANY] * len(Traits._fields))


@dataclass(frozen=True)
class PictureSpec:
    """One picture to be made.

    Attributes:
        source: "photograph" or "stencil", with a number within the pool as the subject; or
            "drawing", with a product or a theme.
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


@dataclass
class BatchPlan:
    """The plan of one batch: pictures to be made, and the queries for them."""

    pictures: list[PictureSpec] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)

    def add(self, spec: PictureSpec) -> int:
        """Add a picture and return its number."""
        self.pictures.append(spec)
        return len(self.pictures) - 1

    def ask(self, reference: int | None, text: str | None, target: int, wanted: Traits) -> None:
        """Add a query whose answer is the picture `target`."""
        self.queries.append(Query(reference, text, target, wanted))


class Subjects:
    """What can be shown in a batch.

    Args:
        photographs: In the order of their pool.
        stencils: Kind and style of each empty product that can be printed on.

    Attributes:
        articles, whole: Numbers of the photographs that are cut out, and of the others, by kind.
        products: Numbers of the stencils by kind.
    """

    @classmethod
    def of(cls, photos: PhotoSet | None, stencils: StencilPool | None) -> Subjects:
        """All photographs of a set and all products of a pool."""
        return cls(photos.photographs if photos else (), stencils.products if stencils else ())

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
