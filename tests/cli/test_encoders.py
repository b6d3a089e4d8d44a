from __future__ import annotations

import json
from importlib.util import find_spec

import pytest
from typer.testing import CliRunner

from ocelot.cli.main import app
from ocelot.encoders.catalog import CATALOG, known_dimension
from ocelot.encoders.weights import PUBLISHED, locate


def test_named_encoders_are_listed_with_their_source() -> None:
    shown = CliRunner().invoke(app, ["encoders"])
    assert shown.exit_code == 0
    lines = {line.split()[0]: line.rstrip() for line in shown.output.splitlines() if line}
    assert lines["ocelot-tiny"].endswith("installed")
    assert "CIRR R@1 36.1, CIRCO mAP@5 34.3 (MegaPairs, arXiv 2412.14475" in lines["bge-vl-base"]
    assert "st:NAME" in shown.output


def test_the_list_agrees_with_what_is_loaded() -> None:
    listed = json.loads(CliRunner().invoke(app, ["encoders", "--json"]).output)
    assert [one["name"] for one in listed] == list(CATALOG)
    for name, published in PUBLISHED.items():
        entry = CATALOG[name]
        assert entry.megabytes == round(published.size / 1e6)
        assert entry.repository == published.repository
    tiny = CATALOG["ocelot-tiny"]
    assert tiny.dimension == known_dimension("ocelot-tiny")
    assert tiny.megabytes == round(locate("ocelot-tiny").weights.stat().st_size / 1e6)


def test_a_missing_extra_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from ocelot.encoders import catalog

    monkeypatch.setattr(
        catalog, "find_spec", lambda name: None if "sentence" in name else find_spec(name)
    )
    assert catalog.status("bge-vl-base") == "needs ocelot-search[st]"
    assert catalog.status("ocelot-tiny") == "installed"
