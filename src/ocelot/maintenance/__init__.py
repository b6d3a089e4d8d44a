"""Keeping a collection in order: checked, mended, exported, backed up, freed from duplicates."""
