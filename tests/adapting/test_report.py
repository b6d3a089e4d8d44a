"""What the report says was described."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from ocelot.adapting.adapt import Adaptation
from ocelot.adapting.report import write_page
from ocelot.adapting.understand import understand
from tests.adapting.made import write_shop


@pytest.mark.parametrize("described", [False, True])
def test_titles_are_shown_where_a_model_wrote_them(tmp_path: Path, described: bool) -> None:
    """Remarks on the metadata, here a picture without any, make no description of it."""
    shop = tmp_path / "shop"
    write_shop(shop)
    Image.new("RGB", (20, 20)).save(shop / "alone.png")
    catalogue = replace(understand(shop), described=described)
    assert catalogue.notes
    page = tmp_path / "report.html"
    write_page(Adaptation("Kept.", report=page), catalogue, shop, [], [], [], "made")
    assert page.read_text(encoding="utf-8").count("<figure") == (8 if described else 0)
