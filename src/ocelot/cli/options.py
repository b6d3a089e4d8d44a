"""Options that several commands share, each declared once.

Most of them are settings. A command takes them by the group::

    @takes(DATABASE, ENCODER)
    def index(directory: Directory, *, given: Given, as_json: Json = False) -> None:
        settings = load_settings(**given)

Help and completion show them as if each were a parameter of the command.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.models import OptionInfo

__all__ = [
    "BATCH",
    "DATABASE",
    "ENCODER",
    "INDEX",
    "MEASURE",
    "RERANKER",
    "SERVER",
    "Filter",
    "Given",
    "Json",
    "Limit",
    "MinScore",
    "Paths",
    "TextModel",
    "add_command",
    "help_of",
    "option",
    "takes",
]  # fmt: skip

Given = dict[str, Any]  # settings by name; None where the command line does not give one


def option(
    *names: str, help: str, values: str = "", metavar: str | None = None, **options: Any
) -> OptionInfo:
    """Declare an option whose help, not typer, says what its default means.

    Args:
        values: What a shell offers to complete it, separated by spaces.
    """
    if values:
        offered = values.split()
        options["autocompletion"] = lambda incomplete: _starting(offered, incomplete)
    declared: OptionInfo = typer.Option(
        *names, help=help, metavar=metavar, show_default=False, **options
    )
    return declared


def _starting(values: Iterable[str], incomplete: str) -> list[str]:
    return [value for value in values if value.startswith(incomplete)]


def _encoders(incomplete: str) -> list[str]:
    from ocelot.encoders.catalog import CATALOG

    return _starting(CATALOG, incomplete)


DATABASE = {
    "db": option(
        "--db",
        metavar="URI",
        help="Milvus: a file, http://host:19530, or Zilliz Cloud. [env: OCELOT_DB; ocelot.db]",
    ),
    "collection": option("--collection", help="Milvus collection. [ocelot]"),
    "tenant": option("--tenant", metavar="NAME", help="Whose pictures; see docs/operations.md."),
    "database": option("--database", metavar="NAME", help="Database of a Milvus server."),
    "token": option("--token", help="Milvus or Zilliz Cloud token; OCELOT_TOKEN is safer."),
}
ENCODER = {
    "encoder": option(
        "--encoder",
        "--weights",
        help="A name that `ocelot encoders` lists, a folder, a published .pth file, or st:NAME, a "
        "model of sentence-transformers. [ocelot-tiny]",
        autocompletion=_encoders,
    ),
    "text_model": option(
        "--text-model", help="Folder or Hugging Face name of the text model of a .pth file."
    ),
    "device": option(
        "--device", help="cpu, cuda or mps. [the fastest available]", values="cpu cuda mps"
    ),
    "backend": option(
        "--backend",
        help="torch (extra bge) or openvino. [openvino, but torch on a GPU]",
        values="auto torch openvino",
    ),
    "precision": option(
        "--precision",
        help="fp32, bf16, fp16 (torch) or int8 (openvino). [bf16 where the hardware has it]",
        values="fp32 bf16 fp16 int8",
    ),
    "calibration": option(
        "--calibration", metavar="DIR", help="Pictures to calibrate int8 with. [the indexed ones]"
    ),
}
RERANKER = {
    "reranker": option(
        "--reranker",
        help="auto, llm, fusion, cross-encoder:NAME or none. [auto]",
        values="auto llm fusion none",
    ),
    "llm_model": option("--llm-model", help="Vision model. [gpt-4o]"),
    "llm_base_url": option("--llm-base-url", help="OpenAI-compatible endpoint."),
}
INDEX = {
    "index": option("--index", help="FLAT, HNSW, IVF_FLAT, …; see docs/deployment.md. [auto]"),
}
BATCH = {"batch_size": option("--batch-size", metavar="N", help="Pictures encoded at once.")}
MEASURE = {
    "template": option(
        "--template",
        metavar="NAME",
        help="How texts are worded: a name, or a text with fields such as {text}; see "
        "docs/benchmarks.md. [that of the benchmark]",
    ),
    "depth": Annotated[
        int | None,
        typer.Option("--depth", min=2, max=50, help="Hits of each query that --reranker gets. [9]"),
    ],
    "run": Annotated[
        Path | None,
        option("--run", metavar="FILE", help="Measure the rankings of this TREC run instead."),
    ],
    "out": Annotated[
        Path | None,
        option(
            "--out",
            metavar="DIR",
            help="Write the report, the scores of each query, the worst failures, the rankings "
            "and submissions to this folder.",
        ),
    ],
}
SERVER = {
    "mcp": Annotated[
        bool | None,
        typer.Option("--mcp/--no-mcp", help="Also serve MCP, for language models, at /mcp. [no]"),
    ],
    "read_only": Annotated[
        bool | None,
        typer.Option("--read-only", help="Let pictures be found only, not added or deleted. [no]"),
    ],
    "uploads": option(
        "--uploads", metavar="DIR", help="Folder for uploaded pictures. [beside the database]"
    ),
    "threads": option("--threads", metavar="N", help="Searches at once. [16]"),
    "queue": option("--queue", metavar="N", help="Searches that may wait. [64]"),
    "batch_window": option(
        "--batch-window",
        metavar="SECONDS",
        help="How long a query waits for others to share its batch. [0.002]",
    ),
}

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limit = Annotated[
    int, typer.Option("--limit", "-n", min=1, max=1000, help="The most hits to return.")
]
Filter = Annotated[str | None, option(help='Condition on the metadata: "price < 30".')]
MinScore = Annotated[float | None, option(help="Leave out hits below this cosine similarity.")]
Paths = Annotated[
    bool, typer.Option("--paths", help="Print only the paths of the hits, one on each line.")
]
TextModel = Annotated[Path | None, ENCODER["text_model"]]


def add_command(app: typer.Typer, command: Callable[..., None]) -> None:
    """Add a command under its function's name, with the first sentence of its help as summary."""
    name = command.__name__.rstrip("_").replace("_", "-")
    text, examples = help_of(command)
    summary = re.split(r"(?<=\.)\s", text)[0]  # typer would cut it
    epilog = "\n".join(["\b", "Examples:", *(f"  {line}" for line in examples)])  # \b keeps lines
    app.command(name, help=text, short_help=summary, epilog=epilog if examples else None)(command)


