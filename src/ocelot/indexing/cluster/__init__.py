"""Indexing on many machines: sources are listed, encoded to parts, and loaded."""

from ocelot.indexing.cluster.run import ClusterReport, index_on_cluster
from ocelot.indexing.cluster.sources import Listing, list_sources

__all__ = ["ClusterReport", "Listing", "index_on_cluster", "list_sources"]
