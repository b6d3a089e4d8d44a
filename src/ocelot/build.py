"""From settings to an engine: the only place that names adapters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocelot.engine import Engine
from ocelot.errors import ConfigurationError
from ocelot.settings import Settings, cache_folder, load_settings

if TYPE_CHECKING:
    from ocelot.collection import Collection
    from ocelot.encoders.base import Encoder
    from ocelot.images.store import ImageStore
    from ocelot.rerankers.base import Reranker
    from ocelot.service import Service

__all__ = [
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
            (`https://…`, with `token=`); from the settings when not given.
        encoder: A name, a checkpoint, or any `Encoder`.
        reranker: "auto" (what the settings say: llm with an API key, else fusion),
            "llm", "fusion", None, or any `Reranker`.
        create: Make the collection if there is none.
        **settings: Any field of `ocelot.settings.Settings`.

    Raises:
        ConfigurationError: A setting cannot be used.
        EncoderError, CollectionError: The encoder cannot be loaded, the collection not opened.

    Example::

        with ocelot.open("shop.db") as shop:
            shop.index("pictures/")
            result = shop.search(image="leopard.jpg", text="phone case with this image theme")
            print(result.best.path, result.reason)
    """
    named = "none" if reranker is None else reranker if isinstance(reranker, str) else None
    chosen = load_settings(
        db=None if uri is None else str(uri),
        encoder=str(encoder) if isinstance(encoder, (str, Path)) else None,
        reranker=None if named == "auto" else named,
        **settings,
    )
    return build_engine(
        chosen,
        encoder=None if isinstance(encoder, (str, Path)) else encoder,
        reranker=None if isinstance(reranker, str) else reranker,
        create=create,
    )


def build_engine(
    settings: Settings,
    *,
    encoder: Encoder | None = None,
    reranker: Reranker | None = None,
    create: bool = True,
    pictures: Sequence[Path] | None = None,
) -> Engine:
    """An engine from settings; ready-made parts take the place of the settings'.

    Args:
        pictures: As of `build_encoder`.
    """
    from ocelot.encoders.caching import CachingEncoder

    loaded = CachingEncoder(encoder or build_encoder(settings, pictures))
    images = build_images(settings)
    judge = reranker or build_reranker(settings, loaded, images)
    return Engine(loaded, build_collection(settings, loaded, create=create), judge, images)


