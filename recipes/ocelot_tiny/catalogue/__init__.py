"""The procedural demo catalogue: pictures of products drawn by code."""

from recipes.ocelot_tiny.catalogue.plan import plan
from recipes.ocelot_tiny.catalogue.render import (
    Stencil,
    render_leopard,
    render_product,
    render_stencil,
    render_theme,
)
from recipes.ocelot_tiny.catalogue.vocabulary import (
    COLOURS,
    KINDS,
    PATTERNS,
    Kind,
    Pattern,
    Product,
)
from recipes.ocelot_tiny.catalogue.write import CatalogueReport, write_catalogue

__all__ = [
    "COLOURS",
    "KINDS",
    "PATTERNS",
    "CatalogueReport",
    "Kind",
    "Pattern",
    "Product",
    "Stencil",
    "plan",
    "render_leopard",
    "render_product",
    "render_stencil",
    "render_theme",
    "write_catalogue",
]
