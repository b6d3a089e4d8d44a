"""Indexing on many machines: sources are listed, encoded to parts, and loaded."""

from ocelot.indexing.cluster.run import ClusterReport, index_on_cluster

__all__ = ["ClusterReport", "index_on_cluster"]
