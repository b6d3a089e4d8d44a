"""Keeping a collection in order: copying it, encoding it again."""
