"""Write docs/cli.md and docs/settings.md from the code: `make docs`.

Both are laid out here, from what the commands and the settings declare, so that the text is the
same on every machine: no terminal, no colours, and no version of typer has a say in it.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer
from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from typer.models import ArgumentInfo, OptionInfo

from ocelot.cli.main import app
from ocelot.settings import Settings

WIDTH = 100
FOLDER = Path(__file__).parent
_NOTICE = "<!-- Written by docs/generate.py: change the code, then run `make docs`. -->"
_VALUES = {int: "INT", float: "FLOAT", Path: "PATH", str: "TEXT"}


def commands(tree: typer.Typer = app, name: str = "ocelot") -> Iterator[tuple[str, Any]]:
    """Each command that does something: its whole name, and the function behind it."""
    for command in tree.registered_commands:
        assert command.callback is not None
        given = command.name or command.callback.__name__.replace("_", "-")
        yield f"{name} {given}", command.callback
    for group in tree.registered_groups:
        assert group.typer_instance is not None
        yield from commands(group.typer_instance, f"{name} {group.name}")


_CLI = f"""\
# Commands

{_NOTICE}

`ocelot` and `python -m ocelot` are the same. `ocelot --help` lists the commands, `--help` behind
one explains it, `ocelot --version` prints the version, and `ocelot --install-completion` sets up
completion in the shell. What stands in square brackets is the default. Most of the options can
also be [settings](settings.md).

Exit codes: 0 done; 1 it failed; 2 the input or a setting cannot be used; 130 interrupted. Results
go to standard output; progress, warnings and errors go to standard error."""


def cli_page() -> str:
    """docs/cli.md."""
    parts = [_CLI]
    for name, function in commands():
        parts += [f"## {name}", f"```text\n{_help(name, function)}\n```"]
    return "\n\n".join(parts) + "\n"


def _help(name: str, function: Any) -> str:
    arguments, options = [], []
    for parameter, info, kind in _parameters(function):
        if isinstance(info, ArgumentInfo):
            arguments.append((parameter, info))
        else:
            options.append((parameter, info, kind))
    usage = [_metavar(parameter, info) for parameter, info in arguments]
    lines = [" ".join([name, *usage, "[OPTIONS]"]), ""]
    doc = inspect.cleandoc(function.__doc__)
    for paragraph in doc.split("\n\n"):
        lines += [*textwrap.wrap(paragraph, WIDTH), ""]
    rows = [
        (_metavar(parameter, info).strip("[]"), _words(parameter, info))
        for parameter, info in arguments
    ]
    rows += [
        (_declared(parameter, info, kind), _words(parameter, info))
        for parameter, info, kind in options
    ]
    column = 2 + max(len(left) for left, _ in rows) + 2
    for left, right in rows:
        first, *rest = textwrap.wrap(right, WIDTH - column) or [""]
        lines.append(f"  {left}".ljust(column) + first)
        lines += [" " * column + line for line in rest]
    return "\n".join(line.rstrip() for line in lines).strip()


def _parameters(function: Any) -> Iterator[tuple[inspect.Parameter, Any, Any]]:
    hints = get_type_hints(function, include_extras=True)
    for parameter in inspect.signature(function).parameters.values():
        kind, info = get_args(hints[parameter.name])
        yield parameter, info, kind


def _metavar(parameter: inspect.Parameter, info: ArgumentInfo) -> str:
    name = info.metavar or parameter.name.upper()
    return name if parameter.default is inspect.Parameter.empty else f"[{name}]"


def _declared(parameter: inspect.Parameter, info: OptionInfo, kind: Any) -> str:
    # Inside Annotated typer keeps the first name where a default would be.
    given = [name for name in (info.default, *(info.param_decls or ())) if isinstance(name, str)]
    names = ", ".join(given or ["--" + parameter.name.replace("_", "-")])
    kinds = [one for one in get_args(kind) or (kind,) if one is not type(None)]
    if kinds == [bool]:
        return names
    return f"{names} {info.metavar or _VALUES[kinds[0]]}{_range(info)}"


def _range(info: OptionInfo) -> str:
    if info.min is None and info.max is None:
        return ""
    if info.max is None:
        return f" (from {info.min})"
    return f" ({info.min} to {info.max})"


def _words(parameter: inspect.Parameter, info: Any) -> str:
    words = [info.help or ""]
    if parameter.default is inspect.Parameter.empty:
        words += [] if isinstance(info, ArgumentInfo) else ["[required]"]
    elif not (parameter.default is None or parameter.default is False) and info.show_default:
        words.append(f"[{parameter.default}]")
    return " ".join(word for word in words if word)


def variables(name: str, field: FieldInfo) -> list[str]:
    """The environment variables of a setting; of several that are set the first one counts."""
    if isinstance(field.validation_alias, AliasChoices):
        return [str(alias) for alias in field.validation_alias.choices if alias != name]
    return [f"OCELOT_{name.upper()}"]


_SETTINGS = f"""\
# Settings

