"""One warm engine behind bounded queues, used by the HTTP API and the page."""

from ocelot.service.facets import Facet, condition
from ocelot.service.images import Picture
from ocelot.service.metrics import Metrics
from ocelot.service.service import Service
from ocelot.service.values import MAX_RESULTS, MAX_TEXT, Answer, Limits, Overview

__all__ = [
    "MAX_RESULTS", "MAX_TEXT", "Answer", "Facet", "Limits", "Metrics", "Overview", "Picture",
    "Service", "condition",
]  # fmt: skip