def build_encoder(settings: Settings, pictures: Sequence[Path] | None = None) -> Encoder:
    """The settings' encoder, loaded.

    Args:
        pictures: Folders or files that int8 is calibrated on where the settings name none and
            no calibration is kept: those that are about to be encoded.

    Raises:
        ConfigurationError: A setting cannot be used, or not with the others.
        EncoderError: The encoder cannot be loaded.
    """
    encoder: Encoder
    if settings.backend == "openvino":
        encoder = _build_openvino(settings, pictures)
    else:
        from ocelot.encoders.visualized_bge import VisualizedBGE

        if settings.precision == "int8":
            raise ConfigurationError(
                "The backend torch does not compute in int8: add --backend openvino, or use "
                "fp32, bf16 or fp16."
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


def _build_openvino(settings: Settings, pictures: Sequence[Path] | None) -> Encoder:
    from ocelot.encoders.openvino.encoder import Calibration, OpenVINOEncoder

    if settings.device not in (None, "cpu"):
        raise ConfigurationError(
            f"The backend openvino computes on the processor, not on {settings.device!r}: "
            "leave --device away, or use --backend torch."
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
        # Only a run that encodes pictures calibrates anew: a search takes what there is.
        calibration=Calibration(listed, chosen=bool(chosen and pictures)) if offered else None,
        reduced_decoding=settings.reduced_decoding,
    )


def build_collection(settings: Settings, encoder: Encoder, *, create: bool = True) -> Collection:
    """The settings' collection, opened for an encoder."""
    from ocelot.collection import Collection, EncoderIdentity

    return Collection.open(
        settings.db,
        name=settings.collection,
        encoder=EncoderIdentity.of(encoder),
        token=settings.token.get_secret_value() if settings.token else None,
        index=settings.index,
        create=create,
    )


def build_images(settings: Settings) -> ImageStore:
    """The store of pictures, with small copies as large as the settings allow."""
    from ocelot.images.store import ImageStore
    from ocelot.images.thumbnails import Thumbnails

    thumbnails = Thumbnails(max_bytes=settings.thumbnails_mb * 2**20)
    return ImageStore(thumbnails, settings.uploads or _uploads_beside(settings.db))


def build_reranker(
    settings: Settings, encoder: Encoder, images: ImageStore | None = None
) -> Reranker | None:
    """The settings' reranker; None when they say "none".

    Args:
        images: Where the hits' pictures are read from.

    Raises:
        ConfigurationError: A language model is asked for without a key or an endpoint.
    """
    if settings.reranker == "none":
        return None
    if not settings.uses_llm:
        from ocelot.rerankers.fusion import FusionReranker

        return FusionReranker(encoder, images)
    from ocelot.rerankers.llm.reranker import LLMReranker

    # With keys for both, the one that has a key decides; Azure's is the more deliberate.
    azure = settings.azure_endpoint is not None and (
        settings.azure_api_key is not None or settings.llm_api_key is None
    )
    key = settings.azure_api_key if azure else settings.llm_api_key
    if key is None and (azure or settings.llm_base_url is None):
        raise ConfigurationError(
            "The llm reranker needs an API key: set "
            f"{'AZURE_OPENAI_API_KEY' if azure else 'OPENAI_API_KEY'}, name a local endpoint "
            "(OCELOT_LLM_BASE_URL), or use --reranker fusion."
        )
    return LLMReranker(
        model=settings.llm_model,
        api_key=key.get_secret_value() if key else None,
        base_url=None if azure else settings.llm_base_url,
        azure_endpoint=settings.azure_endpoint if azure else None,
        azure_api_version=settings.azure_api_version,
        timeout=settings.llm_timeout,
        retries=settings.llm_retries,
        max_tokens=settings.llm_max_tokens,
        detail=settings.llm_detail,
        window=settings.llm_window,
        cache=cache_folder() / "rankings" if settings.llm_cache else None,
        images=images,
    )


def build_service(settings: Settings) -> Service:
    """A warm service for many callers: an encoder that batches, every reranker there is.

    Raises:
        ConfigurationError: A setting cannot be used, or the extra `serve` is not installed.
        EncoderError, CollectionError: As in `open`.
    """
    try:
        from ocelot.service import Limits, Metrics, Service
    except ImportError as error:
        raise ConfigurationError(
            f"Serving needs more packages ({error.name} is missing): "
            "pip install 'ocelot-search[serve]'."
        ) from None
    from ocelot.encoders.batching import BatchingEncoder
    from ocelot.encoders.caching import CachingEncoder

    metrics = Metrics()
    batching = BatchingEncoder(
        build_encoder(settings), window=settings.batch_window, observe=metrics.batch
    )
    encoder = CachingEncoder(batching, observe=metrics.remembered)
    images = build_images(settings)
    rerankers = {}
    for name in ("llm", "fusion"):
        chosen = settings.model_copy(update={"reranker": name})
        if name == "fusion" or settings.uses_llm or chosen.has_language_model:
            judge = build_reranker(chosen, encoder, images)
            assert judge is not None
            rerankers[name] = judge
    default = "llm" if settings.uses_llm else "fusion"
    return Service(
        Engine(encoder, build_collection(settings, encoder), images=images),
        rerankers,
        default=None if settings.reranker == "none" else default,
        limits=Limits.of(settings),
        metrics=metrics,
    )


def _uploads_beside(db: str) -> Path:
    """`shop.db` -> `shop-uploads`; for a server, a folder where the process was started."""
    if "://" in db:
        return Path("ocelot-uploads")
    local = Path(db).expanduser().with_suffix("")
    return local.with_name(f"{local.name}-uploads")
