from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ocelot.settings import Settings
from tests.cli.conftest import Command

SECRET = "sk-very-secret-1234"


def shown(ocelot: Command, *arguments: object) -> dict[str, dict[str, Any]]:
    outcome = ocelot("config", "show", "--json", *arguments)
    assert outcome.code == 0, outcome.err
    assert SECRET not in outcome.out
    found: dict[str, dict[str, Any]] = json.loads(outcome.out)
    return found


def test_by_default_all_settings_are_at_their_defaults(ocelot: Command) -> None:
    found = shown(ocelot)
    defaults = Settings.model_construct().model_dump(mode="json")
    assert {name: row["value"] for name, row in found.items()} == defaults
    assert {row["origin"] for row in found.values()} == {"default"}


def test_each_origin_is_named(ocelot: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("ocelot.toml").write_text(
        'collection = "file"\ndb = "file.db"\nqueue = 5\n[llm_prices]\nm = [1, 2]\n'
    )
    monkeypatch.setenv("OCELOT_DB", "environment.db")
    monkeypatch.setenv("OCELOT_LLM_BASE_URL", "")  # counts as not set
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("OCELOT_THREADS", "7")
    found = shown(ocelot, "--threads", "8", "--queue", 6)
    expected = {
        "collection": ("file", "ocelot.toml"),
        "db": ("environment.db", "environment: OCELOT_DB"),
        "llm_base_url": ("http://127.0.0.1:1/v1", "environment: OPENAI_BASE_URL"),
        "llm_prices": ({"m": [1.0, 2.0]}, "ocelot.toml"),
        "threads": (8, "argument"),
        "queue": (6, "argument"),
        "encoder": ("ocelot-tiny", "default"),
    }
    assert {name: tuple(found[name].values()) for name in expected} == expected


def test_secrets_are_masked(ocelot: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("OCELOT_API_KEYS", SECRET)
    monkeypatch.setenv("OCELOT_LLM_BASE_URL", f"https://host/v1?key={SECRET}")
    found = shown(ocelot, "--token", SECRET, "--db", f"http://root:{SECRET}@p@host:19530")
    assert found["llm_base_url"]["value"] == "https://host/v1?**********"
    assert found["llm_api_key"] == {"value": "**********", "origin": "environment: OPENAI_API_KEY"}
    assert found["token"] == {"value": "**********", "origin": "argument"}
    assert found["db"]["value"] == "http://**********@host:19530"
    table = ocelot("config", "show", "--token", SECRET)
    assert SECRET not in table.out and "OPENAI_API_KEY" in table.out


def test_what_cannot_be_used_is_named_as_by_other_commands(ocelot: Command) -> None:
    Path("ocelot.toml").write_text("unheard_of = 1")
    outcome = ocelot("config", "show")
    assert outcome.code == 2 and "'unheard_of'" in outcome.err
