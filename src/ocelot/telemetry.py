"""Spans of OpenTelemetry, for programs that have set it up.

Its API is not imported here: a program with an SDK has imported it, and then `sys.modules` has it.
Without one, a span is a look-up in a dictionary. Attributes hold no text of a query, no path and
no secret; an error is its type. Names follow the semantic conventions where there are any.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

__all__ = ["note", "span", "trace_id"]

_Value = str | bool | int | float


def _api() -> Any:
    return sys.modules.get("opentelemetry.trace")


@contextmanager
def span(
    name: str,
    attributes: Mapping[str, _Value] | None = None,
    *,
    kind: Literal["INTERNAL", "CLIENT", "SERVER"] = "INTERNAL",
    headers: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Record what runs in the block as a span; also a decorator of functions.

    Args:
        headers: Of a request that came in: its `traceparent` names the parent. There is no span of
            our own if something else has begun one for the request.
    """
    api = _api()
    if api is None or (headers is not None and api.get_current_span().get_span_context().is_valid):
        yield
        return
    context = None
    if headers is not None:
        from opentelemetry.propagate import extract

        context = extract(headers)
    options = {"record_exception": False, "set_status_on_exception": False}  # texts may be private
    with api.get_tracer("ocelot").start_as_current_span(
        name, context, getattr(api.SpanKind, kind), attributes, **options
    ) as current:
        try:
            yield
        except BaseException as error:
            current.set_attribute("error.type", type(error).__name__)
            current.set_status(api.StatusCode.ERROR)
            raise


def note(attributes: Mapping[str, _Value], name: str = "") -> None:
    """Add attributes to the span that is running, and perhaps give it a better name."""
    if (api := _api()) is not None:
        current = api.get_current_span()
        current.set_attributes(attributes)
        if name:
            current.update_name(name)


def trace_id() -> str:
    """The id of the trace that is running, 32 hex digits; "" if there is none."""
    context = api.get_current_span().get_span_context() if (api := _api()) is not None else None
    return f"{context.trace_id:032x}" if context is not None and context.is_valid else ""
