"""The plan of a batch: which pictures to make, and the queries for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ocelot.training.batch import WILDCARD, Query
from recipes.ocelot_tiny.catalogue.vocabulary import Product
from recipes.ocelot_tiny.colours import RGB
from recipes.ocelot_tiny.drawings import Theme
from recipes.ocelot_tiny.listings import Listing, themed_pairs
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


_PRINTABLE = frozenset([
    "t-shirt", "mug", "cushion", "bag", "backpack", "wallet", "rug", "suitcase", "top",
    "device cover", "hat", "shoes", "pet supplies", "chair", "dress", "tie", "scarf",
])  # fmt: skip

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
        tiled: Print the cut-out thing of that photograph on a ground, again and again.
    """

    source: str
    subject: int | Product | Theme
    traits: Traits
    setting: str = "own"
    colour: RGB | None = None
    printed: int | None = None
    tiled: bool = False

    @property
    def listed(self) -> bool:
        """Whether it shows what a table says: neither recoloured nor printed on, nor a part."""
        changed = self.colour is not None or self.printed is not None
        return self.source == "photograph" and not changed and self.setting in ("own", "elsewhere")


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
        recolourable: Numbers of the pictures from tables that can be recoloured, by kind.
        products: Numbers of the stencils by kind.
        listed: Numbers of the pictures from tables, by table, then by kind; of named things all
            together.
        designs: Numbers of the pictures of each design that is sold in several colours.
        designs_of: Numbers of designs by kind.
        coloured: Numbers of the pictures from tables by family of colour, then kind.
        printable: Numbers of cut-out pictures of things that people print on, by kind.
        concepts: Numbers of the pictures of named things, of which themes are made.
        surfaces: Numbers of the pictures of surfaces.
        alike: For a picture of a named thing, a surface or a sort of goods, the numbers of all of
            the same, if there are others.
        themed: Pairs of a concept and a product whose title names it; and pairs of products with
            one print.
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
        self.recolourable: dict[str, list[int]] = {}
        self.products: dict[str, list[int]] = {}
        for number, photograph in enumerate(photographs):
            if photograph.listing is None:
                group = self.articles if photograph.article else self.whole
                group.setdefault(photograph.kind, []).append(number)
            elif photograph.recolourable:
                self.recolourable.setdefault(photograph.kind, []).append(number)
        for number, (kind, _) in enumerate(stencils):
            self.products.setdefault(kind, []).append(number)
        self._read_listings()

    def _read_listings(self) -> None:
        self.listed: dict[str, dict[str, list[int]]] = {}
        self.coloured: dict[str, dict[str, list[int]]] = {}
        self.printable: dict[str, list[int]] = {}
        self.concepts: list[int] = []
        self.surfaces: list[int] = []
        designs: dict[int, list[int]] = {}
        same: dict[int | str, list[int]] = {}
        listings: dict[int, Listing] = {}
        for number, photograph in enumerate(self.photographs):
            listing = photograph.listing
            if listing is None:
                if not photograph.article:
                    same.setdefault(photograph.sort, []).append(number)
                continue
            listings[number] = listing
            group = listing.source if listing.named else photograph.kind
            self.listed.setdefault(listing.source, {}).setdefault(group, []).append(number)
            if listing.surface or listing.named:
                same.setdefault(listing.item, []).append(number)
            if listing.surface:
                self.surfaces.append(number)
            elif listing.named:
                self.concepts.append(number)
            elif photograph.colour:
                kinds = self.coloured.setdefault(photograph.colour, {})
                kinds.setdefault(photograph.kind, []).append(number)
            if listing.variant:
                designs.setdefault(listing.item, []).append(number)
            if photograph.article and (
                photograph.kind == "phone case"
                or (photograph.kind in _PRINTABLE and photograph.recolourable)
            ):
                self.printable.setdefault(photograph.kind, []).append(number)
        self.alike = {
            number: members for members in same.values() for number in members if len(members) > 1
        }
        self.designs = [members for members in designs.values() if len(members) > 1]
        self.designs_of: dict[str, list[int]] = {}
        for number, members in enumerate(self.designs):
            kind = self.photographs[members[0]].kind
            self.designs_of.setdefault(kind, []).append(number)
        self.themed = themed_pairs(listings, self.concepts)
