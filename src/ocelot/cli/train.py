"""`ocelot train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocelot.cli import options
from ocelot.errors import ConfigurationError

if TYPE_CHECKING:
    from ocelot.training.loop import StepReport

__all__ = ["train"]


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="See configs/.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The run's folder.")],
    initial: Annotated[
        str | None,
        typer.Option(help="Start from this encoder: a name, .pth or folder.", show_default=False),
    ] = None,
    text_model: options.TextModel = None,
) -> None:
    """Train an encoder, on the CPU. Run the same command after an interruption to resume."""
    from ocelot.encoders.weights import resolve
    from ocelot.training.config import read_config
    from ocelot.training.loop import train as run

    def show(report: StepReport) -> None:
        left = (report.steps - report.step) * batch / max(report.rate, 1e-9)
        held_out = "" if report.held_out is None else f"  held-out R@1 {report.held_out:.3f}"
        typer.echo(
            f"step {report.step}/{report.steps}  loss {report.loss:.3f}  "
            f"accuracy {report.accuracy:.3f}  {report.rate:.0f} triplets/s  "
            f"{left / 60:.0f} min left{held_out}"
        )

    settings = read_config(config)
    batch = settings.optimiser.batch
    start = None if initial is None else resolve(initial, text_model)
    try:
        folder = run(settings, output, initial=start, progress=show)
    except OSError as error:
        cause = error.strerror or str(error)
        raise ConfigurationError(f"Cannot write to {output}: {cause}.") from None
    typer.echo(f"The encoder is in {folder}: use it with --encoder {folder}.")
