"""`ocelot train`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocelot.cli import options
from ocelot.cli.terminal import resumable
from ocelot.errors import ConfigurationError, requires_extra

if TYPE_CHECKING:
    from ocelot.training.batch import BatchSource
    from ocelot.training.config import TrainConfig

__all__ = ["Config", "DeviceName", "Initial", "Output", "run", "train"]

Config = Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="See docs/training.md.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="The run's folder.")]
Initial = Annotated[
    str | None, options.option(help="Start from this encoder: a name, .pth or folder.")
]
DeviceName = Annotated[
    str | None, options.option(help="cpu, cuda or mps. [a CUDA GPU if there is one]")
]


def train(
    config: Config,
    output: Output,
    initial: Initial = None,
    text_model: options.TextModel = None,
    device: DeviceName = None,
) -> None:
    """Train or fine-tune an encoder on triplets. Run the command again to resume.

    On several GPUs: torchrun --nproc-per-node N -m ocelot train …

    Examples:
        ocelot train shop.toml --output runs/shop
        ocelot train shop.toml --output runs/base --initial bge-visualized-base
    """
    with requires_extra("train", "ocelot train"):
        from ocelot.training.config import TrainConfig, read_config
        from ocelot.training.source import TripletSource

    settings = read_config(config, TrainConfig)
    run(settings, TripletSource(settings), output, initial, text_model, device)


def run(
    config: TrainConfig,
    source: BatchSource,
    output: Path,
    initial: str | None,
    text_model: Path | None,
    device: str | None,
) -> None:
    """Train, and print what happens."""
    from ocelot.encoders.weights import load_checkpoint
    from ocelot.training.loop import train

    start = load_checkpoint(initial, text_model) if initial else None
    try:
        with resumable():
            folder = train(
                config, source, output, initial=start, device=device, progress=typer.echo
            )
    except OSError as error:
        cause = error.strerror or str(error)
        raise ConfigurationError(f"Cannot write to {output}: {cause}.") from None
    if os.environ.get("RANK", "0") == "0":  # of torchrun's processes only the first one prints
        typer.echo(f"The encoder is in {folder}: use it with --encoder {folder}.")
