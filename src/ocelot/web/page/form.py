"""What a person has entered, read from what the browser sends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ocelot.web.page.filters import CATEGORIES, Chosen, Offer

__all__ = ["MOST", "OFF", "Form", "Upload", "path_of"]

Upload = dict[str, Any] | None  # as Gradio's picture field sends it

MOST = 48  # results on the page at once
OFF = "off"  # instead of a reranker's name


@dataclass(frozen=True)
class Form:
    """A search as it was entered.

    Attributes:
        picture: Path of the uploaded file.
        reranker: Its name; None for none.
    """

    picture: str | None = None
    text: str = ""
    chosen: Chosen = field(default_factory=Chosen)
    limit: int = 9
    reranker: str | None = None

    @classmethod
    def of(cls, offer: Offer, picture: Upload, text: str | None, *values: Any) -> Form:
        """From the values of the fields.

        Args:
            offer: What the filters stand for.
            values: Of `Controls.inputs`: the categories, two ends for each number, an expression,
                the reranker, and how many results.
        """
        *fields, own, reranker, limit = values
        chosen, ends = fields[:CATEGORIES], fields[CATEGORIES:]
        # There are more fields than facets: those left over are not shown.
        categories = zip(offer.categories, chosen, strict=False)
        ranges = zip(offer.numbers, ends[::2], ends[1::2], strict=False)
        return cls(
            path_of(picture),
            text or "",
            Chosen(
                {facet.key: picked for facet, picked in categories if picked},
                {facet.key: (low, high) for facet, low, high in ranges},
                own or "",
            ),
            max(1, min(int(limit), MOST)),
            None if reranker == OFF else str(reranker),
        )


def path_of(picture: Upload) -> str | None:
    """Where the file of a picture field is."""
    return str(picture["path"]) if picture else None
