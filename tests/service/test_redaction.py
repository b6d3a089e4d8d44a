"""What is kept from clients, asked of Milvus itself where it decides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.errors import FilterError
from ocelot.service.redaction import check_filter, redacted
from ocelot.types import Hit, Query, Ranking, Result


@pytest.mark.parametrize(
    "filter",
    [
        'paths like "%/home/%"',
        'paths["/home/a.jpg"] > 0',
        'price < 3 and exists paths["/a"]',
        '$meta["paths"] == 1',
        "$meta[ 'paths' ] == 1",
        "json_contains(paths, 1)",
        'title == "a\\"" or paths["/a"] > 0',
        'PATHS["/a"] > 0',
    ],
)
def test_no_filter_asks_about_paths(filter: str) -> None:
    with pytest.raises(FilterError, match="not the paths"):
        check_filter(filter)


@pytest.mark.parametrize(
    "filter", [None, "", 'title == "paths"', "title == 'the paths'", "footpaths > 1", "paths_ == 1"]
)
def test_other_filters_are_as_they_were(filter: str | None) -> None:
    assert check_filter(filter) == filter


def test_paths_are_an_oracle_where_they_are_not_kept_out(tmp_path: Path) -> None:
    """The reason for the check: should Milvus ever refuse by itself, it can go."""
    with Collection.open(tmp_path / "a.db", encoder=EncoderIdentity("x", "0" * 64, 2)) as it:
        it.upsert([Row("a" * 64, {"/home/a.jpg": 1}, 1, 1, 1, {}, np.ones(2, np.float32))])
        assert it.search([1, 0], filter='paths["/home/a.jpg"] > 0')
        assert not it.search([1, 0], filter='paths["/home/b.jpg"] > 0')


def test_a_fallback_does_not_tell_what_the_models_server_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hits = (Hit("a" * 64, ("/a",), score=0.5), Hit("b" * 64, ("/b",), score=0.4, rank=2))
    said = "gpt at http://10.0.0.7:80 failed (HTTP 500) (/srv/secret)"

    def shown(status: str, detail: str) -> str:
        ranking = Ranking((0, 1), "Kept.", "gpt", status, detail)  # type: ignore[arg-type]
        answer = redacted(Result(Query(text="a"), hits, ranking))
        assert answer.ranking is not None
        return answer.ranking.detail

    kept = "gpt gave no usable answer (HTTP 500); the server's log says why."
    assert shown("fallback", said) == kept
    unreached = "gpt gave no usable answer; the server's log says why."
    assert shown("fallback", "gpt at http://10.0.0.7:80 cannot be reached") == unreached
    assert said in caplog.text
    why = "gpt was not asked, as its endpoint failed 5 times in a row (it is tried again in 60 s)"
    assert shown("replaced", f"{why}, because: {said}.") == why
    assert shown("replaced", "gpt was not asked.") == "gpt was not asked."
    partly = "window 1 of 3: an index was missing; 1 of 3 windows kept retrieval order"
    assert shown("repaired", f"{partly}, because: {said}") == partly
    assert shown("repaired", "an index was missing") == "an index was missing"
