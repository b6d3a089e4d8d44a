"""The page's colours and fonts for Gradio's own parts, and the files that go with them.

Colours are the variables of `style.css`, which know light and dark. Fonts are the system's:
nothing of the page is fetched from another host.
"""

from __future__ import annotations

from importlib.resources import files

import gradio as gr

__all__ = ["resource", "theme"]

_SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

_LOOK = {
    "background_fill_primary": "var(--card)",
    "background_fill_secondary": "var(--tile)",
    "block_background_fill": "var(--card)",
    "block_border_color": "var(--line)",
    "block_info_text_color": "var(--soft)",
    "block_label_background_fill": "var(--card)",
    "block_label_border_color": "var(--line)",
    "block_label_text_color": "var(--soft)",
    "block_radius": "12px",
    "block_title_text_color": "var(--ink)",
    "block_title_text_size": "14px",
    "block_title_text_weight": "600",
    "body_text_color_subdued": "var(--soft)",
    "body_text_size": "16px",
    "border_color_accent": "var(--accent)",
    "border_color_primary": "var(--line)",
    "button_border_width": "1px",
    "button_large_radius": "10px",
    "button_large_text_size": "16px",
    "button_medium_radius": "10px",
    "button_primary_background_fill": "var(--accent)",
    "button_primary_background_fill_hover": "var(--accent-deep)",
    "button_primary_border_color": "transparent",
    "button_primary_border_color_hover": "transparent",
    "button_primary_text_color": "var(--card)",
    "button_secondary_background_fill": "var(--card)",
    "button_secondary_background_fill_hover": "var(--tile)",
    "button_secondary_border_color": "var(--line)",
    "button_secondary_border_color_hover": "var(--soft)",
    "button_secondary_text_color": "var(--ink)",
    "checkbox_background_color": "var(--card)",
    "checkbox_background_color_selected": "var(--accent)",
    "checkbox_border_color": "var(--line)",
    "checkbox_border_color_selected": "var(--accent)",
    "checkbox_label_background_fill": "var(--card)",
    "checkbox_label_background_fill_hover": "var(--tile)",
    "checkbox_label_background_fill_selected": "var(--wash)",
    "checkbox_label_border_color_selected": "var(--accent)",
    "color_accent": "var(--accent)",
    "color_accent_soft": "var(--wash)",
    "container_radius": "12px",
    "error_background_fill": "var(--wash)",
    "error_border_color": "var(--accent)",
    "error_icon_color": "var(--accent)",
    "error_text_color": "var(--ink)",
    "input_background_fill": "var(--card)",
    "input_border_color": "var(--field)",
    "input_border_color_focus": "var(--accent)",
    "input_border_width": "1px",
    "input_placeholder_color": "var(--soft)",
    "input_radius": "10px",
    "input_text_size": "16px",
    "link_text_color": "var(--accent)",
    "link_text_color_active": "var(--accent)",
    "link_text_color_hover": "var(--accent-deep)",
    "link_text_color_visited": "var(--accent)",
    "loader_color": "var(--accent)",
    "shadow_drop": "none",
    "slider_color": "var(--accent)",
}

# Before the style sheet is there.
_FIRST_PAINT = {
    "body_background_fill": "#f7f5f1",
    "body_background_fill_dark": "#161411",
    "body_text_color": "#211c16",
    "body_text_color_dark": "#f2ede5",
}


def theme() -> gr.themes.Base:
    """Gradio's plainest theme in the page's colours."""
    plain = gr.themes.Base(
        font=_SANS, font_mono=_MONO, spacing_size="md", radius_size="md", text_size="md"
    )
    plain.set(**_LOOK)
    for name in vars(plain):
        if name.endswith("_dark"):
            setattr(plain, name, None)  # as in the light: the variables turn dark by themselves
    plain.custom_css = resource("style.css")  # unlike the `css` of Gradio, taken as it is
    return plain.set(**_FIRST_PAINT)


def resource(name: str) -> str:
    """The text of a file beside this module."""
    return files("ocelot.web.page").joinpath(name).read_text(encoding="utf-8")