{_NOTICE}

A setting comes from the first of these that has it: an option of the command line (or an argument
of `ocelot.open`), the environment, a file `ocelot.toml` in the working folder, the default. Where
a setting has several variables, the first that is set counts. An unknown key in `ocelot.toml` is
refused.

| `ocelot.toml` | environment | default | meaning |
|---|---|---|---|
{{table}}

`ocelot.open` takes the same names as arguments, except that `db` is its first one, `uri`.

`token`, `llm_api_key` and `azure_api_key` are secrets: give them in the environment rather than on
the command line or in a file. They are masked wherever settings are printed.

```toml
# ocelot.toml
db = "http://localhost:19530"
collection = "shop"
encoder = "bge-visualized-base"
reranker = "fusion"
```

Apart from these, read from the environment only:

| environment | default | meaning |
|---|---|---|
| `OCELOT_CACHE` | `$XDG_CACHE_HOME/ocelot`, else `~/.cache/ocelot` | Converted weights, rankings. |
| `HF_HOME`, `HF_HUB_OFFLINE`, … | | Read by huggingface_hub, which fetches published weights. |
| `HTTPS_PROXY`, `SSL_CERT_FILE`, … | | Read by the HTTP clients: proxies and certificates. |
"""


def settings_page() -> str:
    """docs/settings.md."""
    rows = []
    for name, field in Settings.model_fields.items():
        environment = ", ".join(f"`{variable}`" for variable in variables(name, field))
        meaning = " ".join(part for part in (field.description or "", _limits(field)) if part)
        rows.append(f"| `{name}` | {environment} | {_default(field)} | {meaning} |")
    return _SETTINGS.format(table="\n".join(rows))


def _default(field: FieldInfo) -> str:
    if field.default is None:
        return ""
    value = str(field.default).lower() if isinstance(field.default, bool) else field.default
    return f"`{value}`"


def _limits(field: FieldInfo) -> str:
    """Choices and ranges, as the setting's own type declares them."""
    kinds = [one for one in get_args(field.annotation) if one is not type(None)]
    if kinds and all(isinstance(one, str) for one in kinds):
        return f"One of {', '.join(kinds)}."
    if SecretStr in kinds:
        return "Secret."
    bounds = {
        name: getattr(rule, name)
        for rule in field.metadata
        for name in ("gt", "ge", "le")
        if getattr(rule, name, None) is not None
    }
    if "gt" in bounds:
        return f"More than {bounds['gt']}."
    if "le" in bounds:
        return f"From {bounds['ge']} to {bounds['le']}."
    return f"At least {bounds['ge']}." if bounds else ""


def main() -> None:
    """Write both files."""
    (FOLDER / "cli.md").write_text(cli_page(), encoding="utf-8")
    (FOLDER / "settings.md").write_text(settings_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
