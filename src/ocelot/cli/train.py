"""`ocelot train`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocelot.cli import options
from ocelot.errors import ConfigurationError

if TYPE_CHECKING:
    from ocelot.training.report import StepReport

__all__ = ["train"]


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="See docs/training.md.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The run's folder.")],
    initial: Annotated[
        str | None,
        typer.Option(help="Start from this encoder: a name, .pth or folder.", show_default=False),
    ] = None,
    text_model: options.TextModel = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, mps; a GPU where there is one.")
    ] = None,
) -> None:
    """Train or fine-tune an encoder. Run the same command after an interruption to resume.

    On several GPUs: torchrun --nproc-per-node N -m ocelot train …
    """
    from ocelot.encoders.weights import load_checkpoint
    from ocelot.training.config import read_config
    from ocelot.training.loop import train as run

    settings = read_config(config)
    start = None if initial is None else load_checkpoint(initial, text_model)
    try:
        folder = run(
            settings,
            output,
            initial=start,
            device=device,
            progress=lambda report: typer.echo(_line(report)),
        )
    except OSError as error:
        cause = error.strerror or str(error)
        raise ConfigurationError(f"Cannot write to {output}: {cause}.") from None
    if os.environ.get("RANK", "0") == "0":  # of torchrun's processes only the first one speaks
        typer.echo(f"The encoder is in {folder}: use it with --encoder {folder}.")


def _line(report: StepReport) -> str:
    minutes = round(report.seconds_left / 60)
    parts = [
        f"step {report.step}/{report.steps}",
        f"loss {report.loss:.3f}",
        f"accuracy {report.accuracy:.3f}",
        f"{report.rate:.0f} queries/s",
        f"{minutes // 60} h {minutes % 60} min left" if minutes >= 60 else f"{minutes} min left",
    ]
    if report.held_out:
        recalls = ", ".join(f"{name} {recall:.3f}" for name, recall in report.held_out.items())
        parts.append(f"held-out R@1: {recalls}")
    return "  ".join(parts)
