"""Write docs/cli.md, docs/settings.md and docs/api.md from the code: `make docs`.

The pages are laid out here, from what the commands, the settings and the HTTP API declare, so that
they are the same on every machine, whatever its terminal and its version of typer.
"""

from __future__ import annotations

import inspect
import json
import shlex
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer
from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from typer.models import ArgumentInfo, OptionInfo

from ocelot.cli.main import app
from ocelot.cli.options import help_of
from ocelot.settings import Settings
from ocelot.web import describe
from ocelot.web.reference.schemas import (
    bodies_of,
    fields_of,
    kinds_of,
    meaning_of,
    target_of,
    type_of,
    type_with_default,
)

WIDTH = 100
FOLDER = Path(__file__).parent
_NOTICE = "<!-- Written by docs/generate.py: change the code, then run `make docs`. -->"
_VALUES = {int: "INT", float: "FLOAT", Path: "PATH", str: "TEXT"}


def commands(tree: typer.Typer = app, name: str = "ocelot") -> Iterator[tuple[str, Any]]:
    """Yield the full name and the function of each command."""
    for command in tree.registered_commands:
        assert command.callback is not None
        given = command.name or command.callback.__name__.rstrip("_").replace("_", "-")
        yield f"{name} {given}", command.callback
    for group in tree.registered_groups:
        assert group.typer_instance is not None
        yield from commands(group.typer_instance, f"{name} {group.name}")


_CLI = f"""\
# Commands

{_NOTICE}

`ocelot` and `python -m ocelot` are the same. `ocelot --help` lists the commands, `ocelot COMMAND
--help` explains one with examples, `ocelot --version` prints the version. `ocelot
--install-completion`, run once in bash, zsh, fish or PowerShell, completes commands, options, and
names of encoders and rerankers from the next shell on. Defaults are in square brackets. Most
options are also [settings](settings.md).

Exit codes: 0 success, also of a search that finds nothing; 1 failure; 2 unusable input or setting,
such as an address without a collection or another encoder than the collection's; 130 interrupted.
`ocelot index` lists files that it cannot use, and fails only if it could use none. Results go to
standard output; progress, warnings and errors go to standard error."""


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
    text, examples = help_of(function)
    for paragraph in text.split("\n\n"):
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
    lines += ["", "Examples:", *(f"  {example}" for example in examples)] if examples else []
    return "\n".join(line.rstrip() for line in lines).strip()


def _parameters(function: Any) -> Iterator[tuple[inspect.Parameter, Any, Any]]:
    hints = get_type_hints(function, include_extras=True)
    for parameter in inspect.signature(function).parameters.values():
        kind, info = get_args(hints[parameter.name])
        yield parameter, info, kind


def _metavar(parameter: inspect.Parameter, info: ArgumentInfo) -> str:
    name = info.metavar or parameter.name.upper()
    name += "…" if "list[" in str(parameter.annotation) else ""
    return name if parameter.default is inspect.Parameter.empty else f"[{name}]"


def _declared(parameter: inspect.Parameter, info: OptionInfo, kind: Any) -> str:
    # Within Annotated, typer keeps the first name as the default.
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
    """The environment variables of a setting; the first that is set counts."""
    if isinstance(field.validation_alias, AliasChoices):
        return [str(alias) for alias in field.validation_alias.choices if alias != name]
    return [f"OCELOT_{name.upper()}"]


_SETTINGS = f"""\
# Settings

{_NOTICE}

A setting comes from the first of these that has it: an option of the command line (or an argument
of `ocelot.open`), the environment, a file `ocelot.toml` in the working folder, the default. Where
a setting has several variables, the first that is set counts. An unknown key in `ocelot.toml` is
an error. `ocelot config show` prints each value and where it comes from.

| `ocelot.toml` | environment | default | meaning |
|---|---|---|---|
{{table}}

`ocelot.open` takes the same names as arguments; `db` is its first argument, `uri`.

`token`, `password`, `llm_api_key`, `azure_api_key` and `api_keys` are secrets: set them in the
environment rather than on the command line or in a file. They are masked wherever settings are
printed.

```toml
# ocelot.toml
db = "http://localhost:19530"
collection = "shop"
encoder = "bge-visualized-base"
reranker = "fusion"
```

These are read from the environment only:

| environment | default | meaning |
|---|---|---|
| `OCELOT_TO_TOKEN`, `OCELOT_TO_USER`, `OCELOT_TO_PASSWORD`, `OCELOT_TO_DATABASE`, \
`OCELOT_TO_TLS_CA`, … | | Settings of the destination of `ocelot copy`, by their names. |
| `OCELOT_CACHE` | `$XDG_CACHE_HOME/ocelot`, else `~/.cache/ocelot` | Folder for the cache. |
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
    if field.default in (None, ""):
        return ""
    value = str(field.default).lower() if isinstance(field.default, bool) else field.default
    return f"`{value}`"


def _limits(field: FieldInfo) -> str:
    """Choices and ranges, from the type of the setting."""
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
    words = {"gt": "more than", "ge": "at least", "le": "at most"}
    text = ", ".join(f"{words[name]} {bound:,}" for name, bound in bounds.items())
    return f"{text[0].upper()}{text[1:]}." if text else ""


_API = f"""\
# HTTP API

{_NOTICE}

The API of `ocelot serve`, which also serves the page at `/`. A running server describes itself at
`/openapi.json` (OpenAPI 3.1), with its own rerankers and limits, and as a page to read and to try
at `/docs`.

