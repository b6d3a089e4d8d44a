"""The only reader of the environment and of `ocelot.toml`.

Order of precedence: arguments (the command line), environment (`OCELOT_…`), `ocelot.toml` in
the working folder, defaults. Secrets are `SecretStr`: masked wherever they are printed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from ocelot.errors import ConfigurationError

__all__ = ["Settings", "cache_folder", "load_settings"]

RerankerName = Literal["auto", "llm", "fusion", "none"]


def cache_folder() -> Path:
    """Where weights, rankings and small copies are kept: `$OCELOT_CACHE`, else the user's cache.

    Raises:
        ConfigurationError: Neither is known, as the user has no home folder.
    """
    if own := os.environ.get("OCELOT_CACHE"):
        return Path(own)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "ocelot"
    try:
        return Path.home() / ".cache" / "ocelot"
    except RuntimeError:
        raise ConfigurationError(
            "There is no place for a cache, as this user has no home folder: set OCELOT_CACHE to "
            "a folder."
        ) from None


class Settings(BaseSettings):
    """Everything that can be set; each field is also `OCELOT_<NAME>` and a key of ocelot.toml."""

    model_config = SettingsConfigDict(
        env_prefix="OCELOT_",
        env_ignore_empty=True,
        toml_file="ocelot.toml",
        extra="forbid",
        populate_by_name=True,
    )

    db: str = Field("ocelot.db", description="Milvus: a file, http://host:port, or Zilliz Cloud.")
    token: SecretStr | None = Field(None, description="Milvus or Zilliz Cloud token.")
    collection: str = Field("ocelot", description="Milvus collection.")
    index: str = Field(
        "auto", description="Index type: auto, FLAT, HNSW, IVF_FLAT, IVF_SQ8, DISKANN, AUTOINDEX."
    )

    encoder: str = Field("ocelot-tiny", description="Name, .pth file, or folder of an encoder.")
    text_model: str | None = Field(None, description="Text model folder or hub name for a .pth.")
    device: str | None = Field(None, description="cpu, cuda, mps; the best at hand by default.")
    backend: Literal["torch", "openvino"] = Field(
        "torch", description="What computes the encoder; openvino is for processors."
    )
    precision: Literal["auto", "fp32", "bf16", "fp16", "int8"] = Field(
        "auto",
        description="auto: bf16 where the hardware computes in it. fp16 with torch only, "
        "int8 with openvino only.",
    )
    calibration: Path | None = Field(
        None, description="Folder of pictures for int8; by default those that are indexed."
    )
    reduced_decoding: bool = Field(
        True, description="Decode large JPEGs at a part of their size where that is enough."
    )
    batch_size: int | None = Field(None, ge=1, le=4096, description="Pictures encoded at once.")

    thumbnails_mb: int = Field(
        1024,
        ge=0,
        description="MiB in the cache folder for small copies of large pictures; 0 keeps and "
        "uses none.",
    )

    reranker: RerankerName = Field(
        "auto", description="auto: llm with an API key or an endpoint of one's own."
    )
    llm_model: str = Field("gpt-4o", description="Model that looks at the panorama.")
    llm_base_url: str | None = Field(
        None,
        validation_alias=AliasChoices("OCELOT_LLM_BASE_URL", "OPENAI_BASE_URL"),
        description="Any OpenAI-compatible endpoint.",
    )
    llm_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("OCELOT_LLM_API_KEY", "OPENAI_API_KEY"),
        description="Key of the endpoint.",
    )
    azure_endpoint: str | None = Field(
        None,
        validation_alias=AliasChoices("OCELOT_AZURE_ENDPOINT", "AZURE_OPENAI_ENDPOINT"),
        description="Azure OpenAI resource; llm_model is then the deployment.",
    )
    azure_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("OCELOT_AZURE_API_KEY", "AZURE_OPENAI_API_KEY"),
        description="Key of the Azure resource.",
    )
    azure_api_version: str = Field("2024-10-21", description="Azure OpenAI API version.")
    llm_timeout: float = Field(60.0, gt=0, description="Seconds for one request.")
    llm_retries: int = Field(2, ge=0, le=10, description="Further tries after a failure.")
    llm_max_tokens: int = Field(1024, ge=16, description="Longest reply.")
    llm_detail: Literal["low", "high", "auto"] = Field("high", description="Image detail.")
    llm_window: int = Field(9, ge=2, le=25, description="Candidates in one panorama.")
    llm_cache: bool = Field(True, description="Keep rankings for repeated questions.")

    uploads: Path | None = Field(
        None, description="Folder for uploaded pictures; beside a local database by default."
    )
    api_keys: SecretStr | None = Field(
        None, description="Keys that the HTTP API and the page ask for, with commas between."
    )
    cors_origins: str = Field(
        "", description="Other web origins that may call the HTTP API, with commas between."
    )
    max_upload_mb: float = Field(20.0, gt=0, le=200, description="Largest request, MiB.")
    max_pixels: int = Field(50_000_000, ge=1, description="Largest picture sent to the server.")
    request_timeout: float = Field(30.0, gt=0, description="Seconds that a request may wait.")
    stop_timeout: float = Field(
        30.0, ge=0, description="Seconds that running requests get when the server is to stop."
    )
    threads: int = Field(16, ge=1, le=256, description="Searches that the server runs at once.")
    queue: int = Field(64, ge=0, description="Searches that may wait; more are answered 429.")
    batch_window: float = Field(
        0.002, ge=0, le=1, description="Seconds that queries wait for others to share a batch."
    )

    @property
    def uses_llm(self) -> bool:
        """Whether a language model reranks."""
        if self.reranker == "auto":
            return self.has_language_model
        return self.reranker == "llm"

    @property
    def has_language_model(self) -> bool:
        """Whether there is what it takes to ask one: a key, or an endpoint of one's own."""
        azure = self.azure_endpoint is not None and self.azure_api_key is not None
        return azure or self.llm_api_key is not None or self.llm_base_url is not None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(**given: Any) -> Settings:
    """Settings from all sources; `given` values win, None among them counts as not given.

    Raises:
        ConfigurationError: A value is out of its range, or `ocelot.toml` cannot be read.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "a setting"
        raise ConfigurationError(
            f"The setting {name} cannot be used: {first['msg'][0].lower()}{first['msg'][1:]} "
            "(from the command line, the environment or ocelot.toml)."
        ) from None
    except ValueError as error:
        raise ConfigurationError(f"Cannot read ocelot.toml: {error}.") from None
