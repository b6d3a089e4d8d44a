"""The web page: a picture and a sentence in, the picture meant out, for people who shop.

::

    page.py      layout and wiring, in Gradio      actions.py   what each button does
    filters.py   choices -> a filter expression    cards.py     answers -> HTML, all escaped
    words.py     answers -> plain words            theme.py     colours and fonts
    style.css, page.js
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocelot.web.page.layout import create_page, mount_page

__all__ = ["create_page", "mount_page"]


def __getattr__(name: str) -> Any:
    # Lazy: words and cards are pure, and must not cost the import of Gradio.
    if name in __all__:
        from ocelot.web.page import layout

        return getattr(layout, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
