"""One warm engine behind bounded queues, used by the HTTP API and the page."""

from ocelot.service.metrics import Metrics
from ocelot.service.pictures import Picture
from ocelot.service.service import Service
from ocelot.service.values import MAX_DEPTH, MAX_RESULTS, MAX_TEXT, Answer, Limits, Overview

__all__ = [
    "MAX_DEPTH", "MAX_RESULTS", "MAX_TEXT", "Answer", "Limits", "Metrics", "Overview", "Picture",
    "Service",
]  # fmt: skip
