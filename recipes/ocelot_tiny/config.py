"""The configuration of a leg: that of any run, and what its pictures are made from."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeInt, model_validator

from ocelot.training.config import Section, TrainConfig

__all__ = ["DrawingsConfig", "GroupsConfig", "PhotographsConfig", "RecipeConfig"]


class PhotographsConfig(Section):
    """Photographs to train on; paths are relative to the working directory.

    Attributes:
        folder: Folder of photographs with `metadata.csv`.
        articles: How the names of those files begin that show one article before a background,
            which is cut out; "" is all.
        held_out: File with the names of photographs that are never trained on, one to a line.
    """

    folder: str
    articles: str = ""
    held_out: str = ""


class TablesConfig(Section):
    """Tables of product photographs and named things; see `recipes.ocelot_tiny.listings`.

    Attributes:
        root: Folder that has the others, relative to the working directory.
        folders: Those that are trained on.
        held_out: File with titles that are never trained on, one to a line.
    """

    root: str
    held_out: str = ""
    folders: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


class DrawingsConfig(Section):
    """What is drawn beforehand.

    Attributes:
        views, theme_views: Drawings of each article and each theme of the catalogue.
        stencil_views: Drawings of each empty product that photographs are printed on.
        size: Pixels along one side; 0 is the encoder's own size.
    """

    views: NonNegativeInt = 2
    theme_views: NonNegativeInt = 12
    stencil_views: NonNegativeInt = 24
    size: NonNegativeInt = 0


class GroupsConfig(Section):
    """How many groups of each sampler one batch has; see `recipes.ocelot_tiny.samplers`.

    Attributes:
        recolourings: Garments in three colours each.
        views: Photographs, seen twice each.
        prints: Pictures, printed on two products each.
        drawings: Triplets of the drawn catalogue.
        designs: Designs in the colours that they are sold in.
        matches: Two things of one colour.
        themes: Products that were really printed, with a part or the subject of their print.
        listed: Pictures from tables, besides those of the other samplers.
        titles: Titles, parts of titles and names of pictures from tables that the batch has.
        words: Descriptions of photographs that the batch has.
    """

    recolourings: NonNegativeInt = 0
    views: NonNegativeInt = 0
    prints: NonNegativeInt = 0
    drawings: NonNegativeInt = 0
    designs: NonNegativeInt = 0
    matches: NonNegativeInt = 0
    themes: NonNegativeInt = 0
    listed: NonNegativeInt = 0
    titles: NonNegativeInt = 0
    words: NonNegativeInt = 0


class RecipeConfig(TrainConfig):
    """A leg. Its pictures are made here, so [data] names no triplets."""

    photographs: PhotographsConfig | None = None
    tables: TablesConfig | None = None
    drawings: DrawingsConfig = DrawingsConfig()
    groups: GroupsConfig

    @model_validator(mode="after")
    def _check_groups(self) -> RecipeConfig:
        groups, drawings = self.groups, self.drawings
        if not any(vars(groups).values()):
            raise ValueError("at least one number in [groups] must be above 0")
        if groups.titles and not (groups.listed or groups.designs or groups.matches):
            raise ValueError("[groups] titles describes pictures of other samplers: add listed")
        if groups.words and not (groups.recolourings or groups.views or groups.prints):
            raise ValueError("[groups] words describes photographs of other samplers: add views")
        if groups.drawings and min(drawings.views, drawings.theme_views) < 1:
            raise ValueError("[groups] drawings needs views and theme_views of at least 1")
        if groups.prints and drawings.stencil_views < 1:
            raise ValueError("[groups] prints needs stencil_views of at least 1")
        return self
