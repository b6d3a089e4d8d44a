"""From settings to an engine. Only this module names encoders, rerankers and their options."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ocelot.encoders.base import Encoder
from ocelot.engine import Engine
from ocelot.errors import CollectionNotFound, ConfigurationError
from ocelot.rerankers.base import Reranker
from ocelot.settings import Settings, cache_folder, load_settings

if TYPE_CHECKING:
    from ocelot.collection import Collection, EncoderIdentity
    from ocelot.collection.connection import Access
    from ocelot.images.store import ImageStore
    from ocelot.rerankers.llm.limits import LimitedChat
    from ocelot.service import Service

__all__ = [
    "build_access",
    "build_chat",
    "build_collection",
    "build_encoder",
    "build_engine",
    "build_images",
    "build_reranker",
    "build_service",
    "open",
]


def open(
    uri: str | Path | None = None,
    *,
    encoder: str | Path | Encoder | None = None,
    reranker: str | Reranker | None = "auto",
    create: bool = True,
    **settings: Any,
) -> Engine:
    """Open a collection, with its encoder and a reranker.

    Args:
        uri: A file (`shop.db`), a Milvus server (`http://host:19530`) or Zilliz Cloud
            (`https://…`, with `token=`); by default as set.
        encoder: A name, a checkpoint, or any `Encoder`; by default as set.
        reranker: "auto" (as set: llm with an API key, else fusion), "llm", "fusion",
            "cross-encoder:NAME", None, or any `Reranker`.
        create: Whether to make the collection where there is none.
        **settings: Any field of `ocelot.settings.Settings`.

    Raises:
        ConfigurationError: A setting is unknown or cannot be used.
        EncoderError: The encoder cannot be loaded.
        CollectionNotFound: There is none, and `create` is False.
        CollectionError: The collection cannot be opened, or was made with another encoder.

    For example:

        with ocelot.open("shop.db") as shop:
            shop.index("pictures/")
            result = shop.search(image="leopard.jpg", text="phone case with this image theme")
            print(result.best.path, result.reason)
    """
    given: dict[str, Any] = {"db": None if uri is None else str(uri)}
    ready: dict[str, Any] = {}
    if encoder is None or isinstance(encoder, (str, Path)):
        given["encoder"] = encoder and str(encoder)
    else:
        ready["encoder"] = _checked(encoder, "encoder", Encoder)
    if reranker is None or isinstance(reranker, str):
        # None counts as not given, so that "auto" leaves the choice to the settings.
        given["reranker"] = {None: "none", "auto": None}.get(reranker, reranker)
    else:
        given["reranker"] = "none"
        ready["reranker"] = _checked(reranker, "reranker", Reranker)
    return build_engine(load_settings(**{**given, **settings}), **ready, create=create)


def _checked(part: Any, name: str, kind: type) -> Any:
    if not isinstance(part, kind):
        raise ConfigurationError(
            f"The {name} must be a name or of the type {kind.__name__}, was: {type(part).__name__}."
        )
    return part


def build_engine(
    settings: Settings,
    *,
    encoder: Encoder | None = None,
    reranker: Reranker | None = None,
    create: bool = True,
    pictures: Sequence[Path] | None = None,
) -> Engine:
    """Build an engine; a given encoder or reranker replaces that of the settings.

    Args:
        pictures: See `build_encoder`.
    """
    from ocelot.encoders.caching import CachingEncoder

    early = None if encoder else _load_early(settings, pictures)
    with _existing_collection(settings, create=create) as existing:
        encoder = encoder or _load_encoder(settings, pictures, existing, early)
        cached = CachingEncoder(encoder)
        images = build_images(settings)
        reranker = reranker or build_reranker(settings, cached, images)
        return Engine(cached, _collection_for(settings, encoder, existing), reranker, images)


@contextmanager
def _existing_collection(settings: Settings, *, create: bool) -> Iterator[Collection | None]:
    """Yield the collection, or None if it has to be made; close it if the block fails.

    It is opened first: if it cannot be, no encoder is fetched.
    """
    try:
        existing = build_collection(settings, create=create)
    except CollectionNotFound:
        if not create:
            raise
        yield None
        return
    try:
        yield existing
    except BaseException:
        existing.close()
        raise


def _load_early(settings: Settings, pictures: Sequence[Path] | None) -> Future[Encoder] | None:
    """Begin to load the bundled encoder, which takes as long as opening the collection."""
    from ocelot.encoders.weights import BUNDLED

    if settings.encoder != BUNDLED or settings.precision == "int8":  # which may calibrate for long
        return None
    return ThreadPoolExecutor(1, "ocelot-load").submit(build_encoder, settings, pictures)


def _load_encoder(
    settings: Settings,
    pictures: Sequence[Path] | None,
    existing: Collection | None,
    early: Future[Encoder] | None = None,
) -> Encoder:
    """Load the encoder, unless its vectors are known to have another length than those stored."""
    if early is not None:
        return early.result()
    from ocelot.collection import EncoderIdentity
    from ocelot.encoders.catalog import known_dimension

    if existing is not None:
        dimension = known_dimension(settings.encoder, settings.text_model)
        if dimension not in (None, existing.identity.dimension):
            existing.check(EncoderIdentity(settings.encoder, "", dimension))
    return build_encoder(settings, pictures)


def _collection_for(
    settings: Settings, encoder: Encoder, existing: Collection | None
) -> Collection:
    """Return the existing collection if the encoder fits, or make one."""
    from ocelot.collection import EncoderIdentity

    if existing is None:
        return build_collection(settings, encoder)
    existing.check(EncoderIdentity.of(encoder))
    return existing


def build_encoder(settings: Settings, pictures: Sequence[Path] | None = None) -> Encoder:
    """Load the encoder.

    Args:
        pictures: Folders or files that are about to be encoded. int8 is calibrated with them,
            unless the settings name others or a calibration is cached.

    Raises:
        ConfigurationError: A setting cannot be used, or not together with another.
        EncoderError: The encoder cannot be loaded.
    """
    from ocelot.encoders.catalog import CATALOG

    encoder: Encoder
    known = CATALOG.get(settings.encoder)
    if settings.encoder.startswith("st:") or (known is not None and known.extra == "st"):
        encoder = _build_sentence_transformer(settings)
    elif _backend(settings) == "openvino":
        encoder = _build_openvino(settings, pictures)
    else:
        from ocelot.encoders import VisualizedBGE

        if settings.precision == "int8":
            raise ConfigurationError(
                "The backend torch has no int8: use --backend openvino, or another --precision."
            )
        encoder = VisualizedBGE.load(
            settings.encoder,
            text_model=settings.text_model,
            device=settings.device,
            dtype=None if settings.precision == "auto" else settings.precision,
            reduced_decoding=settings.reduced_decoding,
        )
    if settings.batch_size is not None:
        encoder.batch_size = settings.batch_size
    return encoder


def _backend(settings: Settings) -> str:
    """Choose what runs the encoder, without the second that importing torch takes."""
    from ocelot.encoders.weights import BUNDLED

    if settings.backend != "auto":
        return settings.backend
    if settings.precision == "fp16" or settings.device not in (None, "cpu"):
        return "torch"
    if settings.precision == "int8" or settings.device == "cpu" or settings.encoder == BUNDLED:
        return "openvino"
    nvidia = shutil.which("nvidia-smi") or os.path.exists("/dev/nvidiactl")
    gpu = nvidia or (sys.platform, platform.machine()) == ("darwin", "arm64")
    return "torch" if gpu and find_spec("torch") else "openvino"


def _build_sentence_transformer(settings: Settings) -> Encoder:
    if settings.backend == "openvino" or settings.precision == "int8":
        raise ConfigurationError(
            f"The encoder {settings.encoder} has neither --backend openvino nor int8: leave both "
            "out, or choose another encoder."
        )
    from ocelot.encoders import SentenceTransformerEncoder

    return SentenceTransformerEncoder.load(
        settings.encoder,
        instruction=settings.encoder_instruction,
        max_pixels=settings.encoder_max_pixels,
        dimension=settings.encoder_dimension,
        text_weight=settings.encoder_text_weight,
        device=settings.device,
        dtype=settings.precision,
    )


def _build_openvino(settings: Settings, pictures: Sequence[Path] | None) -> Encoder:
    from ocelot.encoders.openvino.encoder import Calibration, OpenVINOEncoder

    if settings.device not in (None, "cpu"):
        raise ConfigurationError(
            f"The backend openvino runs on the CPU, not on {settings.device!r}: leave out "
            "--device, or use --backend torch."
        )
    chosen = [settings.calibration] if settings.calibration is not None else None
    offered = chosen or pictures

    def listed() -> list[Path]:
        from ocelot.indexing.scan import File, scan

        return [Path(file.path) for file in scan(offered or ()) if isinstance(file, File)]

    return OpenVINOEncoder.load(
        settings.encoder,
        text_model=settings.text_model,
        precision=settings.precision,
        # Only indexing calibrates again; a search uses the cached calibration.
        calibration=Calibration(listed, chosen=bool(chosen and pictures)) if offered else None,
        reduced_decoding=settings.reduced_decoding,
    )


def build_collection(
    settings: Settings, encoder: Encoder | EncoderIdentity | None = None, **options: Any
) -> Collection:
    """Open the collection; other arguments and errors are those of `Collection.open`."""
    from ocelot.collection import Collection, EncoderIdentity

    chosen: dict[str, Any] = {
        "name": settings.collection,
        "encoder": None if encoder is None else EncoderIdentity.of(encoder),
        "access": build_access(settings),
        "index": settings.index,
        "consistency": settings.consistency,
        "replicas": settings.replicas,
        "outage_timeout": settings.outage_timeout,
    }
    return Collection.open(settings.db, **(chosen | options))


def build_access(settings: Settings) -> Access:
    """How the settings enter a Milvus server."""
    from ocelot.collection.connection import Access

    return Access(
        settings.token.get_secret_value() if settings.token else "",
        settings.user or "",
        settings.password.get_secret_value() if settings.password else "",
        settings.database or "",
        settings.tls_ca,
        settings.tls_cert,
        settings.tls_key,
    )


def build_images(settings: Settings) -> ImageStore:
    """Build the store of pictures: uploads, and cached small copies.

    By default uploads are beside a local database (`shop.db` -> `shop-uploads`); for a server, in
    the working folder. Each collection has its own, or files of its own where it shares a folder.
    """
    from ocelot.images.store import ImageStore
    from ocelot.images.thumbnails import Thumbnails
    from ocelot.images.uploads import uploads_beside

    thumbnails = Thumbnails(max_bytes=settings.thumbnails_mb * 2**20)
    remote = "://" in settings.db
    beside = uploads_beside("ocelot" if remote else settings.db, settings.collection)
    owner = ""
    if remote:
        host = urlsplit(settings.db).netloc.rpartition("@")[2]
        place = host if settings.database is None else f"{host}/{settings.database}"
        owner = f"{place} {settings.collection}"
    elif settings.uploads is not None:
        owner = f"{os.path.realpath(os.path.expanduser(settings.db))} {settings.collection}"
    return ImageStore(thumbnails, settings.uploads or beside, owner)


def build_reranker(settings: Settings, encoder: Encoder, images: ImageStore) -> Reranker | None:
    """Build the reranker; None where the settings say "none".

    Args:
        images: Where the pictures of hits are read from.

    Raises:
        ConfigurationError: A language model is set without an API key or a base URL.
    """
    if settings.reranker == "none":
        return None
    if settings.cross_encoder is not None:
        return _build_cross_encoder(settings, images)
    from ocelot.rerankers.fusion import FusionReranker

    fusion = FusionReranker(encoder, images)
    return _build_llm(settings, images, fusion) if settings.uses_llm else fusion


def _build_cross_encoder(settings: Settings, images: ImageStore) -> Reranker:
    from ocelot.rerankers.cross_encoder import CrossEncoderReranker

    return CrossEncoderReranker.load(
        settings.cross_encoder or "",
        images=images,
        device=settings.device,
        dtype=None if settings.precision in ("auto", "int8") else settings.precision,
    )


def _build_llm(settings: Settings, images: ImageStore, substitute: Reranker) -> Reranker:
    from ocelot.rerankers.llm.reranker import LLMReranker

    return LLMReranker(
        **_chat_options(settings, ", or use --reranker fusion"),
        detail=settings.llm_detail,
        window=settings.llm_window,
        votes=settings.llm_votes,
        cache=cache_folder() / "rankings" if settings.llm_cache else None,
        images=images,
        substitute=substitute,
    )


def build_chat(settings: Settings) -> LimitedChat:
    """Build the language model itself, with the reranker's endpoint, key and budget.

    Raises:
        ConfigurationError: There is neither an API key nor a base URL, or a setting is wrong.
    """
    from ocelot.rerankers.llm.limits import LimitedChat

    return LimitedChat(**_chat_options(settings))


def _chat_options(settings: Settings, otherwise: str = "") -> dict[str, Any]:
    """What the settings say of the language model; `otherwise` ends the advice without a key."""
    from ocelot.rerankers.llm.limits import Breaker, Budget, Limit

    # Where both could be used, the one that has a key is, and Azure first: its endpoint is set on
    # purpose, while OPENAI_API_KEY may be there for another program.
    azure = settings.azure_endpoint is not None and (
        settings.azure_api_key is not None or settings.llm_api_key is None
    )
    key = settings.azure_api_key if azure else settings.llm_api_key
    if key is None and (azure or settings.llm_base_url is None):
        raise ConfigurationError(
            "The language model needs an API key: set "
            f"{'AZURE_OPENAI_API_KEY' if azure else 'OPENAI_API_KEY'}, or name a local endpoint "
            f"(OCELOT_LLM_BASE_URL){otherwise}."
        )
    price_in, price_out = settings.llm_price_in, settings.llm_price_out
    if (price_in is None) != (price_out is None):
        raise ConfigurationError("Set both llm_price_in and llm_price_out, or neither.")
    prices = settings.llm_prices.get(settings.llm_model)
    if price_in is not None and price_out is not None:
        prices = (price_in, price_out)
    tokens, dollars = settings.llm_daily_tokens, settings.llm_daily_dollars
    if dollars is not None and prices is None:
        raise ConfigurationError(
            f"llm_daily_dollars needs the prices of {settings.llm_model}: set llm_price_in and "
            "llm_price_out, or llm_prices."
        )
    limits: list[Limit] = [Breaker(settings.llm_pause)]
    if tokens is not None or dollars is not None:
        budget = Budget(cache_folder() / "llm-budget.sqlite", tokens=tokens, dollars=dollars)
        limits.insert(0, budget)  # so that an attempt of the breaker is not refused
    return {
        "model": settings.llm_model,
        "api_key": key.get_secret_value() if key else None,
        "base_url": None if azure else settings.llm_base_url,
        "azure_endpoint": settings.azure_endpoint if azure else None,
        "azure_api_version": settings.azure_api_version,
        "timeout": settings.llm_timeout,
        "retries": settings.llm_retries,
        "max_tokens": settings.llm_max_tokens,
        "prices": prices,
        "limits": limits,
    }


def build_service(settings: Settings) -> Service:
    """Build a service for many callers, with an encoder that batches and all rerankers.

    If it is to be read-only, the collection must exist, and the folder for uploads may be one that
    cannot be written to.

    Raises:
        ConfigurationError: A setting cannot be used, or the folder for uploads cannot be written
            to.
        EncoderError, CollectionError: As in `open`.
    """
    from ocelot.encoders.batching import BatchingEncoder
    from ocelot.encoders.caching import CachingEncoder
    from ocelot.rerankers.fusion import FusionReranker
    from ocelot.service import Limits, Metrics, Service

    metrics = Metrics()
    with _existing_collection(settings, create=not settings.read_only) as existing:
        loaded = _load_encoder(settings, None, existing)
        batching = BatchingEncoder(
            loaded, window=settings.batch_window, observe=metrics.batches.observe
        )
        encoder = CachingEncoder(batching, observe=metrics.remembered)
        images = build_images(settings)
        if not settings.read_only:
            images.uploads  # noqa: B018  (refuse a folder that cannot be written to at once)
        fusion = FusionReranker(encoder, images)
        rerankers: dict[str, Reranker] = {"fusion": fusion}
        if settings.uses_llm or settings.has_language_model:
            rerankers = {"llm": _build_llm(settings, images, fusion)} | rerankers
        default = "llm" if settings.uses_llm else "fusion"
        if settings.cross_encoder is not None:
            default = "cross-encoder"
            rerankers = {default: _build_cross_encoder(settings, images)} | rerankers
        return Service(
            Engine(encoder, _collection_for(settings, loaded, existing), images=images),
            rerankers,
            default=None if settings.reranker == "none" else default,
            limits=Limits.of(settings),
            metrics=metrics,
        )
