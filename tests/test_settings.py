from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

import ocelot
from ocelot.errors import ConfigurationError
from ocelot.settings import Settings, cache_folder, load_settings

SECRET = "sk-very-secret-1234"


@pytest.fixture(autouse=True)
def clean(bare_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_order_of_precedence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert load_settings().db == "ocelot.db"
    (tmp_path / "ocelot.toml").write_text('db = "toml.db"\ncollection = "toml"\n')
    assert load_settings().db == "toml.db"
    monkeypatch.setenv("OCELOT_DB", "env.db")
    assert load_settings().db == "env.db"
    assert load_settings(db="given.db").db == "given.db"
    assert load_settings(db=None).collection == "toml"


def test_a_destination_has_settings_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ocelot.toml").write_text(f'token = "{SECRET}"\nindex = "HNSW"\n')
    monkeypatch.setenv("OCELOT_PASSWORD", SECRET)
    monkeypatch.setenv("OCELOT_TO_USER", "root")
    there = load_settings(destination=True, db="there.db")
    assert (there.token, there.password, there.index) == (None, None, "auto")
    assert (there.user, there.db) == ("root", "there.db")
    assert load_settings().user is None


def test_a_tenant_has_a_collection_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCELOT_TENANT", "north")
    assert load_settings().collection == "ocelot__north"
    assert load_settings(collection="shop").collection == "shop__north"
    with pytest.raises(ConfigurationError, match="1 to 64 letters and digits"):
        load_settings(tenant="a_b")


def test_a_key_turns_the_language_model_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not load_settings().uses_llm
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    assert load_settings().uses_llm
    assert not load_settings(reranker="fusion").uses_llm
    assert load_settings().llm_api_key.get_secret_value() == SECRET  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("environment", "llm"),
    [
        ({"AZURE_OPENAI_API_KEY": SECRET}, False),  # a stray key without its endpoint
        ({"AZURE_OPENAI_API_KEY": SECRET, "AZURE_OPENAI_ENDPOINT": "https://a.example"}, True),
        ({"OCELOT_LLM_BASE_URL": "http://127.0.0.1:11434/v1"}, True),  # a model on this machine
        ({"LLM_API_KEY": SECRET, "AZURE_API_KEY": SECRET}, False),  # other programs' variables
    ],
)
def test_what_turns_the_language_model_on(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], llm: bool
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert load_settings().uses_llm is llm


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OCELOT_TOKEN", "OCELOT_PASSWORD", "AZURE_OPENAI_API_KEY"):
        monkeypatch.setenv(name, SECRET)
    settings = load_settings()
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert SECRET not in shown
    assert settings.token is not None


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"llm_timeout": -1}, "llm_timeout"),
        ({"reranker": "magic"}, "reranker"),
        ({"llm_window": 99}, "llm_window"),
        ({"no_such_setting": 1}, "no_such_setting"),
    ],
)
def test_bad_values_are_one_sentence(given: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named) as caught:
        load_settings(**given)
    assert "\n" not in str(caught.value)


def test_a_bad_secret_is_not_echoed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(llm_api_key=["sk-list"])
    assert "sk-list" not in str(caught.value)


def test_an_empty_variable_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OCELOT_PRECISION", "OCELOT_DB"):
        monkeypatch.setenv(name, "")
    assert not load_settings().uses_llm
    assert (load_settings().precision, load_settings().db) == ("auto", "ocelot.db")


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "ocelot.toml").write_text("db = ")
    with pytest.raises(ConfigurationError, match=r"ocelot\.toml"):
        load_settings()


def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ocelot.toml").write_text("")

    def refused(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pydantic_settings.TomlConfigSettingsSource._read_file", refused)
    with pytest.raises(ConfigurationError, match=r"ocelot\.toml: Permission denied"):
        load_settings()


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "ocelot"
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


@pytest.mark.skipif(os.name == "nt", reason="Windows has a home folder for everybody")
def test_without_a_home_folder_the_mend_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    def unknown(user: int) -> None:
        raise KeyError(user)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("OCELOT_CACHE", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(ConfigurationError, match="no home folder: set OCELOT_CACHE"):
        cache_folder()
    monkeypatch.setenv("OCELOT_CACHE", "own")
    assert cache_folder() == Path("own")


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"no_such_setting": 1}, "no_such_setting"),
        ({"reranker": 3}, "reranker must be"),
        ({"encoder": 3}, "encoder must be"),
        ({"precision": "fp64"}, "precision"),
    ],
)
def test_open_names_what_it_cannot_use(given: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        ocelot.open("new.db", **given)  # type: ignore[arg-type]
    assert not Path("new.db").exists()


def test_what_workers_get_holds_no_secret() -> None:
    secrets = {"token": SECRET, "llm_api_key": SECRET, "api_keys": SECRET}
    settings = load_settings(**secrets, db=f"http://me:{SECRET}@milvus:19530", precision="fp32")
    given = settings.without_secrets()
    assert SECRET.encode() not in pickle.dumps(given)
    assert (given.precision, given.encoder) == ("fp32", settings.encoder)
    assert settings.token is not None
