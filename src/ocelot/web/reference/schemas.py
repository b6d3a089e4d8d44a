"""JSON schemas in few words, in Markdown: for the reference at /docs and for docs/api.md."""

from __future__ import annotations

import json
from typing import Any

__all__ = [
    "bodies_of", "example_of", "fields_of", "kinds_of", "meaning_of", "target_of", "type_of",
    "type_with_default",
]  # fmt: skip


def bodies_of(operation: Any) -> dict[str, Any]:
    """The bodies that an operation takes, by media type."""
    return dict(operation.get("requestBody", {}).get("content", {}))


def example_of(*described: Any) -> str:
    """The first example that one of these has; "" if there is none."""
    example = next((one["examples"][0] for one in described if one.get("examples")), "")
    if isinstance(example, str):
        return example
    return json.dumps(example, indent=2, ensure_ascii=False)


def fields_of(schema: Any) -> list[tuple[str, str, str]]:
    """The name, the type and the meaning of each field of an object."""
    required = schema.get("required", ())
    return [
        (name, type_of(field) if name in required else type_with_default(field), meaning_of(field))
        for name, field in schema["properties"].items()
    ]


def kinds_of(answer: Any) -> str:
    """The objects or media types of an answer."""
    return " or ".join(
        type_of(content["schema"]) if content["schema"].keys() & {"$ref", "anyOf"} else f"`{kind}`"
        for kind, content in answer.get("content", {}).items()
    )


def meaning_of(described: Any) -> str:
    """The description, in one line."""
    return " ".join(str(described.get("description", "")).split())


def target_of(schema: Any) -> str:
    """The name of the object that a schema refers to; "" if it refers to none."""
    return str(schema.get("$ref", "")).rpartition("/")[2]


def type_of(schema: Any) -> str:
    """A JSON schema in few words, without null.

    >>> type_of({"anyOf": [{"type": "array", "items": {"$ref": "#/a/Hit"}}, {"type": "null"}]})
    'array of [Hit](#hit)'
    """
    if name := target_of(schema):
        return f"[{name}](#{name.lower()})"
    if alternatives := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(type_of(one) for one in alternatives if one != {"type": "null"})
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(one)}`" for one in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        most = f"up to {schema['maxItems']} " if "maxItems" in schema else ""
        return f"array of {most}{type_of(schema['items'])}"
    if schema.get("format") == "binary":
        return "file"
    if "contentEncoding" in schema:
        return str(schema["contentEncoding"])
    if "minimum" in schema:
        return f"{kind}, {schema['minimum']:g} to {schema['maximum']:g}"
    if "maxLength" in schema:
        return f"{kind}, up to {schema['maxLength']} characters"
    return str(kind)


def type_with_default(schema: Any) -> str:
    """As `type_of`, with the default."""
    default = schema.get("default")
    return type_of(schema) + ("" if default in (None, []) else f" (`{json.dumps(default)}`)")
