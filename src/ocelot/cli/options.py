"""Options that several commands share, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "Backend", "Batch", "Calibration", "CollectionName", "Database", "Device", "EncoderName",
    "Json", "LanguageModel", "LanguageModelUrl", "Precision", "RerankerName", "TextModel",
    "Token", "Weights", "encoder_settings",
]  # fmt: skip

Database = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="URI",
        help="Milvus: a file, http://host:19530, or Zilliz Cloud. [env: OCELOT_DB; ocelot.db]",
        show_default=False,
    ),
]
CollectionName = Annotated[
    str | None,
    typer.Option("--collection", help="Milvus collection. [ocelot]", show_default=False),
]
Token = Annotated[
    str | None,
    typer.Option(help="Milvus or Zilliz Cloud token; better set OCELOT_TOKEN.", show_default=False),
]
EncoderName = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        help="ocelot-tiny, bge-visualized-base, bge-visualized-m3, or a folder. [ocelot-tiny]",
        show_default=False,
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(help="Published .pth file, in the place of --encoder.", show_default=False),
]
TextModel = Annotated[
    Path | None,
    typer.Option(help="Folder with the text model's config and tokenizer.", show_default=False),
]
Device = Annotated[
    str | None, typer.Option(help="cpu, cuda, mps; the best at hand.", show_default=False)
]
Backend = Annotated[
    str | None, typer.Option("--backend", help="torch or openvino. [torch]", show_default=False)
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        help="fp32, bf16, fp16 (torch) or int8 (openvino). [bf16 where the hardware has it]",
        show_default=False,
    ),
]
Calibration = Annotated[
    Path | None,
    typer.Option(
        "--calibration",
        metavar="DIR",
        help="Pictures to calibrate int8 on. [those that are indexed]",
        show_default=False,
    ),
]
Batch = Annotated[
    int | None, typer.Option("--batch-size", help="Pictures encoded at once.", show_default=False)
]
RerankerName = Annotated[
    str | None,
    typer.Option("--reranker", help="auto, generative, fusion or none. [auto]", show_default=False),
]
LanguageModel = Annotated[
    str | None, typer.Option("--llm-model", help="Vision model. [gpt-4o]", show_default=False)
]
LanguageModelUrl = Annotated[
    str | None,
    typer.Option("--llm-base-url", help="OpenAI-compatible endpoint.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def encoder_settings(
    encoder: str | None,
    weights: Path | None,
    text_model: Path | None,
    device: str | None,
    backend: str | None,
    precision: str | None,
    calibration: Path | None,
) -> dict[str, Any]:
    """What the encoder options mean as settings."""
    return {
        "encoder": str(weights) if weights is not None else encoder,
        "text_model": None if text_model is None else str(text_model),
        "device": device,
        "backend": backend,
        "precision": precision,
        "calibration": calibration,
    }
