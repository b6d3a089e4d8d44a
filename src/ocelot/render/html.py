"""A search result as one HTML file, which loads nothing from elsewhere.

Pictures are data URLs, a content security policy forbids everything else, and Jinja2 escapes all
text: file names, metadata and replies of language models can hold anything.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from ocelot import __version__
from ocelot.errors import ImageError, ItemNotFound
from ocelot.images.decode import encode_jpeg
from ocelot.images.file import ImageFile, ImageSource
from ocelot.render import words
from ocelot.rerankers.fusion import ordinal

if TYPE_CHECKING:
    from jinja2 import Environment
    from PIL import Image

    from ocelot.images.store import ImageStore
    from ocelot.types import Hit, Result

__all__ = ["data_url", "environment", "render_groups", "render_page", "sendable", "small"]

_REFERENCE, _PANORAMA = 360, 1600  # longest side, pixels


def render_page(result: Result, images: ImageStore, panorama: Image.Image | None = None) -> str:
    """A page with the query, the best hit and the reason, the other hits, and how it was made.

    Args:
        images: Where the hits' pictures are read from.
        panorama: The picture that a reranker is shown; None leaves it out.

    Returns:
        HTML, to be saved as UTF-8. Pictures that cannot be read are neutral tiles.
    """
    template = environment().get_template("page.html")
    page = template.render(
        query=result.query,
        references=[data_url(small, image, _REFERENCE) for image in result.query.images],
        hits=result.hits,
        best=result.best,
        others=result.hits[1:] if result.best else result.hits,
        ranking=result.ranking,
        reason=result.reason.strip(),
        stored=partial(data_url, images.picture),
        panorama=panorama and data_url(_shrunk, panorama, _PANORAMA),
        facts=words.facts(result),
        unknown=words.unknown(result),
    )
    return sendable(page)


def render_groups(groups: Sequence[Sequence[Hit]], threshold: float, images: ImageStore) -> str:
    """A page of near duplicates: each group with its pictures, their sizes and all their paths."""
    return sendable(
        environment()
        .get_template("groups.html")
        .render(groups=groups, threshold=threshold, stored=partial(data_url, images.picture))
    )


def sendable(text: str) -> str:
    """The text as UTF-8 can carry it: file names may hold other bytes, kept as surrogates."""
    return text.encode("utf-8", "replace").decode()


@cache
def environment(package: str = "ocelot.render") -> Environment:
    """Jinja2 with the templates of a package and of this one; everything is escaped."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=ChoiceLoader([PackageLoader(name, ".") for name in (package, "ocelot.render")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals |= {"words": words, "ordinal": ordinal, "version": __version__}
    return found


def _shrunk(picture: Image.Image, side: int) -> Image.Image:
    small = picture.copy()
    small.thumbnail((side, side))
    return small


def small(source: ImageSource, side: int) -> Image.Image:
    """The picture of a source, with at most `side` pixels on its longer side."""
    return _shrunk(ImageFile.of(source).rgb(side), side)


def data_url(read: Callable[..., Image.Image], *arguments: Any) -> str | None:
    """The picture that `read` returns, as a data URL; None if it cannot be read."""
    try:
        jpeg = encode_jpeg(read(*arguments), quality=85)
    except (ImageError, ItemNotFound):
        return None
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
