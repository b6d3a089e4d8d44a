"""What scores of an adapted encoder mean, on rankings made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ocelot.adapting.measure import calibrated
from ocelot.adapting.understand import Row
from ocelot.evaluation.run import Ranked

NAMES = [f"{number}.png" for number in range(60)]
ROWS = [
    Row(Path(name), name, "", "", (), design=str(number // 2)) for number, name in enumerate(NAMES)
]


def run(*, high: bool) -> Any:
    """Thirty questions by text and thirty by both; the answer scores high, or low, if found."""
    queries, composed, alone = [], {}, {}
    for number in range(60):
        reference = NAMES[number] if number % 2 else None
        target = NAMES[number - 1 if number % 2 else number + 1]
        queries.append(
            SimpleNamespace(reference=reference, text="in red", targets=(target,), groups=("",))
        )
        found = number % 6 < 4  # else another picture comes first
        others = [name for name in NAMES if name not in (reference, target)]
        first = 0.8 + number / 1000 if found is high else 0.4 + number / 1000
        names = (target, *others) if found else (*others[:9], target, *others[9:])
        ranked = Ranked(names, (first, *(0.3 - place / 1000 for place in range(len(others)))))
        composed[number] = ranked
        if reference:
            alone[number] = ranked
    kinds: Mapping[str, Mapping[int, Ranked]] = {"composed": composed, "image_only": alone}
    asked = SimpleNamespace(queries=queries)
    pictures = {number: 0.3 + number / 100 for number in alone}
    return SimpleNamespace(benchmark=asked, kinds=kinds, final=composed, pictures=pictures)


def test_a_high_score_is_called_a_match_and_a_low_one_is_not() -> None:
    calibration = calibrated(run(high=True), ROWS)
    assert calibration is not None and {*calibration.curves} == {"text", "image", "both"}
    for parts in calibration.curves:
        assert calibration.fits(parts, 0.85, 0.55)
        assert not calibration.fits(parts, 0.3, 0.01)


def test_scores_that_tell_nothing_are_not_used() -> None:
    assert calibrated(run(high=False), ROWS) is None


@pytest.mark.parametrize("kept", [38, 40])
def test_too_few_questions_tell_nothing(kept: int) -> None:
    few = run(high=True)
    few.benchmark.queries = few.benchmark.queries[:kept]
    few.kinds["image_only"] = {n: one for n, one in few.kinds["image_only"].items() if n < kept}
    assert (calibrated(few, ROWS) is None) == (kept == 38)