If the server asks for API keys (`api_keys` in the [settings](settings.md)), send one as
`Authorization: Bearer KEY` or as `X-API-Key: KEY`; `/healthz` and `/readyz` need none. Any request
may have an id, `X-Request-Id`: the answer and the server's log have it, too.

Errors are `application/problem+json` (RFC 9457): [ProblemDetails](#problemdetails), with one
sentence in `detail`. Only an unknown `Host` and a refused CORS preflight get 400 in plain text.
With 429, and often with 503, the header `Retry-After` gives the seconds to wait before the next
attempt. The statuses:

| status | meaning |
|---|---|
{{statuses}}"""

_SERVER = "http://127.0.0.1:8000"


def api_page() -> str:
    """docs/api.md."""
    described = describe()
    schemas = described["components"]["schemas"]
    found: dict[str, str] = {}
    parts = []
    shown: set[str] = set()
    for tag in described["tags"]:
        parts += [f"## {tag['name'].capitalize()}", tag["description"]]
        for path, methods in described["paths"].items():
            for method, operation in methods.items():
                if tag["name"] not in operation["tags"]:
                    continue
                parts += _operation(f"{method.upper()} {path}", operation, schemas)
                shown |= {target_of(body["schema"]) for body in bodies_of(operation).values()}
                answers = operation["responses"].items()
                found |= {code: one["description"] for code, one in answers if int(code) >= 400}
    parts += ["## Values", "The JSON objects of requests and responses."]
    fields = [one for schema in schemas.values() for one in schema["properties"].values()]
    linked = " ".join([*parts, *map(type_of, fields)])
    for name, schema in sorted(schemas.items()):
        if name not in shown or f"](#{name.lower()})" in linked:
            parts += [f"### {name}", schema["description"], _table("field", fields_of(schema))]
    statuses = "\n".join(f"| {code} | {found[code]} |" for code in sorted(found))
    return "\n\n".join([_API.format(statuses=statuses), *parts]) + "\n"


def _operation(name: str, operation: Any, schemas: Any) -> Iterator[str]:
    yield f"### {name}"
    yield f"{operation['summary']}. {operation['description']}"
    if parameters := [one for one in operation.get("parameters", ()) if "$ref" not in one]:
        rows = [
            (
                one["name"],
                type_with_default(one["schema"]),
                meaning_of(one) or meaning_of(one["schema"]),
            )
            for one in parameters
        ]
        yield _table("parameter", rows)
    first: list[tuple[str, str, str]] = []
    for kind, body in bodies_of(operation).items():
        if not target_of(body["schema"]):
            yield f"As `{kind}`."
            continue
        fields = fields_of(schemas[target_of(body["schema"])])
        yield f"As `{kind}`" + (", with the same fields except:" if first else ":")
        yield _table("field", [field for field in fields if field not in first])
        first = fields
    yield "\n".join(["```sh", *_calls(name, operation, schemas), "```"])
    good, bad = [], []
    for code, answer in operation["responses"].items():
        if int(code) < 400:
            good.append(f"{code}{_gives(answer)}: {answer['description']}")
        else:
            bad.append(code)
    lines = good + ([f"{', '.join(bad)}: as above."] if bad else [])
    yield "\n".join(f"- {line}" for line in lines)


def _gives(response: Any) -> str:
    kinds = kinds_of(response)
    return f" with {kinds}" if kinds else ""


def _calls(name: str, operation: Any, schemas: Any) -> Iterator[str]:
    """The example of an operation for curl: as JSON, and as a form."""
    method, _, path = name.partition(" ")
    queries = []
    for one in operation.get("parameters", ()):
        if "$ref" in one:
            continue
        for example in (one["schema"].get("examples") or one.get("examples") or ())[:1]:
            path = path.replace(f"{{{one['name']}}}", str(example))
            if one["in"] == "query":
                queries.append(f"{one['name']}={example}")
    target = shlex.quote(_SERVER + path + ("?" + "&".join(queries) if queries else ""))
    content = bodies_of(operation)
    if not content:
        yield f"curl {target}" if method == "GET" else f"curl -X {method} {target}"
        return
    kind, body = next(iter(content.items()))
    model = schemas.get(target_of(body["schema"]), body["schema"])
    example = model["examples"][0]
    sent = example if isinstance(example, str) else json.dumps(example, ensure_ascii=False)
    which = "" if method == "POST" else f"-X {method} "
    yield f"curl {which}{target} -H 'Content-Type: {kind}' -d {shlex.quote(sent.strip())}"
    if "multipart/form-data" in content:
        form = schemas[target_of(content["multipart/form-data"]["schema"])]["properties"]
        texts = {name: value for name, value in example.items() if name in form and name != "image"}
        fields = [
            value if isinstance(value, str) else json.dumps(value) for value in texts.values()
        ]
        given = [shlex.quote(f"{name}={value}") for name, value in zip(texts, fields, strict=True)]
        yield " -F ".join([f"curl {target}", "image=@leopard.jpg", *given])


def _table(what: str, rows: Iterable[tuple[str, str, str]]) -> str:
    lines = (f"| `{name}` | {kind} | {meaning} |" for name, kind, meaning in rows)
    return "\n".join([f"| {what} | type | meaning |", "|---|---|---|", *lines])


def main() -> None:
    """Write all files."""
    for name, page in (("cli", cli_page()), ("settings", settings_page()), ("api", api_page())):
        (FOLDER / f"{name}.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
