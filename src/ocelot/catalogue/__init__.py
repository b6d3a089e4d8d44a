"""The procedural demo catalogue: pictures of products drawn by code."""

from ocelot.catalogue.plan import plan
from ocelot.catalogue.render import (
    Stencil,
    render_leopard,
    render_product,
    render_stencil,
    render_theme,
)
from ocelot.catalogue.vocabulary import COLOURS, KINDS, PATTERNS, Kind, Pattern, Product
from ocelot.catalogue.write import CatalogueReport, write_catalogue

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
