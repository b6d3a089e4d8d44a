"""One warm engine behind bounded queues, used by the HTTP API and the page."""

from ocelot.service.facets import Facet, condition
from ocelot.service.images import Picture
from ocelot.service.limits import Limits
from ocelot.service.metrics import Metrics
from ocelot.service.service import Service
from ocelot.service.values import Answer, Overview

__all__ = [
    "Answer",
    "Facet",
    "Limits",
    "Metrics",
    "Overview",
    "Picture",
    "Service",
    "condition",
]
