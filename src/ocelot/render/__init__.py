"""Results to look at: a page and a panorama; most searches need neither, nor Jinja2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocelot.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

    from ocelot.images.store import ImageStore
    from ocelot.types import Result

__all__ = ["ResultRenderer"]


class ResultRenderer:
    """Draws results with the pictures of a store; see `ocelot.types.Renderer`."""

    def __init__(self, images: ImageStore) -> None:
        self._images = images

    def panorama(self, result: Result) -> Image.Image:
        """The query and up to 25 hits in retrieval order, as a vision model sees them.

        Raises:
            InputError: There are no hits.
        """
        if not result.hits:
            raise InputError("There is nothing to draw: the result has no hits.")
        from ocelot.rerankers.panorama.compose import MAX_CANDIDATES, panorama_of_hits

        return panorama_of_hits(result.query, result.retrieved[:MAX_CANDIDATES], self._images)

    def html(self, result: Result) -> str:
        """A whole page, with every picture inside."""
        from ocelot.render.html import render_page

        panorama = self.panorama(result) if result.hits else None
        return render_page(result, self._images, panorama)
