"""The measures on held-out tables, with encoders whose figures are known by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ocelot.encoders.function import FunctionEncoder
from recipes.ocelot_tiny.calibrate import calibrate, fused_gain, judge
from recipes.ocelot_tiny.listings import Listing, read_listings
from recipes.ocelot_tiny.searches import (
    Search,
    colour_search,
    encode_files,
    folder_searches,
    kind_search,
    title_search,
)
from recipes.ocelot_tiny.tests import made

COLOURS = ("red", "blue", "green")


def shop(root: Path) -> list[Listing]:
    """Two designs in three colours, and a few more of their kind."""
    rows = [
        {"title": f"{kind} {colour}", "kind": kind, "colour": colour, "design": kind,
         "split": "held-out"}
        for kind in ("Shirts", "Ties")
        for colour in COLOURS
    ]  # fmt: skip
    rows += [
        {"title": f"shirt number {n}", "kind": "Shirts", "colour": "teal", "split": "held-out"}
        for n in range(8)
    ]
    made.write_table(root, rows)
    return read_listings(root, held_out=True)


def encoder(listings: list[Listing], *, composes: bool) -> FunctionEncoder:
    """Knows every picture by its file: a place for its kind, one for its colour."""
    known = {Image.open(one.path).tobytes(): one for one in listings}
    assert len(known) == len(listings)

    def vector(image: Any, text: str | None) -> np.ndarray[Any, Any]:
        row = np.full(16, 0.01)
        if image is not None:
            one = known[image.tobytes()]
            row[["shirts", "ties"].index(one.sort)] = 1
            row[2 + (*COLOURS, "teal").index(one.colour)] = 1
        if text is not None and (image is None or composes):
            for place, word in enumerate(("shirts", "ties")):
                row[place] += word in text
            row[2:6] = 0.01 if image is not None else row[2:6]
            for place, word in enumerate((*COLOURS, "teal"), 2):
                row[place] += word in re.findall("[a-z]+", text)
        return row

    return FunctionEncoder(vector, dimension=16)


@pytest.mark.parametrize("composes", [True, False])
def test_figures_of_known_encoders(tmp_path: Path, composes: bool) -> None:
    listings = shop(tmp_path / "shop")
    judge = encoder(listings, composes=composes)
    gallery = encode_files(judge, (one.path for one in listings))
    search = colour_search(judge, listings, gallery)
    assert (len(search.asked), len(gallery)) == (12, 14)
    assert (
        search.figures()["R@1"] == 1 if composes else search.figures()["R@1"] < 0.7
    )  # one of two siblings
    kinds = kind_search(judge, listings, gallery, 10)
    assert (len(kinds.asked), kinds.figures()["P@10"]) == (1, 1.0)  # ties are too few
    titles = title_search(judge, listings, gallery)
    assert len(titles.asked) == 14 and titles.figures()["R@1"] > 0.4  # of each design one in three


def made_up(parts: str, count: int = 400) -> Search:
    """Queries whose target is first where their vector is a good one: every second."""
    rng = np.random.default_rng(5)
    gallery = rng.normal(size=(60, 32)).astype(np.float32)
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    targets = rng.integers(0, 60, count)
    noise = rng.normal(size=(count, 32)).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    good = (np.arange(count) // 2 % 2 == 0)[:, None]
    asked = np.where(good, gallery[targets] + 0.5 * noise, noise)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    both = parts == "both"
    return Search(
        "made up", parts, asked, gallery, [{int(n)} for n in targets], [set()] * count,
        range(count), noise if both else None, gallery[targets] if both else None,
    )  # fmt: skip


def test_a_calibration_tells_good_first_hits_from_others() -> None:
    searches = [made_up(parts) for parts in ("text", "image", "both")]
    calibration = calibrate(searches)
    for search in searches:
        judged = judge(search, calibration)
        assert judged.queries == 200 and 0.45 < judged.right < 0.65
        assert judged.precision > 0.9 and judged.called > 0.4
        assert judged.called_without < 0.1
    # The picture alone points to the target, the text alone is noise.
    assert calibration.image > 0 and calibration.text == 0
    gain = fused_gain(searches[-1], calibration)
    assert gain.fused > gain.plain and 0 < gain.low < gain.fused - gain.plain < gain.high


def test_sets_are_read_by_their_parts(tmp_path: Path) -> None:
    listings = shop(tmp_path / "shop")
    ties = '["images/3.png", "images/4.png", "images/5.png"]'  # equally near to the word
    (tmp_path / "shop" / "queries.jsonl").write_text(
        '{"reference": "images/0.png", "text": "in blue", "targets": ["images/1.png"]}\n'
        f'{{"reference": null, "text": "ties", "targets": {ties}}}\n'
        '{"reference": "images/2.png", "text": null, "targets": ["images/0.png"]}\n'
    )
    judge = encoder(listings, composes=True)
    found = {search.parts: search for search in folder_searches(judge, tmp_path / "shop")}
    assert {parts: len(search.asked) for parts, search in found.items()} == {
        "both": 1, "text": 1, "image": 1,
    }  # fmt: skip
    assert found["both"].figures()["R@1"] == found["text"].figures()["R@1"] == 1
    assert [len(out) for search in found.values() for out in search.left_out] == [1, 0, 1]
