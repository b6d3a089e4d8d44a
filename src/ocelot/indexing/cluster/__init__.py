"""Indexing on many machines: sources are listed, encoded to parts, and loaded."""

from ocelot.indexing.cluster.run import Cluster, ClusterReport
from ocelot.indexing.cluster.sources import Listing, list_sources

__all__ = ["Cluster", "ClusterReport", "Listing", "list_sources"]
