"""Settings. Only this module reads the environment and `ocelot.toml`.

A value comes from the first of these that has it: arguments (the command line), the environment
(`OCELOT_…`), `ocelot.toml` in the working folder, the default. Secrets are `SecretStr`, which is
masked wherever it is printed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)
from typing_extensions import Self

from ocelot.errors import ConfigurationError

__all__ = ["Settings", "cache_folder", "load_settings", "origins"]


def cache_folder() -> Path:
    """Return the folder for weights, rankings and small copies of pictures.

    It is `$OCELOT_CACHE`, or `ocelot` in the user's cache folder.

    Raises:
        ConfigurationError: OCELOT_CACHE is not set and the user has no home folder.
    """
    if own := os.environ.get("OCELOT_CACHE"):
        return Path(own)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "ocelot"
    try:
        return Path.home() / ".cache" / "ocelot"
    except RuntimeError:
        raise ConfigurationError(
            "There is no folder for the cache, as this user has no home folder: set OCELOT_CACHE "
            "to a folder."
        ) from None


def _known_reranker(name: str) -> str:
    if name in ("auto", "llm", "fusion", "none") or name.partition("cross-encoder:")[2]:
        return name
    raise PydanticCustomError(
        "reranker", "it must be auto, llm, fusion, none or cross-encoder:NAME"
    )


def _tenant_name(name: str | None) -> str | None:
    if name is None or re.fullmatch("[A-Za-z0-9]{1,64}", name):
        return name
    raise PydanticCustomError("tenant", "it must be 1 to 64 letters and digits")


_Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """All settings. Each field is also a variable `OCELOT_<NAME>` and a key of ocelot.toml."""

    model_config = SettingsConfigDict(
        env_prefix="OCELOT_",
        env_ignore_empty=True,
        toml_file="ocelot.toml",
        extra="forbid",
        populate_by_name=True,
    )

    db: str = Field("ocelot.db", description="Milvus: a file, http://host:port, or Zilliz Cloud.")
    token: SecretStr | None = Field(None, description="Milvus or Zilliz Cloud token.")
    user: str | None = Field(None, description="Milvus user, with password instead of token.")
    password: SecretStr | None = Field(None, description="Password of the Milvus user.")
    database: str | None = Field(None, description="Database of a Milvus server, by its name.")
    collection: str = Field("ocelot", description="Milvus collection.")
    tenant: Annotated[str | None, AfterValidator(_tenant_name)] = Field(
        None,
        description="Whose pictures: each tenant, named in letters and digits, has a collection of "
        "its own, COLLECTION__TENANT.",
    )
    tls_ca: Path | None = Field(
        None, description="File of the certificates (PEM) that an https:// server is checked with."
    )
    tls_cert: Path | None = Field(
        None, description="File of the client's certificate (PEM), with tls_key and tls_ca."
    )
    tls_key: Path | None = Field(None, description="File of the key of tls_cert (PEM).")
    replicas: int | None = Field(
        None, ge=1, le=64, description="Copies in memory that a Milvus cluster answers from."
    )
    consistency: Literal["Strong", "Session", "Bounded", "Eventually"] = Field(
        "Strong",
        description="How soon a search on a server sees what was written; Bounded is quicker.",
    )
    index: str = Field(
        "auto",
        description="Index type: auto, FLAT, HNSW, HNSW_SQ, IVF_FLAT, IVF_SQ8, IVF_RABITQ, SCANN, "
        "DISKANN, AUTOINDEX; not every server has all.",
    )
    outage_timeout: float = Field(
        60.0,
        ge=0,
        le=86_400,
        description="Seconds that indexing tries again for while a Milvus server is away.",
    )

    encoder: str = Field(
        "ocelot-tiny",
        description="Encoder: a name, a .pth file, a folder, or st: and a model of "
        "sentence-transformers.",
    )
    text_model: str | None = Field(
        None, description="Folder or Hugging Face name of the text model of a .pth file."
    )
    device: str | None = Field(
        None, description="cpu, cuda or mps; by default the fastest available."
    )
    backend: Literal["auto", "torch", "openvino"] = Field(
        "auto",
        description="What runs the encoder. auto: torch on a GPU, else openvino. torch needs the "
        "extra bge.",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16", "int8"] = Field(
        "auto",
        description="auto: bf16 where the hardware has it. fp16 needs torch, int8 the extra int8.",
    )
    calibration: Path | None = Field(
        None, description="Folder of pictures to calibrate int8 with; by default the indexed ones."
    )
    encoder_instruction: str | None = Field(
        None,
        description="What queries look for, told to an st: encoder in place of its own prompt.",
    )
    encoder_max_pixels: int = Field(
        1280 * 32 * 32, ge=1024, description="The most pixels of a picture that st: encoders see."
    )
    encoder_dimension: int | None = Field(
        None,
        ge=1,
        description="Length that vectors are cut to; for st: encoders that were trained for it.",
    )
    encoder_text_weight: float = Field(
        0.5,
        ge=0,
        le=1,
        description="What words count beside a picture where an st: encoder (CLIP, SigLIP) "
        "combines both by a sum.",
    )
    reduced_decoding: bool = Field(
        True, description="Decode large JPEGs at a reduced size where that is enough."
    )
    batch_size: int | None = Field(None, ge=1, le=4096, description="Pictures encoded at once.")

    thumbnails_mb: int = Field(
        1024,
        ge=0,
        description="MiB in the cache folder for small copies of large pictures; 0 turns them off.",
    )

    reranker: Annotated[str, AfterValidator(_known_reranker)] = Field(
        "auto",
        description="auto (llm where there is an API key or a base URL, else fusion), llm, fusion, "
        "none, or cross-encoder: and a model of sentence-transformers.",
    )
    llm_model: str = Field("gpt-4o", description="Vision model that ranks the panorama.")
    llm_base_url: str | None = Field(
        None,
        validation_alias=AliasChoices("OCELOT_LLM_BASE_URL", "OPENAI_BASE_URL"),
        description="Base URL of an OpenAI-compatible endpoint.",
    )
    llm_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("OCELOT_LLM_API_KEY", "OPENAI_API_KEY"),
        description="API key of the endpoint.",
    )
    azure_endpoint: str | None = Field(
        None,
        validation_alias=AliasChoices("OCELOT_AZURE_ENDPOINT", "AZURE_OPENAI_ENDPOINT"),
        description="Azure OpenAI endpoint; llm_model is then the deployment.",
    )
    azure_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("OCELOT_AZURE_API_KEY", "AZURE_OPENAI_API_KEY"),
        description="API key of the Azure endpoint.",
    )
    azure_api_version: str = Field("2024-10-21", description="Azure OpenAI API version.")
    llm_timeout: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="Seconds for the whole answer, with all retries and windows.",
    )
    llm_retries: int = Field(2, ge=0, le=10, description="Retries after a failure.")
    llm_max_tokens: int = Field(1024, ge=16, description="The most tokens of a reply.")
    llm_detail: Literal["low", "high", "auto"] = Field(
        "high", description="Detail at which the model sees the panorama."
    )
    llm_window: int = Field(9, ge=2, le=25, description="Candidates in one panorama.")
    llm_votes: int = Field(
        1,
        ge=1,
        le=9,
        description="Times that each panorama is asked, with the candidates in other places.",
    )
    llm_cache: bool = Field(True, description="Cache rankings for repeated queries.")
    llm_price_in: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="US dollars for a million prompt tokens; see llm_price_out.",
    )
    llm_price_out: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="US dollars for a million tokens of replies; with both prices, answers say "
        "what they cost.",
    )

    llm_prices: dict[str, tuple[_Price, _Price]] = Field(
        {},
        description="Both prices by the model's name, for where llm_price_in and llm_price_out are "
        'not set: `{"gpt-4o": [2.5, 10]}`.',
    )
    llm_daily_tokens: int | None = Field(
        None,
        ge=0,
        description="Tokens that all processes of this cache folder may spend in a day (UTC); then "
        "fusion ranks.",
    )
    llm_daily_dollars: _Price | None = Field(
        None, description="The same in US dollars, by the prices."
    )
    llm_pause: float = Field(
        60.0,
        ge=0,
        description="Seconds for which fusion ranks after five failures of the endpoint in a row; "
        "then one question tries it again.",
    )

    uploads: Path | None = Field(
        None,
        description="Folder for pictures that are added without a file of their own (uploads, "
        "`add`); by default beside a local database.",
    )
    api_keys: SecretStr | None = Field(
        None, description="API keys that the HTTP API and the page accept, separated by commas."
    )
    cors_origins: str = Field(
        "", description="Other web origins that may call the HTTP API, separated by commas."
    )
    mcp: bool = Field(
        False, description="Whether `ocelot serve` also serves MCP, for language models, at /mcp."
    )
    read_only: bool = Field(
        False,
        description="Whether `ocelot serve` only lets pictures be found: nothing can be added, "
        "changed or deleted.",
    )
    max_upload_mb: float = Field(20.0, gt=0, le=200, description="The largest request, in MiB.")
    max_pixels: int = Field(
        50_000_000, ge=1, description="The most pixels of a picture sent to the server."
    )
    request_timeout: float = Field(
        30.0, gt=0, description="Seconds that a request may wait for its answer."
    )
    header_timeout: float = Field(
        10.0, gt=0, description="Seconds that the head of a request may take to arrive."
    )
    client_connections: int = Field(
        200,
        ge=0,
        description="Connections that one address may have; 0 for any number, which suits a server "
        "behind a proxy.",
    )
    stop_timeout: float = Field(
        30.0, ge=0, description="Seconds that running requests may take when the server stops."
    )
    log_format: Literal["text", "json"] = Field(
        "text",
        description="How `ocelot serve` and `ocelot index` write their log; json has a line of "
        "JSON each.",
    )
    threads: int = Field(16, ge=1, le=256, description="Searches that the server runs at once.")
    queue: int = Field(64, ge=0, description="Searches that may wait; further ones get status 429.")
    batch_window: float = Field(
        0.002, ge=0, le=1, description="Seconds that a query waits for others to share its batch."
    )

    @model_validator(mode="after")
    def _collection_of_the_tenant(self) -> Self:
        if self.tenant is not None and not self.collection.endswith(f"__{self.tenant}"):
            self.collection += f"__{self.tenant}"
        return self

    @property
    def uses_llm(self) -> bool:
        """Whether a language model reranks."""
        return self.reranker == "llm" or (self.reranker == "auto" and self.has_language_model)

    @property
    def cross_encoder(self) -> str | None:
        """The model of a cross-encoder that reranks."""
        return self.reranker.partition("cross-encoder:")[2] or None

    def without_secrets(self) -> Settings:
        """These settings for a machine that only encodes: no keys, and no address of a database."""
        secrets = {name: None for name, value in self if isinstance(value, SecretStr)}
        return self.model_copy(update=secrets | {"db": "", "llm_base_url": None})

    @property
    def has_language_model(self) -> bool:
        """Whether there is a language model: an API key, or a base URL."""
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


class _Destination(Settings):
    """Settings of where `ocelot copy` writes to; the login of the source must not reach it."""

    model_config = SettingsConfigDict(env_prefix="OCELOT_TO_", toml_file=None)


def load_settings(*, destination: bool = False, **given: Any) -> Settings:
    """Return the settings from all sources; `given` values win, and None counts as not given.

    Args:
        destination: Whether these are of a destination: the variables are `OCELOT_TO_<NAME>`,
            and `ocelot.toml` is left aside.

    Raises:
        ConfigurationError: A setting is unknown or cannot be used, or `ocelot.toml` cannot be read.
    """
    kind = _Destination if destination else Settings
    try:
        return kind(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise ConfigurationError(
                f"There is no setting {name!r} (in the arguments or ocelot.toml): see "
                "docs/settings.md for their names."
            ) from None
        raise ConfigurationError(
            f"The setting {name} cannot be used: {first['msg'][0].lower()}{first['msg'][1:]} "
            "(from the command line, the environment or ocelot.toml)."
        ) from None
    except SettingsError as error:
        raise ConfigurationError(
            f"A variable of the environment that must be JSON is not: {error}."
        ) from None
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"Cannot read ocelot.toml: {cause}.") from None


def origins(**given: Any) -> dict[str, str]:
    """Where each setting has its value from, if `load_settings` accepts all.

    It is "argument", "environment: " and the variable, "ocelot.toml", or "default".
    """
    environment, file = EnvSettingsSource(Settings), TomlConfigSettingsSource(Settings)()
    found = {}
    for name, field in Settings.model_fields.items():
        value, variable, _ = environment.get_field_value(field, name)
        keys = getattr(field.validation_alias, "choices", ())
        if given.get(name) is not None:
            found[name] = "argument"
        elif value is not None:
            own = variable if variable != name else f"{environment.env_prefix}{name}".upper()
            found[name] = f"environment: {own}"
        else:
            found[name] = "ocelot.toml" if file.keys() & {name, *keys} else "default"
    return found