def help_of(command: Callable[..., None]) -> tuple[str, list[str]]:
    """The help of a command, from its docstring: the text, and the lines after "Examples:"."""
    text, *rest = re.split(r"\n\nExamples?:", inspect.getdoc(command) or "")
    return text, [line.strip() for line in "\n".join(rest).splitlines() if line.strip()]


def takes(*groups: Mapping[str, Any]) -> Callable[[Callable[..., None]], Any]:
    """Give a command the options of `groups` in place of its keyword parameter `given`.

    An option is a text, unless it is annotated with another type.

    typer reads a command's options from its signature and its annotations: both are rewritten.
    """
    options = {name: group[name] for group in groups for name in group}

    def decorate(command: Callable[..., None]) -> Any:
        @wraps(command)
        def run(**arguments: Any) -> None:
            command(given={name: arguments.pop(name) for name in options}, **arguments)

        signature = inspect.signature(command, eval_str=True)
        given = signature.parameters["given"]
        taken = [
            given.replace(name=name, default=None, annotation=_annotated(shared))
            for name, shared in options.items()
        ]
        parameters = [
            parameter
            for declared in signature.parameters.values()
            for parameter in (taken if declared is given else [declared])
        ]
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate


def _annotated(shared: Any) -> Any:
    return Annotated[str | None, shared] if isinstance(shared, OptionInfo) else shared
