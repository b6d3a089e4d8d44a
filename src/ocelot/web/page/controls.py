"""The fields for filters and ranking."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ocelot.collection import MAX_FILTER, Facet
from ocelot.render import words
from ocelot.service import Service
from ocelot.web.page.form import CATEGORIES, NO_RERANKER, NUMBERS, RESULTS, Offer

__all__ = ["Controls"]


class Controls:
    """Dropdowns and number fields for facets, which are known only when a page is opened.

    Make it within a `gr.Blocks`.

    Attributes:
        searches: Events that start a search.
        inputs: The last arguments of `Form.of`.
        outputs: The fields that `update` changes.
    """

    def __init__(self, service: Service) -> None:
        with gr.Accordion("Filters", open=False, elem_id="oc-filters"):
            self._categories = [
                gr.Dropdown(multiselect=True, visible=False, interactive=True)
                for _ in range(CATEGORIES)
            ]
            rows, ends = [], []
            for _ in range(NUMBERS):
                with gr.Row(visible=False, elem_classes="oc-range") as row:
                    ends += [gr.Number(interactive=True, min_width=80) for _ in range(2)]
                rows.append(row)
            self._rows, self._ends = rows, ends
            self._own = gr.Textbox(
                label="Own filter expression",
                placeholder='price < 30 and colour == "blue"',
                max_length=MAX_FILTER,
                elem_id="oc-own",
            )
            apply = gr.Button("Search with these filters", elem_id="oc-apply")
        with gr.Accordion("Ranking", open=False, elem_id="oc-ranking"):
            names = [(words.RERANKERS.get(name, name), name) for name in service.rerankers]
            self._reranker = gr.Radio(
                [*names, ("Off, keep the order of similarity", NO_RERANKER)],
                value=service.default or NO_RERANKER,
                label="Who reranks",
            )
            self._limit = gr.Slider(1, RESULTS, value=9, step=1, label="Pictures to find")
        self.searches = [apply.click, self._own.submit, *(end.submit for end in ends)]
        self.outputs = [*self._categories, *self._rows, *self._ends, self._own]
        self.inputs = [
            *self._categories, *self._ends, self._own, self._reranker, self._limit,
        ]  # fmt: skip

    def update(self, offer: Offer, *, reset: bool) -> list[Any]:
        """The changes of `outputs` for the facets of a collection; `reset` clears the fields."""
        nothing: dict[str, Any] = {"value": None} if reset else {}
        changes: list[Any] = []
        for facet in offer.categories:
            choices = _choices(facet)
            changes.append(gr.Dropdown(choices=choices, label=facet.key, visible=True, **nothing))
        unused = CATEGORIES - len(offer.categories)
        changes += [gr.Dropdown(visible=False, **nothing) for _ in range(unused)]
        changes += [gr.Row(visible=number < len(offer.numbers)) for number in range(NUMBERS)]
        for facet in offer.numbers:
            for end, value in (("from", facet.low), ("to", facet.high)):
                label = f"{facet.key} {end}"
                changes.append(gr.Number(label=label, placeholder=f"{value:.10g}", **nothing))
        changes += [gr.Number(**nothing) for _ in range(2 * (NUMBERS - len(offer.numbers)))]
        return [*changes, gr.Textbox(value="") if reset else gr.skip()]


def _choices(facet: Facet) -> list[tuple[str, Any]]:
    if facet.kind == "boolean":
        return [("yes", True), ("no", False)]
    return [(value.replace("_", " "), value) for value in sorted(facet.values)]
