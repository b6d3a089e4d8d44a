"""Gradio's theme for the page, and the files beside this module.

`style.css` sets the colours, for light and dark. Fonts are the system's: the page loads nothing
from another host.
"""

from __future__ import annotations

from importlib.resources import files

import gradio as gr

__all__ = ["resource", "theme"]

_SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """Gradio's plainest theme, followed by `style.css`."""
    plain = gr.themes.Base(
        font=_SANS, font_mono=_MONO, spacing_size="md", radius_size="md", text_size="md"
    )
    for name in vars(plain):
        if name.endswith("_dark"):
            setattr(plain, name, None)  # as in the light: the variables of style.css turn dark
    plain.custom_css = resource("style.css")  # unlike Gradio's option `css`, taken as it is
    return plain.set(  # for the first paint, before the style sheet is loaded
        body_background_fill="#f7f5f1",
        body_background_fill_dark="#161411",
        body_text_color="#211c16",
        body_text_color_dark="#f2ede5",
    )


def resource(name: str) -> str:
    """The text of a file beside this module."""
    return files("ocelot.web.page").joinpath(name).read_text(encoding="utf-8")
