"""Keeping a collection in order: copied, encoded again, verified, exported, backed up."""
