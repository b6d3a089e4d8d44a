"""The `ocelot` command. Only this package chooses exit codes."""

from __future__ import annotations

import gc
import io
import logging
import sys
import warnings
from collections.abc import Callable
from typing import Annotated

import typer

from ocelot import __version__
from ocelot.cli import (
    adapt,
    demo,
    evaluate,
    index,
    info,
    maintenance,
    search,
    serve,
    train,
    transfer,
    tune,
)
from ocelot.cli.options import add_command
from ocelot.errors import (
    CheckpointError,
    CollectionNotFound,
    ConfigurationError,
    EncoderMismatch,
    InputError,
    OcelotError,
)

__all__ = ["app", "run"]

_INTERRUPTED = 130
# What was given cannot be used: input, a setting, or what a setting names.
_UNUSABLE = (InputError, ConfigurationError, CheckpointError, CollectionNotFound, EncoderMismatch)

app = typer.Typer(
    help="Composed image search: find pictures with a picture and a sentence, and say why.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    index.index, search.search, search.similar, transfer.adopt, transfer.copy, serve.serve,
    serve.mcp, info.info, tune.tune, maintenance.verify, maintenance.repair, maintenance.reindex,
    transfer.backup, transfer.restore, transfer.export, transfer.import_, maintenance.duplicates,
    train.train, adapt.adapt, demo.demo, info.encoders,
):  # fmt: skip
    add_command(app, command)
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(demo.data, name="data")
app.add_typer(info.config, name="config")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"ocelot {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Set up logging, and answer --version."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logger = logging.getLogger("ocelot")  # other packages write their logs for developers
    logger.handlers, logger.propagate = [handler], False
    logging.getLogger().addHandler(logging.NullHandler())
    logging.getLogger("milvus_lite").addHandler(handler)  # warnings about files of the database
    warnings.simplefilter("ignore")  # odd EXIF, large pictures: what matters is an error


def run(command: Callable[[], object] = app) -> None:
    """Run a command, by default `ocelot`.

    Exit codes: 0 done; 1 it failed; 2 the input or a setting cannot be used; 130 interrupted.
    """
    gc.set_threshold(50_000)  # imports make much that stays, which the collector would walk through
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # an ASCII locale must not fail
            stream.reconfigure(errors="backslashreplace")
    try:
        command()
    except SystemExit as stop:
        if stop.code == _INTERRUPTED:  # typer says nothing about Ctrl-C
            typer.echo("Interrupted.", err=True)
        raise
    except OcelotError as error:
        _fail(str(error), 2 if isinstance(error, _UNUSABLE) else 1)
    except KeyboardInterrupt:
        _fail("Interrupted.", _INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader is gone
        sys.exit(1)
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        _fail(f"The output cannot be written: {error.strerror or error}{place}.", 1)
    finally:
        gc.freeze()  # the collector's last run, at exit, would only take time


def _fail(message: str, code: int) -> None:
    typer.echo(f"Error: {message}", err=True)
    sys.exit(code)
