"""Writing the demo catalogue to disk: pictures, metadata, and the query picture."""

from __future__ import annotations

import csv
import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from recipes.ocelot_tiny.catalogue.plan import plan
from recipes.ocelot_tiny.catalogue.render import render_leopard, render_product
from recipes.ocelot_tiny.catalogue.vocabulary import KINDS, Product

COLUMNS = ("file_name", "title", "category", "kind", "colour", "pattern", "price")
SIZE = 320  # pixels
QUALITY = 88


@dataclass(frozen=True)
class CatalogueReport:
    """What was written: the number of product pictures, and where things are."""

    images: int
    directory: Path
    metadata: Path
    query: Path


def write_catalogue(directory: Path, count: int = 900, seed: int = 0) -> CatalogueReport:
    """Write ``count`` product pictures, their metadata.csv and the query picture leopard.jpg.

    Equal arguments give equal bytes. metadata.csv comes last, so it never names a missing picture.
    Raises ``ValueError`` for a negative seed.
    """
    products = plan(count, seed)
    directory = Path(directory)
    (directory / "images").mkdir(parents=True, exist_ok=True)

    def make(index: int) -> dict[str, str]:
        product = products[index]
        view, luck = np.random.SeedSequence([seed, 30, index]).generate_state(2)
        name = f"images/{index + 1:06d}.jpg"
        _save(render_product(product, int(view), SIZE), directory / name)
        return _row(name, product, float(luck) / 2**32)

    # Pillow and numpy let go of the interpreter for most of their work
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        rows = list(pool.map(make, range(len(products))))
    query = directory / "leopard.jpg"
    _save(render_leopard(), query)
    metadata = directory / "metadata.csv"
    with open(metadata, "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return CatalogueReport(len(products), directory, metadata, query)


def _save(picture: Image.Image, path: Path) -> None:
    picture.save(path, "JPEG", quality=QUALITY, subsampling=0, optimize=False, progressive=False)


def _row(name: str, product: Product, luck: float) -> dict[str, str]:
    kind = KINDS[product.kind]
    low, high = kind.price
    # even on a logarithmic scale: cheap articles are more common than dear ones
    price = min(math.floor(low * (high / low) ** luck) + 0.99, high)
    shown = (name, product.title, kind.category, product.kind, product.colour, product.pattern)
    return dict(zip(COLUMNS, (*shown, f"{price:.2f}"), strict=True))
