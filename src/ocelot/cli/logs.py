"""How log lines are written: as text, or as JSON for programs; each with the id of its request."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone
from typing import Literal

from ocelot.request_id import request_id
from ocelot.telemetry import trace_id

__all__ = ["JSONLines", "TextLines", "write_logs_as"]

_OTHERS = ("uvicorn", "milvus_lite")  # loggers of other packages that an operator should see


class TextLines(logging.Formatter):
    """`LEVEL: message [request id]`."""

    def format(self, record: logging.LogRecord) -> str:
        id = request_id()
        return f"{record.levelname}: {super().format(record)}" + (f" [{id}]" if id else "")


class JSONLines(logging.Formatter):
    """One JSON object in a line: time (UTC), level, logger, message, request_id, exception.

    The trace_id of a trace and the fields that the caller gave as `extra={"fields": {...}}` are in
    it, too.
    """

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, timezone.utc)
        line = {
            "time": time.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id() or None,
            **getattr(record, "fields", {}),
        }
        if id := trace_id():
            line["trace_id"] = id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def write_logs_as(kind: Literal["text", "json"]) -> None:
    """Set the format of all log lines of this process, with the handler that it has."""
    handlers = logging.getLogger("ocelot").handlers
    for handler in handlers:
        handler.setFormatter(JSONLines() if kind == "json" else TextLines())
    if kind == "json":  # no line of another form
        for name in _OTHERS:
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = list(handlers), False
